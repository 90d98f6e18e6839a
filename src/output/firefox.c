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

#include <string.h>

#include "output/firefox_parts.h"

enum {
	VERSION = 60,	    /* of the processed format */
	GECKO_VERSION = 31, /* what that was made of at the time */
};

static void firefox_fini_cleanup(struct firefox *firefox)
{
	firefox_fini(firefox);
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
	for (size_t i = 0; i < ARRAY_SIZE(firefox_categories); i++) {
		json_object(json, NULL);
		json_string(json, "name", firefox_categories[i].name);
		json_string(json, "color", firefox_categories[i].color);
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

static int firefox_write(const struct profile *profile, struct stream *stream)
{
	cleanup(firefox_fini) struct firefox firefox = {};
	struct viewed_page *page = &firefox.page;
	int r = firefox_prepare(&firefox, profile);

	if (r < 0)
		return r;
	viewed_page_init(page, stream);
	json_object(&page->json, NULL);
	add_meta(&firefox);
	add_libraries(&firefox);
	firefox_add_shared(&firefox);
	json_array(&page->json, "threads");
	for (uint32_t i = 0; i < firefox.viewed.threads.count; i++)
		if (firefox.viewed.threads.at[i].weight || !i)
			firefox_add_thread(&firefox, i);
	json_end(&page->json);
	json_end(&page->json);
	return viewed_page_finish(page);
}

const struct writer writer_firefox = {
	.name = "firefox",
	.aliases = { NULL },
	.extensions = { ".firefox.json" },
	.description = "for the Firefox Profiler, with threads and firefox_categories",
	.write = firefox_write,
};
