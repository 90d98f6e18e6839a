// SPDX-License-Identifier: Apache-2.0
#include "cmd/read_profile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/budget.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "cmd/read_progress.h"
#include "input/input.h"
#include "output/escape.h"

/* Writing takes about as much once more. */
#define PROFILE_BYTES_MAX (2ULL << 30)
#define PROFILE_PART 4 /* of all memory */

int read_profile_type(const char **ret, const char *argument, struct options_reason *reason)
{
	if (!*argument)
		return options_bad(reason, "needs the name of a type, as cpu or inuse_space");
	*ret = argument;
	return 0;
}

int read_profile_operand(const char **ret, const struct command *command,
			 const struct options_result *words)
{
	size_t count = (size_t)words->word_count;

	*ret = count ? words->words[0] : NULL;
	for (char **word = words->rest; word && *word; word++, count++)
		if (!count)
			*ret = *word;
	if (count == 1)
		return 0;
	return options_usage_error(command, count ? "one profile is read at a time"
						  : "name the profile to read, or - for stdin");
}

/* A name for where the profile comes from. */
static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (strcmp(path, "-") == 0)
		return "standard input";
	return slash && slash[1] ? slash + 1 : path;
}

static bool is_type(const struct profile *profile, const struct profile_type *type,
		    const char *name)
{
	const char *of_type = profile_text(profile, type->name);
	size_t size = strlen(of_type);

	return strncmp(name, of_type, size) == 0 &&
	       (!name[size] || (name[size] == '/' &&
				strcmp(name + size + 1, profile_text(profile, type->unit)) == 0));
}

/*
 * Of several events each has its own count, as perf's converters call them: "cycles_sample" beside
 * "cycles" or "cycles_event".
 */
static void choose_count(struct profile *profile, uint32_t type)
{
	static const char event[] = "_event", sample[] = "_sample";
	const char *name = profile_text(profile, profile->types.at[type].name);
	size_t size = strlen(name), length = strlen(event);

	if (size > length && strcmp(name + size - length, event) == 0)
		size -= length;
	for (uint32_t i = 0; i < profile->types.count; i++) {
		const char *other = profile_text(profile, profile->types.at[i].name);

		if (strcmp(profile_text(profile, profile->types.at[i].unit), "count") == 0 &&
		    ((i == type && size > strlen(sample) &&
		      strcmp(name + size - strlen(sample), sample) == 0) ||
		     (strncmp(other, name, size) == 0 && strcmp(other + size, sample) == 0)))
			profile->meta.count_type = i;
	}
}

/* Has the type of this name shown. Returns 0 or -EINVAL, logged. */
static int choose_type(struct profile *profile, const char *path, const char *name)
{
	cleanup(bytes_fini) struct bytes names = {};

	for (uint32_t i = 0; i < profile->types.count; i++) {
		const struct profile_type *type = &profile->types.at[i];

		if (is_type(profile, type, name)) {
			profile->meta.main_type = i;
			choose_count(profile, i);
			return 0;
		}
		bytes_add_str(&names, i ? ", " : "");
		escape_clean(&names, profile_text(profile, type->name));
	}
	log_error("%s has no values of the type '%s'; there are: %s", path, name,
		  bytes_str(&names) ? names.at : "");
	return -EINVAL;
}

/* What is missing, on stderr. */
static void warn(const char *path, const struct input_report *report)
{
	if (report->cut_stacks)
		log_warning("%s: %" PRIu64 " %s have stacks too deep: their innermost frames "
			    "are left out",
			    path, report->cut_stacks, report->items);
	if (report->rounded)
		log_warning("%s: %" PRIu64 " counts have fractions: they are rounded", path,
			    report->rounded);
	if (report->passed_over)
		log_warning("%s: %" PRIu64 " lines are neither samples nor frames: they are passed "
			    "over",
			    path, report->passed_over);
	if (report->other_values)
		log_warning("%s: %" PRIu64 " %s of more than %d types of values: they are left out",
			    path, report->other_values, report->items, PROFILE_MAX_TYPES);
	if (report->left_out)
		log_warning("%s: too many different stacks for this machine's memory: those of "
			    "%" PRIu64 " %s became " INPUT_FULL_NAME,
			    path, report->left_out, report->items);
}

/* The name of the file and, where there may be another one, the type of its values. */
static int add_title(struct profile *profile, const char *path, bool is_chosen)
{
	struct profile_meta *meta = &profile->meta;
	const struct profile_type *type = &profile->types.at[meta->main_type];
	cleanup(free) char *known = TAKE_PTR(meta->title);
	const char *title = known ? known : name_of(path);

	/* A recording's own title stands for what that shows. */
	if (is_chosen || (!known && profile->types.count > 1)) {
		if (asprintf(&meta->title, "%s: %s", title, profile_text(profile, type->name)) < 0)
			meta->title = NULL;
	} else {
		meta->title = known ? TAKE_PTR(known) : strdup(title);
	}
	return meta->title ? 0 : -ENOMEM;
}

/* What was found, unless the recorder has said it, and what is missing. */
static int describe(struct profile *profile, const struct input_report *report)
{
	struct profile_meta *meta = &profile->meta;
	cleanup(bytes_fini) struct bytes line = {};

	if (meta->quality) {
		bytes_add_str(&line, meta->quality);
	} else {
		if (meta->count_type != PROFILE_NO_TYPE) {
			int64_t samples = profile_total(profile, meta->count_type);

			bytes_add_format(&line, "%" PRId64 " sample%s, ", samples,
					 samples == 1 ? "" : "s");
		}
		bytes_add_format(&line, "%u different stack%s", profile->stacks.count,
				 profile->stacks.count == 1 ? "" : "s");
	}
	if (report->left_out)
		bytes_add_format(&line, "; %" PRIu64 " %s without their stacks", report->left_out,
				 report->items);
	if (!bytes_str(&line))
		return -ENOMEM;
	free(meta->quality);
	meta->quality = strdup(line.at);
	return meta->quality ? 0 : -ENOMEM;
}

int read_profile(struct profile **ret, const char *path, const char *type)
{
	cleanup(profile_free) struct profile *profile = NULL;
	struct budget budget = budget_of(PROFILE_BYTES_MAX, PROFILE_PART);
	cleanup(close) int opened = -1;
	struct read_progress progress;
	struct input_report report;
	int fd = STDIN_FILENO, r;

	if (strcmp(path, "-") != 0)
		fd = opened = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	r = fd < 0 ? -errno : 0;
	if (r == 0) {
		read_progress_begin(&progress, name_of(path), fd);
		r = input_read(&profile, fd, budget.limit, &report,
			       progress.input.tell ? &progress.input : NULL);
		read_progress_end(&progress);
	}
	if (r == INPUT_REFUSED) {
		log_error("cannot read %s%s", path, report.reason);
		return -EINVAL;
	}
	if (r == 0 && type && choose_type(profile, path, type) < 0)
		return -EINVAL;
	if (r == 0)
		warn(path, &report);
	if (r == 0)
		r = profile_freeze(profile);
	if (r == 0)
		r = add_title(profile, path, type != NULL);
	if (r == 0)
		r = describe(profile, &report);
	if (r < 0)
		log_error("cannot read %s: %s", path, strerror(-r));
	else
		*ret = TAKE_PTR(profile);
	return r;
}
