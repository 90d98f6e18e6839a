/* SPDX-License-Identifier: Apache-2.0 */
/* Debug information written by hand, number by number. */
#pragma once

#include "test.h"

#include <dwarf.h>
#include <errno.h>
#include <string.h>

#include "../../fuzz/elf_builder.h"
#include "dwarf/dwarf.h"

static inline void u8(struct bytes *bytes, unsigned value)
{
	bytes_add_char(bytes, (char)value);
}

static inline void u32(struct bytes *bytes, uint32_t value)
{
	bytes_add(bytes, &value, sizeof(value));
}

static inline void u64(struct bytes *bytes, uint64_t value)
{
	bytes_add(bytes, &value, sizeof(value));
}

static inline void uleb(struct bytes *bytes, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		u8(bytes, 0x80 | (value & 0x7f));
	u8(bytes, (unsigned)value);
}

static inline void abbreviation(struct bytes *ret, unsigned code, unsigned tag, bool children,
				const unsigned *attributes)
{
	uleb(ret, code);
	uleb(ret, tag);
	u8(ret, children);
	for (; *attributes; attributes += 2) {
		uleb(ret, attributes[0]);
		uleb(ret, attributes[1]);
	}
	u8(ret, 0);
	u8(ret, 0);
}

static struct strtab texts; /* of all tests */

static inline int make_texts(void **state)
{
	(void)state;
	return strtab_init(&texts);
}

static inline int free_texts(void **state)
{
	(void)state;
	strtab_fini(&texts);
	return 0;
}

static inline void check_frame(const struct source_frame *frame, const char *name, const char *file,
			       uint32_t line)
{
	assert_string_equal(strtab_get(&texts, frame->name), name);
	assert_string_equal(strtab_get(&texts, frame->file), file);
	assert_int_equal(frame->line, line);
}
