// SPDX-License-Identifier: Apache-2.0
/* The tables that all threads share. */
#include "output/firefox_parts.h"

#include <string.h>

#include "output/escape.h"

/* What a number of JSON holds exactly; addresses above, of the kernel, are not told. */
#define ADDRESS_MAX (1ULL << 53)

enum { RESOURCE_LIBRARY = 1 };

const struct firefox_category firefox_categories[FIREFOX_CATEGORIES] = {
	/* The first one is what readers take where there is none: it must be grey. */
	{ "Other", "grey", LOCATION_NOTE },
	{ "Program", "yellow", LOCATION_USER },
	{ "Library", "blue", LOCATION_LIBRARY },
	{ "Kernel", "orange", LOCATION_KERNEL },
	{ "Generated code", "green", LOCATION_JIT },
	{ "Interpreted", "lightblue", LOCATION_INTERPRETED },
};

void firefox_row(struct viewed_page *page, uint32_t row)
{
	if (row == FIREFOX_NONE)
		json_string(&page->json, NULL, NULL);
	else
		json_u64(&page->json, NULL, row);
	viewed_page_flush(page);
}

void firefox_constant(struct viewed_page *page, const char *key, uint32_t count, const char *value)
{
	json_array(&page->json, key);
	for (uint32_t i = 0; i < count; i++) {
		bytes_add_str(&page->bytes, i ? "," : "");
		bytes_add_str(&page->bytes, value);
		viewed_page_flush(page);
	}
	json_end(&page->json);
}

void firefox_end_table(struct viewed_page *page, uint32_t count)
{
	json_u64(&page->json, "length", count);
	json_end(&page->json);
}

/* The row of a string. */
static uint32_t firefox_string(struct firefox *firefox, const char *text)
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

static void add_stacks(struct firefox *firefox)
{
	struct viewed_page *page = &firefox->page;
	uint32_t count = firefox->stacks.count;

	json_object(&page->json, "stackTable");
	json_array(&page->json, "frame");
	for (uint32_t i = 0; i < count; i++)
		firefox_row(page, firefox->stacks.at[i].frame);
	json_end(&page->json);
	json_array(&page->json, "prefix");
	for (uint32_t i = 0; i < count; i++)
		firefox_row(page, firefox->stacks.at[i].prefix);
	json_end(&page->json);
	firefox_end_table(page, count);
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

	for (uint32_t i = 0; i < ARRAY_SIZE(firefox_categories); i++)
		if (firefox_categories[i].kind == kind)
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

	return number ? number : FIREFOX_NONE;
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
			firefox_row(page, columns[k].value(firefox, i));
		json_end(&page->json);
	}
	firefox_constant(page, "subcategory", count, "0");
	firefox_constant(page, "innerWindowID", count, "null");
	firefox_constant(page, "column", count, "null");
	firefox_end_table(page, count);
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
		firefox_row(page,
			    firefox_string(firefox, viewed_name(viewed, &viewed->frames.at[i])));
	json_end(&page->json);
	json_array(&page->json, "resource");
	for (uint32_t i = 0; i < count; i++) {
		uint32_t library = firefox->library_of[viewed->frames.at[i].module];

		json_i64(&page->json, NULL, library == FIREFOX_NONE ? -1 : (int64_t)library);
		viewed_page_flush(page);
	}
	json_end(&page->json);
	json_array(&page->json, "source");
	for (uint32_t i = 0; i < count; i++)
		firefox_row(page,
			    firefox->source_of[functions[viewed->frames.at[i].function].file]);
	json_end(&page->json);
	json_array(&page->json, "lineNumber");
	for (uint32_t i = 0; i < count; i++) {
		uint32_t line = functions[viewed->frames.at[i].function].start_line;

		firefox_row(page, line ? line : FIREFOX_NONE);
	}
	json_end(&page->json);
	firefox_constant(page, "isJS", count, "false");
	firefox_constant(page, "relevantForJS", count, "false");
	firefox_constant(page, "columnNumber", count, "null");
	firefox_end_table(page, count);
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
		firefox_row(page, i);
	json_end(&page->json);
	json_array(&page->json, "name");
	for (uint32_t i = 0; i < count; i++) {
		uint32_t file = profile->mappings.at[firefox->libraries.at[i]].file;
		const char *path = profile_text(profile, file), *slash = strrchr(path, '/');

		firefox_row(page, firefox_string(firefox, slash && slash[1] ? slash + 1 : path));
	}
	json_end(&page->json);
	firefox_constant(page, "host", count, "null");
	json_array(&page->json, "type");
	for (uint32_t i = 0; i < count; i++)
		firefox_row(page, RESOURCE_LIBRARY);
	json_end(&page->json);
	firefox_end_table(page, count);
}

static void add_symbols(struct firefox *firefox)
{
	struct viewed_page *page = &firefox->page;
	const struct viewed *viewed = &firefox->viewed;
	enum { LIBRARY, ADDRESS, NAME, COLUMNS };
	static const char *const keys[] = { "libIndex", "address", "name" };

	/* Rows were numbered by location, not by frame. */
	cleanup(free) uint32_t *order = firefox_rows(firefox->native_count);

	if (!order) {
		page->bytes.failed = true;
		return;
	}
	for (uint32_t i = 0; i < viewed->frames.count; i++)
		if (firefox->symbols[i].native != FIREFOX_NONE)
			order[firefox->symbols[i].native] = i;
	json_object(&page->json, "nativeSymbols");
	for (unsigned column = 0; column < COLUMNS; column++) {
		json_array(&page->json, keys[column]);
		for (uint32_t i = 0; i < firefox->native_count; i++) {
			const struct viewed_frame *frame = &viewed->frames.at[order[i]];
			uint64_t address = firefox->symbols[order[i]].address;

			if (column == LIBRARY)
				firefox_row(page, firefox->library_of[frame->module]);
			else if (column == NAME)
				firefox_row(page,
					    firefox_string(firefox, viewed_name(viewed, frame)));
			else
				json_u64(&page->json, NULL, address < ADDRESS_MAX ? address : 0);
		}
		json_end(&page->json);
	}
	firefox_constant(page, "functionSize", firefox->native_count, "null");
	firefox_end_table(page, firefox->native_count);
}

static void add_sources(struct firefox *firefox)
{
	struct viewed_page *page = &firefox->page;
	uint32_t count = firefox->sources.count;

	json_object(&page->json, "sources");
	firefox_constant(page, "uuid", count, "null");
	json_array(&page->json, "filename");
	for (uint32_t i = 0; i < count; i++)
		firefox_row(page, firefox_string(firefox, profile_text(firefox->viewed.profile,
								       firefox->sources.at[i])));
	json_end(&page->json);
	firefox_end_table(page, count);
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

void firefox_add_shared(struct firefox *firefox)
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
