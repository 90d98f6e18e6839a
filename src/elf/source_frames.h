/* SPDX-License-Identifier: Apache-2.0 */
/* Which functions and lines an address comes from, whoever tells it. */
#pragma once

#include <stdint.h>

enum { SOURCE_MAX_FRAMES = 64 };

/* Texts are ids of a table that whoever asks has given (base/strtab.h); 0: not known. */
struct source_frame {
	uint32_t name;	     /* as the linker calls it, where that is known */
	uint32_t file;	     /* path */
	uint32_t line;	     /* 0: not known */
	uint32_t start_line; /* where the function is declared; 0: not known */
};

struct source_frames {
	struct source_frame at[SOURCE_MAX_FRAMES]; /* the innermost inlined function first */
	uint32_t count; /* at least 1; the last one is what the address's code belongs to */
};
