// SPDX-License-Identifier: Apache-2.0
/*
 * What modules, processes, threads or labels used. A module's total is what passes through it, each
 * sample once; all others hold their samples for themselves.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/strtab.h"
#include "output/escape.h"
#include "output/short_name.h"
#include "report/view.h"

struct group {
	uint32_t name; /* in names */
	int64_t self, total;
};

struct groups {
	struct strtab names;
	ARRAY_OF(struct group) rows; /* the heaviest first, once found */
};

static void groups_fini_cleanup(struct groups *groups)
{
	strtab_fini(&groups->names);
	array_fini(&groups->rows);
}

/* The row of a name, which is added where there is none. Rows have the numbers of names. */
static int find_row(struct groups *groups, uint32_t *ret, const char *name)
{
	int r = strtab_add_str(&groups->names, ret, name);

	while (r == 0 && groups->rows.count <= *ret) {
		struct group *added = array_push(&groups->rows);

		if (!added)
			return -ENOMEM;
		added->name = groups->rows.count - 1;
	}
	return r;
}

/* The kernel and its modules are one. */
static const char *module_of(const struct call_tree *tree, const struct call_frame *frame)
{
	const char *module = profile_text(tree->profile, frame->module);

	if (frame->kind == CALL_KERNEL)
		return "[kernel]";
	return *module ? module : "[unknown]";
}

static int group_by_module(const struct call_tree *tree, struct groups *groups)
{
	cleanup(free) uint32_t *of_frames = calloc(tree->frames.count + 1ULL, sizeof(uint32_t));
	cleanup(free) uint32_t *active = calloc(tree->frames.count + 2ULL, sizeof(uint32_t));

	if (!of_frames || !active)
		return -ENOMEM;
	for (uint32_t i = 0; i < tree->frames.count; i++) {
		const struct call_frame *frame = &tree->frames.at[i];
		int r = frame->kind < CALL_ALL
				? find_row(groups, &of_frames[i], module_of(tree, frame))
				: 0;

		if (r < 0)
			return r;
	}
	for (uint32_t i = 1, previous = 0; i < tree->nodes.count; previous = i++) {
		const struct call_node *node = &tree->nodes.at[i];
		struct group *group = &groups->rows.at[of_frames[node->frame]];

		for (uint32_t at = previous; at && at != node->parent;
		     at = tree->nodes.at[at].parent)
			active[of_frames[tree->nodes.at[at].frame]]--;
		group->self = profile_sum(group->self, node->self);
		if (!active[of_frames[node->frame]]++)
			group->total = profile_sum(group->total, node->total);
	}
	groups->rows.at[0].total = groups->rows.at[0].self; /* what has no frames */
	return 0;
}

static void add_label(struct bytes *ret, const struct profile *profile,
		      const struct profile_label *label)
{
	if (label->is_number)
		bytes_add_format(ret, "%" PRId64 "%s%s", label->number, label->unit ? " " : "",
				 profile_text(profile, label->unit));
	else
		bytes_add_str(ret, profile_text(profile, label->text));
}

/* "name (id)", or what there is of it. */
static void add_named(struct bytes *ret, const struct profile *profile, uint32_t set,
		      const char *name_key, const char *id_key)
{
	const struct profile_label *name = profile_label_find(profile, set, name_key);
	const struct profile_label *id = profile_label_find(profile, set, id_key);

	if (name)
		add_label(ret, profile, name);
	if (!id)
		return;
	bytes_add_str(ret, name ? " (" : "");
	add_label(ret, profile, id);
	bytes_add_str(ret, name ? ")" : "");
}

/* Every label of the key: a set may have several. */
static void add_values(struct bytes *ret, const struct profile *profile, uint32_t set,
		       const char *key)
{
	struct profile_run run = profile->label_sets.at[set];

	for (uint32_t i = 0; i < run.count; i++) {
		const struct profile_label *label = &profile->label_items.at[run.first + i];

		if (strcmp(profile_text(profile, label->key), key) != 0)
			continue;
		bytes_add_str(ret, ret->size ? ", " : "");
		add_label(ret, profile, label);
	}
}

static int group_by_labels(struct report *report, struct groups *groups)
{
	const struct profile *profile = report->profile;
	cleanup(free) uint32_t *rows = calloc(profile->label_sets.count + 1ULL, sizeof(*rows));
	cleanup(bytes_fini) struct bytes name = {};
	bool found = false;

	if (!rows)
		return -ENOMEM;
	for (uint32_t i = 0; i < profile->label_sets.count; i++) {
		int r;

		name.size = 0;
		if (report->options->group == GROUP_PROCESS)
			add_named(&name, profile, i, "comm", "pid");
		else if (report->options->group == GROUP_THREAD)
			add_named(&name, profile, i, "thread_name", "tid");
		else
			add_values(&name, profile, i, report->options->label);
		if (!bytes_str(&name))
			return -ENOMEM;
		found |= name.size > 0;
		r = find_row(groups, &rows[i], name.at);
		if (r < 0)
			return r;
	}
	if (!found && call_tree_total(report->tree) > 0)
		return report->options->group == GROUP_LABEL
			       ? report_refuse(report, "no sample has the label '%.64s'",
					       report->options->label)
			       : report_refuse(report, "no sample says which %s it is of",
					       report->options->group == GROUP_PROCESS ? "process"
										       : "thread");
	for (uint32_t i = 0; i < profile->samples.count; i++) {
		struct group *group = &groups->rows.at[rows[profile->samples.at[i].labels]];

		group->total = profile_sum(group->total, weights_get(&report->weights, i));
		group->self = group->total;
	}
	return 0;
}

static int compare_groups(const void *a_, const void *b_, void *context)
{
	const struct strtab *names = context;
	const struct group *a = a_, *b = b_;

	if (a->total != b->total)
		return a->total > b->total ? -1 : 1;
	return strcmp(strtab_get(names, a->name), strtab_get(names, b->name));
}

static int compare_by_self(const void *a_, const void *b_, void *context)
{
	const struct group *a = a_, *b = b_;

	if (a->self != b->self)
		return a->self > b->self ? -1 : 1;
	return compare_groups(a, b, context);
}

static int compare_by_name(const void *a_, const void *b_, void *context)
{
	const struct strtab *names = context;
	const struct group *a = a_, *b = b_;

	return strcmp(strtab_get(names, a->name), strtab_get(names, b->name));
}

static int find_groups(struct report *report, struct groups *ret)
{
	static int (*const orders[])(const void *, const void *, void *) = {
		[FUNCTIONS_BY_SELF] = compare_by_self,
		[FUNCTIONS_BY_TOTAL] = compare_groups,
		[FUNCTIONS_BY_NAME] = compare_by_name,
	};
	uint32_t none, kept = 0;
	int r = strtab_init(&ret->names);

	if (r == 0)
		r = find_row(ret, &none, "");
	if (r == 0)
		r = report->options->group == GROUP_MODULE ? group_by_module(report->tree, ret)
							   : group_by_labels(report, ret);
	if (r != 0)
		return r;
	for (uint32_t i = 0; i < ret->rows.count; i++)
		if (ret->rows.at[i].total)
			ret->rows.at[kept++] = ret->rows.at[i];
	ret->rows.count = kept;
	if (kept)
		qsort_r(ret->rows.at, kept, sizeof(struct group), orders[report->options->order],
			&ret->names);
	return 0;
}

static const char *name_of(const struct groups *groups, const struct group *group)
{
	const char *name = strtab_get(&groups->names, group->name);

	return *name ? name : "(none)";
}

static const char *heading_of(const struct report *report)
{
	switch (report->options->group) {
	case GROUP_MODULE:
		return "MODULE";
	case GROUP_PROCESS:
		return "PROCESS";
	case GROUP_THREAD:
		return "THREAD";
	case GROUP_LABEL:
		break;
	}
	return "LABEL";
}

static bool is_small(const struct report *report, const struct group *group)
{
	return call_tree_share(report->tree, group->total).share < report_smallest(report, 0);
}

static int groups_text(struct report *report, struct page *page)
{
	cleanup(groups_fini) struct groups groups = {};
	bool has_self = report->options->group == GROUP_MODULE;
	size_t used = PAGE_SHARE_COLUMNS + 2 + page_absolute_columns(page);
	uint32_t shown = 0, left_out = 0;
	int64_t sum = 0, rest = 0;
	int r = find_groups(report, &groups);

	if (r != 0)
		return r;
	used += has_self ? PAGE_SHARE_COLUMNS + 2 : 9;
	if (has_self)
		page_heading(page, "    SELF     %s      TOTAL        MODULE",
			     page_absolute_heading(page));
	else
		page_heading(page, "    TOTAL    %s       SUM  %s", page_absolute_heading(page),
			     heading_of(report));
	for (uint32_t i = 0; i < groups.rows.count; i++) {
		const struct group *group = &groups.rows.at[i];

		if (is_small(report, group) ||
		    (report->options->limit && shown == report->options->limit)) {
			rest = profile_sum(rest, group->self);
			left_out++;
			continue;
		}
		shown++;
		sum = profile_sum(sum, group->self);
		page_share(page, group->self);
		page_absolute(page, group->self);
		bytes_add_str(&page->out, "  ");
		if (has_self)
			page_share(page, group->total);
		else
			bytes_add_format(&page->out, "%5.1f %%",
					 100 * call_tree_share(page->tree, sum).share);
		bytes_add_str(&page->out, "  ");
		page_path(page, name_of(&groups, group),
			  page_width(page) > used + 8 ? page_width(page) - used : 8);
		bytes_add_char(&page->out, '\n');
	}
	if (left_out) {
		page_share(page, rest);
		bytes_add_format(&page->out, "%*s(%" PRIu32 " more)\n",
				 (int)(used - PAGE_SHARE_COLUMNS), "", left_out);
	}
	return 0;
}

static int groups_json(struct report *report, struct json *json)
{
	static const char *const kinds[] = { "module", "process", "thread", "label" };
	cleanup(groups_fini) struct groups groups = {};
	uint32_t shown = 0;
	int r = find_groups(report, &groups);

	if (r != 0)
		return r;
	json_string(json, "by", kinds[report->options->group]);
	if (report->options->group == GROUP_LABEL)
		json_string(json, "label", report->options->label);
	json_array(json, "groups");
	for (uint32_t i = 0; i < groups.rows.count; i++) {
		const struct group *group = &groups.rows.at[i];
		const char *name = strtab_get(&groups.names, group->name);

		if (is_small(report, group) ||
		    (report->options->limit && shown == report->options->limit))
			continue;
		shown++;
		json_object(json, NULL);
		json_string(json, "name", *name ? name : NULL);
		report_json_weight(json, report->tree, "self", group->self);
		report_json_weight(json, report->tree, "total", group->total);
		json_end(json);
	}
	json_end(json);
	json_u64(json, "left_out", groups.rows.count - shown);
	return 0;
}

const struct view view_groups = { "groups", groups_text, groups_json };
