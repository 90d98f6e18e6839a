// SPDX-License-Identifier: Apache-2.0
/* How new versions are told: a sentence each, for people and for programs. */
#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <string.h>

#include "output/escape.h"
#include "output/page.h"
#include "output/short_name.h"
#include "query/deploys.h"

enum {
	BUILD_ID_COLUMNS = 8,
	FUNCTION_COLUMNS = 40,
	CHANGES_SHOWN = 6,
};

/* A pattern over the path, or over its last part where it has no slash. */
static bool matches_exe(const char *pattern, const char *exe)
{
	const char *slash = strrchr(exe, '/');

	if (!strchr(pattern, '/') && slash)
		exe = slash + 1;
	return fnmatch(pattern, exe, 0) == 0;
}

/* What is only watched is worth a word while the new build runs and nothing else is in the way. */
static bool is_promising(const struct book *book, const struct book_deploy *deploy)
{
	uint32_t old = watch_find(book, deploy->unit, deploy->program, deploy->old_build);
	uint32_t new = watch_find(book, deploy->unit, deploy->program, deploy->new_build);
	int64_t old_last_ns = old == UINT32_MAX ? 0 : book->builds.at[old].last_ns;
	const struct book_build *build = new == UINT32_MAX ? NULL : &book->builds.at[new];

	return build && book->scanned_ns - build->last_ns < watch_rules.absent_ns &&
	       (!deploy->old_must_go || old_last_ns <= deploy->time_ns);
}

bool deploys_chooses(const struct deploys_query *query, const struct book *book,
		     const struct book_deploy *deploy)
{
	if (deploy->state == BOOK_WATCHED && !is_promising(book, deploy))
		return false;
	if (deploy->time_ns < query->from_ns || deploy->time_ns >= query->until_ns)
		return false;
	if (query->unit && fnmatch(query->unit, book_text(book, deploy->unit), 0) != 0)
		return false;
	if (query->exe && !matches_exe(query->exe, book_text(book, deploy->exe)))
		return false;
	return !query->build_id ||
	       strcmp(query->build_id, book_text(book, deploy->old_build)) == 0 ||
	       strcmp(query->build_id, book_text(book, deploy->new_build)) == 0;
}

/* Which is the first one to be shown: of those that are chosen the last `limit`. */
static uint32_t first_of(const struct book *book, const struct deploys_query *query, uint32_t limit)
{
	uint32_t at = book->deploys.count, chosen = 0;

	while (at && (!limit || chosen < limit))
		chosen += deploys_chooses(query, book, &book->deploys.at[--at]);
	return at;
}

static void add_build_id(struct bytes *line, const char *build_id)
{
	cleanup(bytes_fini) struct bytes clean = {};

	escape_clean(&clean, build_id);
	if (bytes_str(&clean))
		text_add_clipped(line, clean.at, BUILD_ID_COLUMNS);
}

/* "json_decode 3.1 % → 22.5 % ± 1.1" */
static void add_change(struct bytes *line, const struct book *book,
		       const struct book_change *change)
{
	cleanup(bytes_fini) struct bytes name = {};

	escape_clean(&name, book_text(book, change->function));
	if (bytes_str(&name))
		short_name_add(line, name.at, FUNCTION_COLUMNS);
	if (change->with_callees)
		bytes_add_str(line, " with what it calls");
	bytes_add_format(line, " %.1f %% → %.1f %% ± %.1f", 100 * change->old, 100 * change->new,
			 100 * change->half);
}

static void add_verdict(struct bytes *line, const struct book *book,
			const struct book_deploy *deploy)
{
	uint32_t count = deploy->changes.count;

	if (deploy->is_undecided)
		bytes_add_str(line, deploy->old.samples || deploy->new.samples
					    ? "too few samples to compare"
					    : "not compared yet");
	else if (!count)
		bytes_add_str(line, "no function changed beyond noise");
	for (uint32_t i = 0; i < count && i < CHANGES_SHOWN; i++) {
		bytes_add_str(line, i ? ", " : "");
		add_change(line, book, &deploy->changes.at[i]);
	}
	if (count > CHANGES_SHOWN)
		bytes_add_format(line, " and %s more",
				 count == BOOK_MAX_CHANGES ? "several" : "some");
}

/* What the shares are of, and how sure all of it is. */
static void add_facts(struct bytes *line, const struct book_deploy *deploy)
{
	bytes_add_format(line, "; %.2f → %.2f cores (", deploy->old.cores, deploy->new.cores);
	text_add_count(line, deploy->old.samples);
	bytes_add_str(line, " and ");
	text_add_count(line, deploy->new.samples);
	bytes_add_str(line, " samples)");
	if (deploy->state == BOOK_WATCHED)
		bytes_add_str(line, "; it may not stay");
	else if (!deploy->judged_ns)
		bytes_add_str(line, "; so far");
}

static void add_deploy(struct page *page, const struct book *book, const struct book_deploy *deploy,
		       int64_t now_ns)
{
	cleanup(bytes_fini) struct bytes line = {};

	when_add(&line, deploy->time_ns, now_ns);
	if (deploy->unit) {
		bytes_add_char(&line, ' ');
		escape_clean(&line, book_text(book, deploy->unit));
	}
	bytes_add_char(&line, ' ');
	escape_clean(&line, book_text(book, deploy->exe));
	bytes_add_char(&line, ' ');
	add_build_id(&line, book_text(book, deploy->old_build));
	bytes_add_str(&line, " → ");
	add_build_id(&line, book_text(book, deploy->new_build));
	bytes_add_str(&line, deploy->is_return ? " (which ran before): " : ": ");
	add_verdict(&line, book, deploy);
	add_facts(&line, deploy);
	page_paragraph(page, bytes_str(&line));
}

int deploys_text(struct bytes *ret, const struct book *book, const struct deploys_query *query,
		 uint32_t limit, size_t width, int64_t now_ns)
{
	struct page page = { .width = width };
	uint32_t shown = 0;

	for (uint32_t i = first_of(book, query, limit); i < book->deploys.count; i++) {
		const struct book_deploy *deploy = &book->deploys.at[i];

		if (!deploys_chooses(query, book, deploy))
			continue;
		add_deploy(&page, book, deploy, now_ns);
		shown++;
	}
	if (!shown)
		page_paragraph(&page, "No new version of a program was seen.");
	bytes_add(ret, page.out.at, page.out.size);
	ret->failed |= page.out.failed;
	page_fini(&page);
	return ret->failed ? -ENOMEM : 0;
}

static void json_side(struct json *json, const char *key, const char *build_id,
		      const struct book_side *side)
{
	json_object(json, key);
	json_string(json, "build_id", build_id);
	json_i64(json, "samples", side->samples);
	json_double(json, "cores", side->cores);
	json_end(json);
}

static void json_changes(struct json *json, const struct book *book,
			 const struct book_deploy *deploy)
{
	json_array(json, "changes");
	for (uint32_t i = 0; i < deploy->changes.count; i++) {
		const struct book_change *change = &deploy->changes.at[i];

		json_object(json, NULL);
		json_string(json, "function", book_text(book, change->function));
		json_string(json, "module", book_text(book, change->module));
		json_bool(json, "with_callees", change->with_callees);
		json_double(json, "old", change->old);
		json_double(json, "new", change->new);
		json_double(json, "half", change->half);
		json_end(json);
	}
	json_end(json);
}

int deploys_json(struct bytes *ret, const struct book *book, const struct deploys_query *query,
		 uint32_t limit)
{
	static const char *const states[] = {
		[BOOK_WATCHED] = "watched", [BOOK_WAITS] = "waits", [BOOK_JUDGED] = "judged"
	};
	struct json json = json_to(ret);

	json_object(&json, NULL);
	json_u64(&json, "schema_version", 1);
	json_array(&json, "deploys");
	for (uint32_t i = first_of(book, query, limit); i < book->deploys.count; i++) {
		const struct book_deploy *deploy = &book->deploys.at[i];
		cleanup(bytes_fini) struct bytes time = {};

		if (!deploys_chooses(query, book, deploy))
			continue;
		when_add_iso(&time, deploy->time_ns);
		json_object(&json, NULL);
		json_string(&json, "time", bytes_str(&time));
		json_i64(&json, "time_ns", deploy->time_ns);
		json_string(&json, "unit", deploy->unit ? book_text(book, deploy->unit) : NULL);
		json_string(&json, "executable", book_text(book, deploy->exe));
		json_string(&json, "state", states[deploy->state]);
		json_bool(&json, "returned", deploy->is_return);
		json_bool(&json, "compared", !deploy->is_undecided);
		json_side(&json, "old", book_text(book, deploy->old_build), &deploy->old);
		json_side(&json, "new", book_text(book, deploy->new_build), &deploy->new);
		json_changes(&json, book, deploy);
		json_end(&json);
	}
	json_end(&json);
	json_end(&json);
	return ret->failed ? -ENOMEM : 0;
}
