/* SPDX-License-Identifier: Apache-2.0 */
/* The instructions of a function, out of the reader's answer, which is checked; see answers.h. */
#pragma once

#include "base/array.h"
#include "base/bytes.h"
#include "worker/protocol.h"

struct code_instruction {
	uint64_t address; /* ELF address */
	uint32_t length;  /* bytes */
	uint32_t text;	  /* for code_text */
};

/* A function, decoded: each instruction follows the one before. */
struct code_listing {
	uint64_t start, end; /* ELF addresses */
	ARRAY_OF(struct code_instruction) instructions;
	struct bytes texts; /* the function's name first, "" where it has none */
};

void code_listing_fini(struct code_listing *listing);
static inline void code_listing_fini_cleanup(struct code_listing *listing)
{
	code_listing_fini(listing);
}
static inline const char *code_text(const struct code_listing *listing, uint32_t text)
{
	return listing->texts.at + text;
}

/*
 * address: what was asked about, an ELF address. *ret: free with code_listing_fini. Returns 0, -EBADMSG
 * for what no honest reader says, or -ENOMEM.
 */
int answer_code(struct code_listing *ret, uint64_t address, const unsigned char *data, size_t size);
