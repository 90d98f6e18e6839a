// SPDX-License-Identifier: Apache-2.0
/*
 * usage: frames FILE [DEBUG_FILE] < ADDRESSES
 * For each ELF address, in hexadecimal, one a line: "0xADDRESS", then for each frame, the innermost
 * first, its name and "FILE:LINE"; as addr2line -a -f -i, with ?? for what is not known.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "dwarf/dwarf.h"
#include "elf/object_file.h"

static void print_frames(struct dwarf *dwarf, uint64_t address)
{
	struct dwarf_frames frames;

	printf("0x%016" PRIx64 "\n", address);
	if (dwarf_find(dwarf, address, &frames) < 0) {
		printf("??\n??:0\n");
		return;
	}
	for (uint32_t i = 0; i < frames.count; i++) {
		const struct dwarf_frame *frame = &frames.at[i];

		printf("%s\n", frame->name ? dwarf_text(dwarf, frame->name) : "??");
		printf("%s:%u\n", frame->file ? dwarf_text(dwarf, frame->file) : "??", frame->line);
	}
}

int main(int argc, char **argv)
{
	cleanup(object_unref) struct object *object = NULL;
	cleanup(dwarf_free) struct dwarf *dwarf = NULL;
	uint64_t address;
	int r;

	if (argc < 2)
		return 2;
	r = object_open(&object, open(argv[1], O_RDONLY | O_CLOEXEC), argv[1]);
	if (r == 0)
		r = dwarf_new(&dwarf, object, open(argv[argc - 1], O_RDONLY | O_CLOEXEC));
	if (r != 0) {
		fprintf(stderr, "frames: %s: %d\n", argv[argc - 1], r);
		return 1;
	}
	while (scanf("%" SCNx64, &address) == 1)
		print_frames(dwarf, address);
	return 0;
}
