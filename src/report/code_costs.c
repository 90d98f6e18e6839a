// SPDX-License-Identifier: Apache-2.0
#include "report/code_costs.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "output/escape.h"
#include "report/select.h"

enum {
	ROUTINES = 5,
	ROUTINES_MAX = 100,
	SOURCES_MAX = 256,
	SOURCE_BYTES_MAX = 128 << 20, /* together, but for the last one */
};

void annotation_fini(struct annotation *annotation)
{
	for (uint32_t i = 0; i < annotation->routines.count; i++) {
		code_listing_fini(&annotation->routines.at[i].code);
		free(annotation->routines.at[i].costs);
	}
	array_fini(&annotation->routines);
	for (uint32_t i = 0; i < annotation->binaries.count; i++)
		object_unref(annotation->binaries.at[i].object);
	array_fini(&annotation->binaries);
	for (uint32_t i = 0; i < annotation->sources.count; i++) {
		free(annotation->sources.at[i].path);
		source_file_fini(&annotation->sources.at[i].file);
	}
	array_fini(&annotation->sources);
	array_fini(&annotation->wanted);
	free(annotation->of_mappings);
	free(annotation->selves);
	free(annotation->totals);
	workers_fini(&annotation->workers);
}

/* ---- what the profile says ---- */

static int find_binaries(struct annotation *annotation)
{
	const struct profile *profile = annotation->report->profile;

	annotation->of_mappings = calloc(profile->mappings.count + 1ULL, sizeof(uint32_t));
	if (!annotation->of_mappings)
		return -ENOMEM;
	for (uint32_t i = 0; i < profile->mappings.count; i++) {
		const struct profile_mapping *mapping = &profile->mappings.at[i];
		uint32_t found = 0;

		while (found < annotation->binaries.count &&
		       (annotation->binaries.at[found].file != mapping->file ||
			annotation->binaries.at[found].build_id != mapping->build_id))
			found++;
		if (found == annotation->binaries.count) {
			struct code_binary *binary = array_push(&annotation->binaries);

			if (!binary)
				return -ENOMEM;
			*binary = (struct code_binary){ .file = mapping->file,
							.build_id = mapping->build_id };
		}
		annotation->of_mappings[i] = found;
	}
	return 0;
}

/* What each location used: a total counts once a sample. */
static int weigh_locations(struct annotation *annotation)
{
	const struct profile *profile = annotation->report->profile;
	uint64_t count = profile->locations.count + 1ULL;
	cleanup(free) uint32_t *last = calloc(count, sizeof(*last));

	annotation->selves = calloc(count, sizeof(int64_t));
	annotation->totals = calloc(count, sizeof(int64_t));
	if (!last || !annotation->selves || !annotation->totals)
		return -ENOMEM;
	for (uint32_t i = 0; i < profile->samples.count; i++) {
		struct profile_run run = profile->stacks.at[profile->samples.at[i].stack];
		int64_t weight = weights_get(&annotation->report->weights, i);

		for (uint32_t k = 0; weight && k < run.count; k++) {
			uint32_t id = profile->stack_locations.at[run.first + k];

			if (!k)
				annotation->selves[id] =
					profile_sum(annotation->selves[id], weight);
			if (last[id] == i + 1)
				continue;
			last[id] = i + 1;
			annotation->totals[id] = profile_sum(annotation->totals[id], weight);
		}
	}
	return 0;
}

static int compare_locations(const void *a_, const void *b_, void *context)
{
	const struct annotation *annotation = context;
	uint32_t a = *(const uint32_t *)a_, b = *(const uint32_t *)b_;
	const int64_t *selves = annotation->selves, *totals = annotation->totals;

	if (selves[a] != selves[b])
		return selves[a] > selves[b] ? -1 : 1;
	if (totals[a] != totals[b])
		return totals[a] > totals[b] ? -1 : 1;
	return a < b ? -1 : a > b;
}

static int find_wanted(struct annotation *annotation)
{
	struct report *report = annotation->report;
	const struct profile *profile = report->profile;
	cleanup(free) bool *marks = NULL;
	int r = select_functions(report, &marks, report->options->function);

	for (uint32_t i = 0; r == 0 && i < profile->locations.count; i++) {
		const struct profile_location *location = &profile->locations.at[i];
		bool is_wanted = false;
		uint32_t *place;

		for (uint32_t k = 0; k < location->line_count; k++)
			is_wanted |= marks[profile->lines.at[location->first_line + k].function];
		if (!is_wanted || !annotation->totals[i])
			continue;
		place = array_push(&annotation->wanted);
		if (!place)
			return -ENOMEM;
		*place = i;
	}
	if (annotation->wanted.count)
		qsort_r(annotation->wanted.at, annotation->wanted.count, sizeof(uint32_t),
			compare_locations, annotation);
	return r;
}

/* ---- the program ---- */

static int refuse_path(struct report *report, const char *path, const char *why)
{
	cleanup(bytes_fini) struct bytes clean = {};

	escape_clean(&clean, path);
	return report_refuse(report, "cannot read the instructions of %.100s: %s",
			     bytes_str(&clean) ? clean.at : "?", why);
}

static int check_build_id(struct report *report, struct code_binary *binary, const char *path)
{
	const char *want = profile_text(report->profile, binary->build_id);
	char got[2 * OBJECT_BUILD_ID_MAX + 1];

	object_build_id_hex(binary->object, got);
	/* Where either has none, nobody can tell. */
	binary->is_same_build = *want && strcmp(want, got) == 0;
	if (!*want || !*got || binary->is_same_build)
		return 0;
	return refuse_path(report, path,
			   "it is another build than was recorded; --binary says where that is");
}

static int open_binary(struct annotation *annotation, struct code_binary *binary)
{
	struct report *report = annotation->report;
	const char *recorded = profile_text(report->profile, binary->file);
	const char *path = report->options->binary ? report->options->binary : recorded;
	struct opened opened = { .honest = true };
	struct stat st;
	int fd, r;

	if (binary->object)
		return check_build_id(report, binary, path);
	if (!report->options->binary && *recorded != '/')
		return refuse_path(report, *recorded ? recorded : "a module without a name",
				   "it is no file; --binary names one");
	fd = fs_open_regular(path);
	if (fd < 0)
		return refuse_path(report, path,
				   fd == -ENOENT
					   ? "there is no such file; --binary says where it is"
				   : fd == -EINVAL ? "it is no regular file"
						   : strerror(-fd));
	if (fstat(fd, &st) == 0)
		opened.identity = object_identity_of(&st);
	r = ask_object(&annotation->workers, &binary->object, fd, -1, &opened, path);
	if (r == -ENOMEM)
		return r;
	if (r != 0)
		return refuse_path(report, path,
				   r == OBJECT_NOT_ELF ? "it is no program of this kind"
						       : "it is damaged");
	return check_build_id(report, binary, path);
}

/* The address of a location in its file. Returns 0 or -ENOENT. */
static int file_address(const struct annotation *annotation, uint32_t id, uint64_t *ret)
{
	const struct profile *profile = annotation->report->profile;
	const struct profile_location *location = &profile->locations.at[id];
	const struct profile_mapping *mapping = &profile->mappings.at[location->mapping];
	const struct code_binary *binary =
		&annotation->binaries.at[annotation->of_mappings[location->mapping]];
	uint64_t bias = 0;

	if (mapping->only_names || !binary->object)
		return -ENOENT;
	if (mapping->limit > mapping->start && location->address >= mapping->start &&
	    location->address < mapping->limit &&
	    object_bias(binary->object, &bias, mapping->start, mapping->file_offset, true) < 0)
		return -ENOENT;
	*ret = location->address - bias;
	return object_has_code(binary->object, *ret) ? 0 : -ENOENT;
}

/* ---- source lines ---- */

/* The number of a source, + 1; 0: there are too many. Negative: -ENOMEM. */
static int find_source(struct annotation *annotation, const char *path)
{
	struct code_source *source;

	for (uint32_t i = annotation->sources.count; i-- > 0;)
		if (strcmp(annotation->sources.at[i].path, path) == 0)
			return (int)i + 1;
	if (annotation->sources.count == SOURCES_MAX || annotation->source_bytes > SOURCE_BYTES_MAX)
		return 0;
	source = array_push(&annotation->sources);
	if (!source)
		return -ENOMEM;
	source->path = strdup(path);
	if (!source->path ||
	    source_file_read(&source->file, path, &annotation->report->options->sources) < 0)
		return -ENOMEM;
	annotation->source_bytes += source->file.text.size;
	return (int)annotation->sources.count;
}

struct naming {
	struct annotation *annotation;
	struct instruction_cost *costs; /* of the first address that was asked about */
};

/* The innermost line: it says what the instruction does. */
static int take_line(void *context, uint32_t number, const struct name_line *lines,
		     uint32_t line_count)
{
	struct naming *naming = context;
	int source;

	if (!line_count || !lines[0].line || !lines[0].file[0])
		return 0;
	source = find_source(naming->annotation, lines[0].file);
	if (source < 0)
		return source;
	naming->costs[number].source = (uint32_t)source;
	naming->costs[number].line = lines[0].line;
	return 0;
}

static int find_lines(struct annotation *annotation, struct object *object,
		      struct code_routine *routine)
{
	uint32_t count = routine->code.instructions.count;
	cleanup(free) uint64_t *addresses = calloc(count + 1ULL, sizeof(*addresses));

	if (!addresses)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		addresses[i] = routine->code.instructions.at[i].address;
	for (uint32_t done = 0; done < count;) {
		struct naming naming = { annotation, routine->costs + done };
		uint32_t ask = count - done < ASK_MAX_ADDRESSES ? count - done : ASK_MAX_ADDRESSES;
		uint32_t answered = 0;
		int r = ask_names(&annotation->workers, object, addresses + done, ask, &answered,
				  take_line, &naming);

		if (r < 0)
			return r;
		if (!answered)
			break;
		done += answered;
	}
	return 0;
}

/* ---- functions ---- */

static bool covers(const struct code_routine *routine, uint32_t binary, uint64_t address)
{
	return routine->binary == binary && address >= routine->code.start &&
	       address < routine->code.end;
}

/* Adds up what the function's instructions used, of all locations in it. */
static void add_costs(const struct annotation *annotation, struct code_routine *routine)
{
	const struct profile *profile = annotation->report->profile;

	for (uint32_t i = 0; i < profile->locations.count; i++) {
		uint32_t binary = annotation->of_mappings[profile->locations.at[i].mapping];
		struct instruction_cost *cost;
		uint64_t address;
		uint32_t after;

		if (binary != routine->binary || file_address(annotation, i, &address) < 0 ||
		    !covers(routine, binary, address))
			continue;
		after = array_count_up_to(&routine->code.instructions, address, address);
		cost = &routine->costs[after - 1];
		cost->self = profile_sum(cost->self, annotation->selves[i]);
		cost->total = profile_sum(cost->total, annotation->totals[i]);
		routine->self = profile_sum(routine->self, annotation->selves[i]);
	}
}

/* What passes through the function, each sample once. */
static int find_total(const struct annotation *annotation, struct code_routine *routine)
{
	const struct profile *profile = annotation->report->profile;
	cleanup(free) bool *inside = calloc(profile->locations.count + 1ULL, sizeof(*inside));

	if (!inside)
		return -ENOMEM;
	for (uint32_t i = 0; i < profile->locations.count; i++) {
		uint32_t binary = annotation->of_mappings[profile->locations.at[i].mapping];
		uint64_t address;

		inside[i] = file_address(annotation, i, &address) == 0 &&
			    covers(routine, binary, address);
	}
	for (uint32_t i = 0; i < profile->samples.count; i++) {
		struct profile_run run = profile->stacks.at[profile->samples.at[i].stack];
		bool passes = false;

		for (uint32_t k = 0; k < run.count && !passes; k++)
			passes = inside[profile->stack_locations.at[run.first + k]];
		if (passes)
			routine->total = profile_sum(routine->total,
						     weights_get(&annotation->report->weights, i));
	}
	return 0;
}

static const char *code_outcome_text(int outcome)
{
	switch (outcome) {
	case WIRE_CODE_UNKNOWN:
		return "nothing tells where the function begins and ends";
	case WIRE_CODE_TOO_LONG:
		return "the function is larger than 1 MiB";
	case WIRE_CODE_NO_DECODER:
		return "profd has no decoder for its code";
	}
	return "the file cannot be read";
}

static int add_routine(struct annotation *annotation, uint32_t location)
{
	const struct profile *profile = annotation->report->profile;
	uint32_t mapping = profile->locations.at[location].mapping;
	uint32_t number = annotation->of_mappings[mapping];
	struct code_binary *binary = &annotation->binaries.at[number];
	struct code_routine *routine;
	uint64_t address;
	uint32_t answered;
	struct instruction_cost first = {};
	struct naming naming = { annotation, &first };
	int r = binary->is_refused ? REPORT_REFUSED : open_binary(annotation, binary);

	binary->is_refused = r == REPORT_REFUSED;
	if (r != 0)
		return r;
	if (file_address(annotation, location, &address) < 0)
		return refuse_path(annotation->report, profile_text(profile, binary->file),
				   "the profile's addresses are not in its code");
	for (uint32_t i = 0; i < annotation->routines.count; i++)
		if (covers(&annotation->routines.at[i], number, address))
			return 0;
	if (annotation->routines.count >= report_limit(annotation->report, ROUTINES) ||
	    annotation->routines.count >= ROUTINES_MAX) {
		annotation->has_more = true;
		return 0;
	}
	/* The first question about names brings the debug files along. */
	r = ask_names(&annotation->workers, binary->object, &address, 1, &answered, take_line,
		      &naming);
	if (r < 0)
		return r;
	routine = array_push(&annotation->routines);
	if (!routine)
		return -ENOMEM;
	routine->binary = number;
	r = ask_code(&annotation->workers, &routine->code, binary->object, address);
	if (r == -ENOMEM)
		return r;
	if (r != 0) {
		annotation->routines.count--;
		return refuse_path(annotation->report, profile_text(profile, binary->file),
				   code_outcome_text(r));
	}
	routine->costs = calloc(routine->code.instructions.count + 1ULL, sizeof(*routine->costs));
	if (!routine->costs)
		return -ENOMEM;
	add_costs(annotation, routine);
	r = find_total(annotation, routine);
	return r < 0 ? r : find_lines(annotation, binary->object, routine);
}

/* What can be shown is shown, whatever becomes of the rest. */
static int add_routines(struct annotation *annotation)
{
	struct report_reason *reason = annotation->report->reason;

	for (uint32_t i = 0; i < annotation->wanted.count; i++) {
		int r = add_routine(annotation, annotation->wanted.at[i]);

		if (r < 0)
			return r;
		if (r == REPORT_REFUSED && !*annotation->refused.text)
			annotation->refused = *reason;
		annotation->has_more |= r == REPORT_REFUSED;
	}
	*reason = annotation->routines.count ? (struct report_reason){} : annotation->refused;
	return annotation->routines.count || !*reason->text ? 0 : REPORT_REFUSED;
}

int annotation_find(struct annotation *annotation, struct report *report)
{
	int r;

	annotation->report = report;
	workers_init(&annotation->workers);
	r = find_binaries(annotation);

	if (r == 0)
		r = weigh_locations(annotation);
	if (r == 0)
		r = find_wanted(annotation);
	if (r == 0)
		r = add_routines(annotation);
	if (r == 0 && !annotation->routines.count && call_tree_total(report->tree) > 0)
		return report_refuse(annotation->report, "none of its samples has an address");
	return r;
}
