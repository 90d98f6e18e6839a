// SPDX-License-Identifier: Apache-2.0
/*
 * Writes the flame graph of a made-up profile, for flamegraph.js to measure.
 * usage: many_stacks STACKS OUT.svg
 *
 * It looks as a large C++ server does: a hundred modules, twenty thousand functions with names of 20
 * to 150 characters, each of which calls a few others; a stack is a walk through that graph, 5 to 60
 * frames deep. Common callees are taken far more often than rare ones. Equal on every machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "output/formats.h"
#include "profile/profile.h"

enum { FUNCTIONS = 20000, MODULES = 100, CALLEES = 12, DEEPEST = 60 };

static uint64_t seed = 88172645463325252ULL;

/* xorshift (G. Marsaglia, J. Stat. Softw. 8/14, 2003). */
static uint32_t draw(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16) % below;
}

static void check(int r)
{
	if (r >= 0)
		return;
	fprintf(stderr, "many_stacks: %s\n", strerror(-r));
	exit(1);
}

static uint32_t text(struct profile *profile, const char *string)
{
	uint32_t id;

	check(profile_string(profile, &id, string));
	return id;
}

static void name_function(char *name, size_t size, uint32_t i)
{
	static const char *const words[] = { "server", "storage", "parse", "request", "buffer", "tree",
					     "lookup", "cache", "commit", "visit", "encode", "merge" };
	size_t at = 0, want = 20 + draw(100);

	while (at < want)
		at += (size_t)snprintf(name + at, size - at, "%s%s", words[draw(12)],
				       draw(3) ? "::" : "_");
	snprintf(name + at, size - at, "f%u(unsigned long, char const*)", i);
}

static uint32_t add_function(struct profile *profile, uint32_t mapping, uint32_t i)
{
	struct profile_function function = { .start_line = 1 + draw(2000) };
	struct profile_line line = { .line = 0 };
	char name[400], file[64];
	uint32_t id;

	name_function(name, sizeof(name), i);
	snprintf(file, sizeof(file), "/src/server/part%u/file%u.cc", i % 40, i % 1500);
	function.name = function.system_name = text(profile, name);
	function.file = text(profile, file);
	check(profile_function_add(profile, &line.function, &function));
	check(profile_location_add(profile, &id, mapping, 0x1000 + 64ULL * i,
				   i % MODULES ? LOCATION_LIBRARY : LOCATION_USER));
	check(profile_location_name(profile, id, &line, 1, true));
	return id;
}

static void fill(struct profile *profile, uint32_t stacks)
{
	static uint32_t locations[FUNCTIONS], callees[FUNCTIONS][CALLEES], mappings[MODULES];
	const int64_t values[2] = { 1, 10000000 };
	uint32_t id, stack[DEEPEST];

	for (uint32_t i = 0; i < MODULES; i++) {
		struct profile_mapping mapping = { .start = 0x1000000ULL * i,
						   .limit = 0x1000000ULL * (i + 1) };
		char file[64];

		snprintf(file, sizeof(file), "/usr/lib/libpart%u.so.1", i);
		mapping.file = text(profile, file);
		check(profile_mapping_add(profile, &mappings[i], &mapping));
	}
	for (uint32_t i = 0; i < FUNCTIONS; i++) {
		locations[i] = add_function(profile, mappings[i % MODULES], i);
		for (unsigned k = 0; k < CALLEES; k++)
			callees[i][k] = draw(FUNCTIONS);
	}
	/* Samples of equal stacks add up: on until there are enough distinct ones. */
	while (profile->stacks.count < stacks) {
		uint32_t depth = 5 + draw(DEEPEST - 5), at = 0, leaf_first[DEEPEST];

		for (uint32_t i = 0; i < depth; i++) {
			/* The first callees are the common ones. */
			uint32_t most = 1 + draw(CALLEES), which = draw(1 + draw(most));

			stack[i] = locations[at];
			at = callees[at][i < depth / 2 ? which / 4 : which];
		}
		for (uint32_t i = 0; i < depth; i++)
			leaf_first[i] = stack[depth - 1 - i];
		check(profile_stack_add(profile, &id, leaf_first, depth));
		check(profile_sample_add(profile, id, 0, values));
	}
}

int main(int argc, char **argv)
{
	cleanup(profile_free) struct profile *profile = NULL;
	const struct writer *writer = argc == 3 ? writer_by_path(argv[2]) : NULL;
	struct stream stream;
	uint32_t id;
	int fd;

	if (!writer) {
		fprintf(stderr, "usage: many_stacks STACKS OUT.svg\n");
		return 2;
	}
	check(profile_new(&profile));
	check(profile_type_add(profile, &id, "samples", "count"));
	check(profile_type_add(profile, &id, "cpu", "nanoseconds"));
	profile->meta.main_type = profile->meta.period_type = 1;
	profile->meta.period = 10000000;
	profile->meta.title = strdup("many stacks");
	fill(profile, (uint32_t)strtoul(argv[1], NULL, 10));
	check(profile_freeze(profile));
	fd = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	check(fd < 0 ? -errno : 0);
	stream_init(&stream, fd);
	check(writer->write(profile, &stream));
	check(stream_finish(&stream));
	stream_fini(&stream);
	close(fd);
	return 0;
}
