// SPDX-License-Identifier: Apache-2.0
/*
 * usage: frames FILE [DEBUG_FILE] < ADDRESSES
 * For each ELF address, in hexadecimal, one a line: "0xADDRESS", then for each frame, the innermost
 * first, its name and "FILE:LINE"; as addr2line -a -f -i, with ?? for what is not known.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "elf/object_file.h"
#include "symbol/object_names.h"

/* The outermost function is called as its symbol calls it. */
static void print_name(struct object_names *names, uint64_t address, uint32_t name)
{
	cleanup(bytes_fini) struct bytes text = {};
	struct found_function found;

	if (object_names_find(names, address, &found) == 0 &&
	    object_names_text(names, &found, &text) == 0 && text.size)
		printf("%s\n", bytes_str(&text));
	else
		printf("%s\n", name ? object_names_frame_text(names, name) : "??");
}

/* As whoever runs the reader process does it. */
static void open_wanted(struct object_names *names, const char *object)
{
	char folder[PATH_MAX];
	cleanup(close) int below = -1;
	cleanup(bytes_fini) struct bytes paths = {};

	snprintf(folder, sizeof(folder), "%s", object);
	below = open(dirname(folder), O_PATH | O_CLOEXEC);
	(void)object_names_wanted(names, &paths);
	for (const char *path = paths.at; path < paths.at + paths.size; path += strlen(path) + 1) {
		int fd = openat(below, path, O_RDONLY | O_CLOEXEC);

		if (fd >= 0)
			(void)object_names_offer(names, fd);
	}
}

static void print_frames(struct object_names *names, const char *object, uint64_t address)
{
	struct source_frames frames;
	int r;

	printf("0x%016" PRIx64 "\n", address);
	while ((r = object_names_frames(names, address, &frames)) == DWARF_WANTS)
		open_wanted(names, object);
	if (r < 0)
		frames = (struct source_frames){ .count = 1 };
	for (uint32_t i = 0; i < frames.count; i++) {
		const struct source_frame *frame = &frames.at[i];

		if (i == frames.count - 1)
			print_name(names, address, frame->name);
		else
			printf("%s\n",
			       frame->name ? object_names_frame_text(names, frame->name) : "??");
		printf("%s:%u\n", frame->file ? object_names_frame_text(names, frame->file) : "??",
		       frame->line);
	}
}

int main(int argc, char **argv)
{
	cleanup(object_unref) struct object *object = NULL;
	cleanup(object_names_free) struct object_names *names = NULL;
	int debug_file = -1;
	uint64_t address;
	int r;

	if (argc < 2)
		return 2;
	r = object_open(&object, open(argv[1], O_RDONLY | O_CLOEXEC), argv[1]);
	if (argc > 2)
		debug_file = open(argv[2], O_RDONLY | O_CLOEXEC);
	if (r == 0)
		r = object_names_new(&names, object, &debug_file, 1);
	if (r != 0) {
		fprintf(stderr, "frames: %s: %d\n", argv[argc - 1], r);
		return 1;
	}
	while (scanf("%" SCNx64, &address) == 1)
		print_frames(names, argv[1], address);
	return 0;
}
