// SPDX-License-Identifier: Apache-2.0
/*
 * usage: frames [--kept] FILE [DEBUG_FILE] < ADDRESSES
 * For each ELF address, in hexadecimal, one a line: "0xADDRESS", then for each frame, the innermost
 * first, its name and "FILE:LINE"; as addr2line -a -f -i, with ?? for what is not known.
 * --kept: as what was kept of a first round of questions tells it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "elf/debug_paths.h"
#include "elf/object_file.h"
#include "symbol/object_names.h"

/* The outermost function is called as its symbol calls it. */
static void print_name(struct object_names *names, const struct found_function *function,
		       uint32_t name)
{
	cleanup(bytes_fini) struct bytes text = {};

	if (object_names_text(names, function, &text) == 0 && text.size)
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
		char package[PATH_MAX];
		int fd;

		snprintf(package, sizeof(package), "%s" DEBUG_PACKAGE_SUFFIX, object);
		fd = strcmp(path, DEBUG_PACKAGE_SUFFIX) == 0
			     ? open(package, O_RDONLY | O_CLOEXEC)
			     : openat(below, path, O_RDONLY | O_CLOEXEC);

		if (fd >= 0)
			(void)object_names_offer(names, fd);
	}
}

static int find_frames(struct object_names *names, const char *object, uint64_t address,
		       struct source_frames *ret, struct found_function *function)
{
	int r;

	while ((r = object_names_frames(names, address, ret, function)) == DWARF_WANTS)
		open_wanted(names, object);
	if (r < 0) {
		*ret = (struct source_frames){ .count = 1 };
		r = object_names_find(names, address, function);
	}
	return r;
}

static void print_frames(struct object_names *names, const char *object, uint64_t address)
{
	struct found_function function;
	struct source_frames frames;

	printf("0x%016" PRIx64 "\n", address);
	if (find_frames(names, object, address, &frames, &function) < 0)
		return;
	for (uint32_t i = 0; i < frames.count; i++) {
		const struct source_frame *frame = &frames.at[i];

		if (i == frames.count - 1)
			print_name(names, &function, frame->name);
		else
			printf("%s\n",
			       frame->name ? object_names_frame_text(names, frame->name) : "??");
		printf("%s:%u\n", frame->file ? object_names_frame_text(names, frame->file) : "??",
		       frame->line);
	}
}

/* Asks for everything, and has what was kept of it answer in place of the files. 0 or -errno. */
static int replace_by_kept(struct object_names **names, struct object *object, const char *path,
			   const uint64_t *addresses, uint32_t count)
{
	cleanup(close) int fd = memfd_create("kept", MFD_CLOEXEC);
	cleanup(bytes_fini) struct bytes kept = {};
	struct found_function function;
	struct source_frames frames;
	int r = fd < 0 ? -errno : 0;

	for (uint32_t i = 0; i < count && r == 0; i++)
		r = find_frames(*names, path, addresses[i], &frames, &function);
	if (r == 0)
		r = object_names_keep(*names, &kept, 0, UINT64_MAX);
	if (r == 0)
		r = fs_write_all(fd, kept.at, kept.size);
	if (r < 0)
		return r;
	object_names_free(TAKE_PTR(*names));
	/* What it does not tell is not told. */
	close(object->fd);
	object->fd = -1;
	return object_names_new_kept(names, object, NULL, 0, fd, 0);
}

int main(int argc, char **argv)
{
	cleanup(object_unref) struct object *object = NULL;
	cleanup(object_names_free) struct object_names *names = NULL;
	bool kept = argc > 1 && strcmp(argv[1], "--kept") == 0;
	ARRAY_OF(uint64_t) addresses = {};
	int debug_file = -1;
	uint64_t address, *slot;
	int r;

	argv += kept;
	argc -= kept;
	if (argc < 2)
		return 2;
	r = object_open(&object, open(argv[1], O_RDONLY | O_CLOEXEC), argv[1]);
	if (argc > 2)
		debug_file = open(argv[2], O_RDONLY | O_CLOEXEC);
	if (r == 0)
		r = object_names_new(&names, object, &debug_file, 1);
	while (r == 0 && scanf("%" SCNx64, &address) == 1) {
		slot = array_push(&addresses);
		if (slot)
			*slot = address;
	}
	if (r == 0 && kept)
		r = replace_by_kept(&names, object, argv[1], addresses.at, addresses.count);
	if (r != 0) {
		fprintf(stderr, "frames: %s: %d\n", argv[argc - 1], r);
		return 1;
	}
	for (uint32_t i = 0; i < addresses.count; i++)
		print_frames(names, argv[1], addresses.at[i]);
	array_fini(&addresses);
	return 0;
}
