/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles from short texts, for tests. Allocation failures end the test. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

#include "profile/profile.h"

enum { BUILDER_PERIOD = 10000000 };

static inline uint32_t build_string(struct profile *profile, const char *text)
{
	uint32_t id;

	assert_ok(profile_string(profile, &id, text));
	return id;
}

/* samples/count and cpu/nanoseconds at 100 Hz, without meta texts. */
static inline struct profile *build_profile(void)
{
	struct profile *profile;
	uint32_t id;

	assert_ok(profile_new(&profile));
	assert_ok(profile_type_add(profile, &id, "samples", "count"));
	assert_ok(profile_type_add(profile, &id, "cpu", "nanoseconds"));
	profile->meta.count_type = 0;
	profile->meta.main_type = profile->meta.period_type = 1;
	profile->meta.period = BUILDER_PERIOD;
	profile->meta.time_ns = 1800000000000000000;
	profile->meta.duration_ns = 30000000000;
	return profile;
}

static inline uint32_t build_mapping(struct profile *profile, const char *file, uint64_t start)
{
	struct profile_mapping mapping = {
		.start = start,
		.limit = start + 0x100000,
		.file = build_string(profile, file),
		.build_id = build_string(profile, *file == '/' ? "b1d" : ""),
	};
	uint32_t id;

	assert_ok(profile_mapping_add(profile, &id, &mapping));
	return id;
}

static inline uint32_t build_function(struct profile *profile, const char *name)
{
	struct profile_function function = { .name = build_string(profile, name) };
	uint32_t id;

	function.system_name = function.name;
	assert_ok(profile_function_add(profile, &id, &function));
	return id;
}

/*
 * "u:name": u program, l library, k kernel, j JIT, i interpreted, n note, U program without a name.
 * "u:outer~inner" is a location of outer with inner inlined into it.
 */
static inline uint32_t build_location(struct profile *profile, const char *spec)
{
	static const struct {
		char letter;
		enum location_kind kind;
		const char *file;
		uint64_t start;
	} kinds[] = {
		{ 'u', LOCATION_USER, "/usr/bin/prog", 0x400000 },
		{ 'U', LOCATION_USER, "/usr/bin/prog", 0x400000 },
		{ 'l', LOCATION_LIBRARY, "/usr/lib/libc.so.6", 0x10000 },
		{ 'k', LOCATION_KERNEL, "[kernel.kallsyms]", 0xffffffff81000000 },
		{ 'j', LOCATION_JIT, "[jit]", 0x7f0000000000 },
		{ 'i', LOCATION_INTERPRETED, "[python]", 0x7e0000000000 },
		{ 'n', LOCATION_NOTE, "[unknown]", 0 },
	};
	struct profile_line lines[2] = {};
	uint32_t id, count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const char *inner = strchr(spec + 2, '~');
		char outer[256];
		uint64_t address;

		if (kinds[i].letter != spec[0])
			continue;
		snprintf(outer, sizeof(outer), "%.*s",
			 (int)(inner ? inner - spec - 2 : (long)strlen(spec + 2)), spec + 2);
		address = kinds[i].start + hash_bytes(spec, strlen(spec)) % 0x100000;
		if (spec[0] == 'U')
			address = strtoull(outer, NULL, 16);
		assert_ok(profile_location_add(profile, &id,
					       build_mapping(profile, kinds[i].file, kinds[i].start),
					       address, kinds[i].kind));
		if (inner)
			lines[count++].function = build_function(profile, inner + 1);
		if (spec[0] != 'U') {
			lines[count++].function = build_function(profile, outer);
			assert_ok(profile_location_name(profile, id, lines, count, true));
		}
		return id;
	}
	fail_msg("no such kind: %s", spec);
	return 0;
}

/* The stack "root|...|leaf" of locations, `count` times, in a process (and thread, if given). */
static inline void build_sample(struct profile *profile, const char *comm, const char *thread,
				int64_t tid, const char *frames, int64_t count)
{
	struct profile_label labels[3] = {};
	uint32_t locations[64], depth = 0, leaf_first[64], stack, set, label_count = 0;
	int64_t values[2] = { count, count * BUILDER_PERIOD };
	char *copy = strdup(frames), *save = NULL;

	assert_non_null(copy);
	for (char *at = strtok_r(copy, "|", &save); at; at = strtok_r(NULL, "|", &save))
		locations[depth++] = build_location(profile, at);
	free(copy);
	for (uint32_t i = 0; i < depth; i++)
		leaf_first[i] = locations[depth - 1 - i];
	assert_ok(profile_stack_add(profile, &stack, leaf_first, depth));
	if (comm)
		labels[label_count++] = (struct profile_label){
			.key = build_string(profile, "comm"), .text = build_string(profile, comm)
		};
	if (thread)
		labels[label_count++] = (struct profile_label){
			.key = build_string(profile, "thread_name"),
			.text = build_string(profile, thread)
		};
	if (tid)
		labels[label_count++] = (struct profile_label){
			.key = build_string(profile, "tid"), .number = tid, .is_number = true
		};
	assert_ok(profile_labels_add(profile, &set, labels, label_count));
	assert_ok(profile_sample_add(profile, stack, set, values));
}
