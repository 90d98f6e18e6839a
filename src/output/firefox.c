// SPDX-License-Identifier: Apache-2.0
/*
 * The processed format of the Firefox Profiler, version 60: src/types/profile.ts and
 * docs-developer/CHANGELOG-formats.md of firefox-devtools/profiler. It is the first one whose tables
 * of stacks, frames and functions are those of all threads; later sites read it, too.
 *
 * Tables are columns, and what they name are rows of others. Every line of a location is a frame, so
 * that addresses, lines and inlined functions stay; kinds of code are categories, mapped files are
 * libraries. One sample is one stack of a thread with all that it used. A profile knows how much,
 * not when: the samples of a thread stand one behind the other, each as long as what it used, so
 * that its track is as wide as its share.
 */
#include "output/formats.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output/escape.h"
#include "output/viewed.h"

#define NONE UINT32_MAX
/* What a number of JSON holds exactly; addresses above, of the kernel, are not told. */
#define ADDRESS_MAX (1ULL << 53)

enum {
	VERSION = 60,	    /* of the processed format */
	GECKO_VERSION = 31, /* what that was made of at the time */
	RESOURCE_LIBRARY = 1,
};

static const struct {
	const char *name, *color;
	enum location_kind kind;
} categories[] = {
	/* The first one is what readers take where there is none: it must be grey. */
	{ "Other", "grey", LOCATION_NOTE },
	{ "Program", "yellow", LOCATION_USER },
	{ "Library", "blue", LOCATION_LIBRARY },
	{ "Kernel", "orange", LOCATION_KERNEL },
	{ "Generated code", "green", LOCATION_JIT },
	{ "Interpreted", "lightblue", LOCATION_INTERPRETED },
};

/* A function as the file has it: in one module. */
struct symbol {
	uint32_t frame;	  /* of viewed: name, source and module */
	uint64_t address; /* the lowest one that was seen */
	uint32_t native;  /* row in the table of symbols, NONE */
};

struct stack {
	uint32_t frame, prefix; /* line of the profile; row, NONE */
};

struct firefox {
	struct viewed viewed; /* its frames are the functions */
	struct viewed_page page;
	struct strtab strings; /* clean */
	ARRAY_OF(struct stack) stacks;
	uint32_t *stack_of;	/* by stack of the profile: row of its leaf, NONE */
	struct symbol *symbols; /* by frame of viewed */
	uint32_t native_count;
	uint32_t *location_of;	      /* by line of the profile */
	uint32_t *library_of;	      /* by string: row, NONE */
	ARRAY_OF(uint32_t) libraries; /* mapping, the first one of a path */
	uint32_t *source_of;	      /* by string: row, NONE */
	ARRAY_OF(uint32_t) sources;   /* string */
	struct hash_index index;
};

static void firefox_fini_cleanup(struct firefox *firefox)
{
	viewed_fini(&firefox->viewed);
	strtab_fini(&firefox->strings);
	array_fini(&firefox->stacks);
	array_fini(&firefox->libraries);
	array_fini(&firefox->sources);
	free(firefox->stack_of);
	free(firefox->symbols);
	free(firefox->location_of);
	free(firefox->library_of);
	free(firefox->source_of);
	hash_index_fini(&firefox->index);
}

static uint32_t *rows_of(uint32_t count)
{
	uint32_t *rows = malloc((count + 1ULL) * sizeof(*rows));

	if (rows)
		memset(rows, 0xff, (count + 1ULL) * sizeof(*rows));
	return rows;
}

static int find_libraries(struct firefox *firefox)
{
	const struct profile *profile = firefox->viewed.profile;

	for (uint32_t i = 0; i < profile->mappings.count; i++) {
		uint32_t file = profile->mappings.at[i].file, *library;

		if (!file || firefox->library_of[file] != NONE)
			continue;
		firefox->library_of[file] = firefox->libraries.count;
		library = array_push(&firefox->libraries);
		if (!library)
			return -ENOMEM;
		*library = i;
	}
	return 0;
}

static int find_sources(struct firefox *firefox)
{
	const struct viewed *viewed = &firefox->viewed;

	for (uint32_t i = 0; i < viewed->frames.count; i++) {
		uint32_t file = viewed->profile->functions.at[viewed->frames.at[i].function].file;
		uint32_t *source;

		if (!file || firefox->source_of[file] != NONE)
			continue;
		firefox->source_of[file] = firefox->sources.count;
		source = array_push(&firefox->sources);
		if (!source)
			return -ENOMEM;
		*source = file;
	}
	return 0;
}

/* Symbols are the functions that others were inlined into, or nothing was. */
static void find_symbols(struct firefox *firefox)
{
	const struct profile *profile = firefox->viewed.profile;

	for (uint32_t i = 0; i < firefox->viewed.frames.count; i++)
		firefox->symbols[i] = (struct symbol){ i, UINT64_MAX, NONE };
	for (uint32_t i = 0; i < profile->locations.count; i++) {
		const struct profile_location *location = &profile->locations.at[i];
		uint32_t last = location->first_line + location->line_count - 1;
		struct symbol *symbol;

		for (uint32_t k = 0; k < location->line_count; k++)
			firefox->location_of[location->first_line + k] = i;
		if (!location->line_count)
			continue;
		symbol = &firefox->symbols[firefox->viewed.frame_of_line[last]];
		if (location->address < symbol->address)
			symbol->address = location->address;
		if (profile->mappings.at[location->mapping].file && symbol->native == NONE)
			symbol->native = firefox->native_count++;
	}
}

static int add_stack(struct firefox *firefox, uint32_t index)
{
	const struct profile *profile = firefox->viewed.profile;
	struct profile_run run = profile->stacks.at[index];
	uint32_t prefix = NONE;

	for (uint32_t i = run.count; i-- > 0;) {
		uint32_t id = profile->stack_locations.at[run.first + i];
		const struct profile_location *location = &profile->locations.at[id];

		for (uint32_t k = location->line_count; k-- > 0;) {
			uint32_t frame = location->first_line + k;
			/* Different pairs have different hashes. */
			uint64_t hash = hash_u64((uint64_t)prefix << 32 | frame);
			uint32_t row = hash_index_find(&firefox->index, hash, NULL, NULL, NULL);

			if (row == HASH_ABSENT) {
				struct stack *stack = array_push(&firefox->stacks);

				row = firefox->stacks.count - 1;
				if (!stack || hash_index_add(&firefox->index, hash, row) < 0)
					return -ENOMEM;
				*stack = (struct stack){ frame, prefix };
			}
			prefix = row;
		}
	}
	firefox->stack_of[index] = prefix;
	return 0;
}

static int prepare(struct firefox *firefox, const struct profile *profile)
{
	int r = viewed_init(&firefox->viewed, profile, false);

	if (r == 0)
		r = strtab_init(&firefox->strings);
	if (r < 0)
		return r;
	firefox->stack_of = rows_of(profile->stacks.count);
	firefox->library_of = rows_of(profile->strings.offsets.count);
	firefox->source_of = rows_of(profile->strings.offsets.count);
	firefox->location_of = rows_of(profile->lines.count);
	firefox->symbols = calloc(firefox->viewed.frames.count + 1ULL, sizeof(struct symbol));
	if (!firefox->stack_of || !firefox->library_of || !firefox->source_of ||
	    !firefox->location_of || !firefox->symbols)
		return -ENOMEM;
	find_symbols(firefox);
	r = find_libraries(firefox);
	if (r == 0)
		r = find_sources(firefox);
	for (uint32_t i = 0; r == 0 && i < profile->stacks.count; i++)
		r = add_stack(firefox, i);
	return r;
}

/* ---- parts of the file ---- */

/* The row of a string. */
static uint32_t string_of(struct firefox *firefox, const char *text)
{
	struct bytes *scratch = &firefox->page.scratch;
	uint32_t row = 0;

	scratch->size = 0;
	escape_clean(scratch, text);
	text = bytes_str(scratch);
	if (!text || strtab_add_str(&firefox->strings, &row, text) < 0)
		firefox->page.bytes.failed = true;
	return row;
}

static void add_row(struct viewed_page *page, uint32_t row)
{
	if (row == NONE)
		json_string(&page->json, NULL, NULL);
	else
		json_u64(&page->json, NULL, row);
	viewed_page_flush(page);
}

/* A column that says the same in every row; value: JSON. */
static void add_constant(struct viewed_page *page, const char *key, uint32_t count,
			 const char *value)
{
	json_array(&page->json, key);
	for (uint32_t i = 0; i < count; i++) {
		bytes_add_str(&page->bytes, i ? "," : "");
		bytes_add_str(&page->bytes, value);
		viewed_page_flush(page);
	}
	json_end(&page->json);
}

static void end_table(struct viewed_page *page, uint32_t count)
{
	json_u64(&page->json, "length", count);
	json_end(&page->json);
}

/* Milliseconds. */
static double interval_of(const struct profile *profile)
{
	const struct profile_meta *meta = &profile->meta;

	if (meta->period_type < profile->types.count && meta->period > 0) {
		uint32_t unit = profile->types.at[meta->period_type].unit;
		double nanoseconds = viewed_nanoseconds(profile_text(profile, unit));

		if (nanoseconds > 0)
			return (double)meta->period * nanoseconds / 1e6;
	}
	return 1;
}

static void add_meta(struct firefox *firefox)
{
	struct viewed_page *page = &firefox->page;
	const struct profile *profile = firefox->viewed.profile;
	const struct profile_meta *meta = &profile->meta;
	struct json *json = &page->json;

	json_object(json, "meta");
	json_double(json, "interval", interval_of(profile));
	json_double(json, "startTime", (double)(meta->time_ns / 1000000));
	json_u64(json, "processType", 0);
	viewed_page_text(page, "product", meta->title && *meta->title ? meta->title : "profd");
	json_u64(json, "stackwalk", 1);
	json_u64(json, "version", GECKO_VERSION);
	json_u64(json, "preprocessedProfileVersion", VERSION);
	json_array(json, "categories");
	for (size_t i = 0; i < ARRAY_SIZE(categories); i++) {
		json_object(json, NULL);
		json_string(json, "name", categories[i].name);
		json_string(json, "color", categories[i].color);
		json_array(json, "subcategories");
		json_string(json, NULL, "Other");
		json_end(json);
		json_end(json);
	}
	json_end(json);
	json_array(json, "markerSchema");
	json_end(json);
	json_bool(json, "symbolicated", true);
	json_bool(json, "usesOnlyOneStackType", true);
	json_bool(json, "sourceCodeIsNotOnSearchfox", true);
	json_bool(json, "keepProfileThreadOrder", true);
	json_string(json, "importedFrom", "profd " PROFD_VERSION);
	if (meta->subtitle && *meta->subtitle)
		viewed_page_text(page, "arguments", meta->subtitle);
	if (meta->quality && *meta->quality)
		viewed_page_text(page, "misc", meta->quality);
	json_end(json);
}

/*
 * A build ID as Breakpad tells it: its first 16 bytes as a GUID, whose first three numbers are those of
 * a little-endian machine, and an age of 0.
 */
static void breakpad_id(char ret[34], const char *build_id)
{
	static const unsigned char from[] = {
		3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15
	};
	size_t size = strspn(build_id, "0123456789abcdefABCDEF") / 2;

	if (!size) {
		ret[0] = '\0';
		return;
	}
	for (size_t i = 0; i < sizeof(from); i++)
		for (size_t k = 0; k < 2; k++) {
			char c = from[i] < size ? build_id[2 * from[i] + k] : '0';

			ret[2 * i + k] = c >= 'a' ? (char)(c - 'a' + 'A') : c;
		}
	memcpy(ret + 32, "0", 2);
}

static void add_libraries(struct firefox *firefox)
{
	struct viewed_page *page = &firefox->page;
	const struct profile *profile = firefox->viewed.profile;

	json_array(&page->json, "libs");
	for (uint32_t i = 0; i < firefox->libraries.count; i++) {
		const struct profile_mapping *mapping =
			&profile->mappings.at[firefox->libraries.at[i]];
		const char *path = profile_text(profile, mapping->file);
		const char *slash = strrchr(path, '/');
		const char *name = slash && slash[1] ? slash + 1 : path;
		const char *build_id = profile_text(profile, mapping->build_id);
		char id[34];

		breakpad_id(id, build_id);
		json_object(&page->json, NULL);
		json_string(&page->json, "arch", "");
		viewed_page_text(page, "name", name);
		viewed_page_text(page, "path", path);
		viewed_page_text(page, "debugName", name);
		viewed_page_text(page, "debugPath", path);
		json_string(&page->json, "breakpadId", id);
		if (*build_id)
			viewed_page_text(page, "codeId", build_id);
		else
			json_string(&page->json, "codeId", NULL);
		json_end(&page->json);
	}
	json_end(&page->json);
}

static void add_stacks(struct firefox *firefox)
{
	struct viewed_page *page = &firefox->page;
	uint32_t count = firefox->stacks.count;

	json_object(&page->json, "stackTable");
	json_array(&page->json, "frame");
	for (uint32_t i = 0; i < count; i++)
		add_row(page, firefox->stacks.at[i].frame);
	json_end(&page->json);
	json_array(&page->json, "prefix");
	for (uint32_t i = 0; i < count; i++)
		add_row(page, firefox->stacks.at[i].prefix);
	json_end(&page->json);
	end_table(page, count);
}

static const struct profile_location *location_of(const struct firefox *firefox, uint32_t line)
{
	return &firefox->viewed.profile->locations.at[firefox->location_of[line]];
}

static uint32_t frame_function(const struct firefox *firefox, uint32_t line)
{
	return firefox->viewed.frame_of_line[line];
}

static uint32_t frame_category(const struct firefox *firefox, uint32_t line)
{
	enum location_kind kind = location_of(firefox, line)->kind;

	for (uint32_t i = 0; i < ARRAY_SIZE(categories); i++)
		if (categories[i].kind == kind)
			return i;
	return 0;
}

/* How many calls were inlined on the way from the function of the symbol to this one. */
static uint32_t frame_depth(const struct firefox *firefox, uint32_t line)
{
	const struct profile_location *location = location_of(firefox, line);

	return location->first_line + location->line_count - 1 - line;
}

static uint32_t frame_symbol(const struct firefox *firefox, uint32_t line)
{
	const struct profile_location *location = location_of(firefox, line);
	uint32_t last = location->first_line + location->line_count - 1;

	return firefox->symbols[firefox->viewed.frame_of_line[last]].native;
}

static uint32_t frame_line(const struct firefox *firefox, uint32_t line)
{
	uint32_t number = firefox->viewed.profile->lines.at[line].line;

	return number ? number : NONE;
}

static void add_frames(struct firefox *firefox)
{
	static const struct {
		const char *key;
		uint32_t (*value)(const struct firefox *firefox, uint32_t line);
	} columns[] = {
		{ "inlineDepth", frame_depth }, { "category", frame_category },
		{ "func", frame_function },	{ "nativeSymbol", frame_symbol },
		{ "line", frame_line },
	};
	struct viewed_page *page = &firefox->page;
	uint32_t count = firefox->viewed.profile->lines.count;

	json_object(&page->json, "frameTable");
	json_array(&page->json, "address");
	for (uint32_t i = 0; i < count; i++) {
		uint64_t address = location_of(firefox, i)->address;

		json_i64(&page->json, NULL,
			 address && address < ADDRESS_MAX ? (int64_t)address : -1);
		viewed_page_flush(page);
	}
	json_end(&page->json);
	for (size_t k = 0; k < ARRAY_SIZE(columns); k++) {
		json_array(&page->json, columns[k].key);
		for (uint32_t i = 0; i < count; i++)
			add_row(page, columns[k].value(firefox, i));
		json_end(&page->json);
	}
	add_constant(page, "subcategory", count, "0");
	add_constant(page, "innerWindowID", count, "null");
	add_constant(page, "column", count, "null");
	end_table(page, count);
}

static void add_functions(struct firefox *firefox)
{
	struct viewed_page *page = &firefox->page;
	const struct viewed *viewed = &firefox->viewed;
	const struct profile_function *functions = viewed->profile->functions.at;
	uint32_t count = viewed->frames.count;

	json_object(&page->json, "funcTable");
	json_array(&page->json, "name");
	for (uint32_t i = 0; i < count; i++)
		add_row(page, string_of(firefox, viewed_name(viewed, &viewed->frames.at[i])));
	json_end(&page->json);
	json_array(&page->json, "resource");
	for (uint32_t i = 0; i < count; i++) {
		uint32_t library = firefox->library_of[viewed->frames.at[i].module];

		json_i64(&page->json, NULL, library == NONE ? -1 : (int64_t)library);
		viewed_page_flush(page);
	}
	json_end(&page->json);
	json_array(&page->json, "source");
	for (uint32_t i = 0; i < count; i++)
		add_row(page, firefox->source_of[functions[viewed->frames.at[i].function].file]);
	json_end(&page->json);
	json_array(&page->json, "lineNumber");
	for (uint32_t i = 0; i < count; i++) {
		uint32_t line = functions[viewed->frames.at[i].function].start_line;

		add_row(page, line ? line : NONE);
	}
	json_end(&page->json);
	add_constant(page, "isJS", count, "false");
	add_constant(page, "relevantForJS", count, "false");
	add_constant(page, "columnNumber", count, "null");
	end_table(page, count);
}

/* Resources are the libraries. */
static void add_resources(struct firefox *firefox)
{
	struct viewed_page *page = &firefox->page;
	const struct profile *profile = firefox->viewed.profile;
	uint32_t count = firefox->libraries.count;

	json_object(&page->json, "resourceTable");
	json_array(&page->json, "lib");
	for (uint32_t i = 0; i < count; i++)
		add_row(page, i);
	json_end(&page->json);
	json_array(&page->json, "name");
	for (uint32_t i = 0; i < count; i++) {
		uint32_t file = profile->mappings.at[firefox->libraries.at[i]].file;
		const char *path = profile_text(profile, file), *slash = strrchr(path, '/');

		add_row(page, string_of(firefox, slash && slash[1] ? slash + 1 : path));
	}
	json_end(&page->json);
	add_constant(page, "host", count, "null");
	json_array(&page->json, "type");
	for (uint32_t i = 0; i < count; i++)
		add_row(page, RESOURCE_LIBRARY);
	json_end(&page->json);
	end_table(page, count);
}

static void add_symbols(struct firefox *firefox)
{
	struct viewed_page *page = &firefox->page;
	const struct viewed *viewed = &firefox->viewed;
	enum { LIBRARY, ADDRESS, NAME, COLUMNS };
	static const char *const keys[] = { "libIndex", "address", "name" };

	/* Rows were numbered by location, not by frame. */
	cleanup(free) uint32_t *order = rows_of(firefox->native_count);

	if (!order) {
		page->bytes.failed = true;
		return;
	}
	for (uint32_t i = 0; i < viewed->frames.count; i++)
		if (firefox->symbols[i].native != NONE)
			order[firefox->symbols[i].native] = i;
	json_object(&page->json, "nativeSymbols");
	for (unsigned column = 0; column < COLUMNS; column++) {
		json_array(&page->json, keys[column]);
		for (uint32_t i = 0; i < firefox->native_count; i++) {
			const struct viewed_frame *frame = &viewed->frames.at[order[i]];
			uint64_t address = firefox->symbols[order[i]].address;

			if (column == LIBRARY)
				add_row(page, firefox->library_of[frame->module]);
			else if (column == NAME)
				add_row(page, string_of(firefox, viewed_name(viewed, frame)));
			else
				json_u64(&page->json, NULL, address < ADDRESS_MAX ? address : 0);
		}
		json_end(&page->json);
	}
	add_constant(page, "functionSize", firefox->native_count, "null");
	end_table(page, firefox->native_count);
}

static void add_sources(struct firefox *firefox)
{
	struct viewed_page *page = &firefox->page;
	uint32_t count = firefox->sources.count;

	json_object(&page->json, "sources");
	add_constant(page, "uuid", count, "null");
	json_array(&page->json, "filename");
	for (uint32_t i = 0; i < count; i++)
		add_row(page, string_of(firefox, profile_text(firefox->viewed.profile,
							      firefox->sources.at[i])));
	json_end(&page->json);
	end_table(page, count);
}

/* The last one: others have added to it. */
static void add_strings(struct firefox *firefox)
{
	struct viewed_page *page = &firefox->page;

	json_array(&page->json, "stringArray");
	for (uint32_t i = 0; i < firefox->strings.offsets.count; i++) {
		json_string(&page->json, NULL, strtab_get(&firefox->strings, i));
		viewed_page_flush(page);
	}
	json_end(&page->json);
}

static void add_shared(struct firefox *firefox)
{
	json_object(&firefox->page.json, "shared");
	add_stacks(firefox);
	add_frames(firefox);
	add_functions(firefox);
	add_resources(firefox);
	add_symbols(firefox);
	add_sources(firefox);
	add_strings(firefox);
	json_end(&firefox->page.json);
}

/* How values are told. */
struct weights {
	const char *type;
	double milliseconds; /* of one; 0: it is no time */
};

static struct weights weights_of(const struct profile *profile)
{
	const char *unit = profile_text(profile, profile->types.at[profile->meta.main_type].unit);
	double nanoseconds = viewed_nanoseconds(unit);

	if (nanoseconds > 0)
		return (struct weights){ "tracing-ms", nanoseconds / 1e6 };
	return (struct weights){ strcmp(unit, "bytes") == 0 ? "bytes" : "samples", 0 };
}

static int64_t value_of(const struct firefox *firefox, const struct viewed_thread *thread,
			uint32_t index)
{
	const struct viewed *viewed = &firefox->viewed;
	int64_t value =
		profile_value(viewed->profile, viewed->samples[thread->samples.first + index],
			      viewed->profile->meta.main_type);

	return value > 0 ? value : 0;
}

static void add_samples(struct firefox *firefox, const struct viewed_thread *thread)
{
	const struct viewed *viewed = &firefox->viewed;
	struct weights weights = weights_of(viewed->profile);
	struct viewed_page *page = &firefox->page;
	struct json *json = &page->json;
	uint32_t count = 0;
	int64_t sum = 0;

	json_object(json, "samples");
	json_array(json, "stack");
	for (uint32_t i = 0; i < thread->samples.count; i++) {
		uint32_t sample = viewed->samples[thread->samples.first + i];

		if (!value_of(firefox, thread, i))
			continue;
		add_row(page, firefox->stack_of[viewed->profile->samples.at[sample].stack]);
		count++;
	}
	json_end(json);
	json_array(json, "time");
	for (uint32_t i = 0, k = 0; i < thread->samples.count; i++) {
		int64_t value = value_of(firefox, thread, i);

		if (!value)
			continue;
		if (weights.milliseconds > 0)
			json_double(json, NULL,
				    round((double)sum * weights.milliseconds * 1e3) / 1e3);
		else
			json_u64(json, NULL, k);
		sum = profile_sum(sum, value);
		k++;
		viewed_page_flush(page);
	}
	json_end(json);
	json_array(json, "weight");
	for (uint32_t i = 0; i < thread->samples.count; i++) {
		int64_t value = value_of(firefox, thread, i);

		if (!value)
			continue;
		if (weights.milliseconds > 0)
			json_double(json, NULL, (double)value * weights.milliseconds);
		else
			json_i64(json, NULL, value);
		viewed_page_flush(page);
	}
	json_end(json);
	json_string(json, "weightType", weights.type);
	end_table(page, count);
}

static void add_markers(struct viewed_page *page)
{
	static const char *const columns[] = { "data",	  "name",  "startTime",
					       "endTime", "phase", "category" };

	json_object(&page->json, "markers");
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		add_constant(page, columns[i], 0, "");
	end_table(page, 0);
}

static void add_thread(struct firefox *firefox, uint32_t index)
{
	const struct viewed_thread *thread = &firefox->viewed.threads.at[index];
	const struct profile *profile = firefox->viewed.profile;
	const char *comm = profile_text(profile, thread->comm);
	const char *name = profile_text(profile, thread->thread_name);
	const char *title =
		profile->meta.title && *profile->meta.title ? profile->meta.title : "profd";
	struct viewed_page *page = &firefox->page;
	struct json *json = &page->json;
	char pid[24], tid[24];

	if (!*name)
		name = *comm ? comm : title;
	snprintf(pid, sizeof(pid), "%" PRId64, thread->pid);
	snprintf(tid, sizeof(tid), "thread-%" PRIu32, index); /* another one for each */
	json_object(json, NULL);
	json_string(json, "processType", "default");
	json_u64(json, "processStartupTime", 0);
	json_string(json, "processShutdownTime", NULL);
	json_u64(json, "registerTime", 0);
	json_string(json, "unregisterTime", NULL);
	json_array(json, "pausedRanges");
	json_end(json);
	viewed_page_text(page, "name", name);
	json_bool(json, "isMainThread", !thread->tid || thread->tid == thread->pid);
	viewed_page_text(page, "processName", *comm ? comm : title);
	json_string(json, "pid", pid);
	if (thread->tid)
		json_i64(json, "tid", thread->tid);
	else
		json_string(json, "tid", tid);
	add_samples(firefox, thread);
	add_markers(page);
	json_end(json);
}

static int firefox_write(const struct profile *profile, struct stream *stream)
{
	cleanup(firefox_fini) struct firefox firefox = {};
	struct viewed_page *page = &firefox.page;
	int r = prepare(&firefox, profile);

	if (r < 0)
		return r;
	viewed_page_init(page, stream);
	json_object(&page->json, NULL);
	add_meta(&firefox);
	add_libraries(&firefox);
	add_shared(&firefox);
	json_array(&page->json, "threads");
	for (uint32_t i = 0; i < firefox.viewed.threads.count; i++)
		if (firefox.viewed.threads.at[i].weight || !i)
			add_thread(&firefox, i);
	json_end(&page->json);
	json_end(&page->json);
	return viewed_page_finish(page);
}

const struct writer writer_firefox = {
	.name = "firefox",
	.aliases = { NULL },
	.extensions = { ".firefox.json" },
	.description = "for the Firefox Profiler, with threads and categories",
	.write = firefox_write,
};
