/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program asks ld.so or the kernel to load beside itself.
 *
 * From program headers and the dynamic segment only, because those are what ld.so goes by; what
 * makes no sense in them is left out. All of a file is hostile input.
 */
#pragma once

#include <stdint.h>

#include "base/array.h"
#include "base/bytes.h"
#include "elf/object.h"

enum { NEEDED_MAX_NAMES = 256 }; /* LibreOffice's and Chromium's objects have some sixty */

/* Texts by their offset in `texts`; 0 is "", which stands for an absent one. */
struct needed {
	struct bytes texts;
	ARRAY_OF(uint32_t) names; /* DT_NEEDED, in their order; at most NEEDED_MAX_NAMES */
	uint32_t soname;
	uint32_t rpath,
		runpath;      /* folders with ':' between; ld.so heeds no rpath beside a runpath */
	uint32_t interpreter; /* PT_INTERP: the path of ld.so */
};

/* Returns 0 (also for an object that asks for nothing) or a negative errno. */
int needed_read(struct needed *ret, const struct object *object);
void needed_fini(struct needed *needed);
static inline void needed_fini_cleanup(struct needed *needed)
{
	needed_fini(needed);
}
/* Borrowed until needed_fini. */
const char *needed_text(const struct needed *needed, uint32_t text);

/* The kernel looks at so much of a file's beginning (BINPRM_BUF_SIZE, linux/binfmts.h). */
enum { SCRIPT_LINE_BYTES = 256 };

/* The line "#!INTERPRETER [ARGUMENT]"; all of the argument is one, blanks or not. */
struct script {
	char interpreter[SCRIPT_LINE_BYTES];
	char argument[SCRIPT_LINE_BYTES]; /* "": none */
};

enum { SCRIPT_NONE = 1 };

/*
 * text: how the file begins; what is beyond SCRIPT_LINE_BYTES does not count. Returns 0, or
 * SCRIPT_NONE when it begins otherwise.
 */
int script_parse(struct script *ret, const char *text, size_t size);
