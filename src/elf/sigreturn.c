// SPDX-License-Identifier: Apache-2.0
#include "elf/sigreturn.h"

#include <string.h>

#include "elf/instruction.h"

/* "mov $15, %rax" (or %eax); "syscall": rt_sigreturn, as C libraries write it. */
static size_t sigreturn_length(const unsigned char *bytes, size_t size)
{
	static const unsigned char wide[] = { 0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05 };
	static const unsigned char narrow[] = { 0xb8, 15, 0, 0, 0, 0x0f, 0x05 };

	if (size >= sizeof(wide) && memcmp(bytes, wide, sizeof(wide)) == 0)
		return sizeof(wide);
	return size >= sizeof(narrow) && memcmp(bytes, narrow, sizeof(narrow)) == 0 ? sizeof(narrow)
										    : 0;
}

int sigreturn_find(struct code *code, int (*found)(void *context, uint64_t start, uint64_t end),
		   void *context)
{
	for (uint32_t i = 0; i < code->ranges.count; i++) {
		uint64_t at = code->ranges.at[i].start, end = code->ranges.at[i].end;

		while (at < end) {
			size_t size = 0, offset;
			const unsigned char *bytes = code_bytes(code, at, &size), *next;
			size_t length;
			int r;

			if (!bytes)
				break;
			next = memmem(bytes, size, "\x0f\x00\x00\x00\x0f\x05", 6);
			if (!next) {
				/* The last bytes come again with the block that follows. */
				if (size <= INSTRUCTION_MAX_BYTES)
					break;
				at += size - INSTRUCTION_MAX_BYTES;
				continue;
			}
			offset = (size_t)(next - bytes);
			at += offset + 1;
			for (size_t before = 1; before <= 3 && before <= offset; before += 2) {
				length = sigreturn_length(bytes + offset - before,
							  size - offset + before);
				r = length ? found(context, at - 1 - before,
						   at - 1 - before + length)
					   : 0;
				if (r < 0)
					return r;
			}
		}
	}
	return 0;
}
