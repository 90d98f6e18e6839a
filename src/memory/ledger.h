/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which stack made which page resident: of the pages in the sample, the last one that did.
 *
 * The sample is a part of all pages by their hash (bpf/page_hash.h); raising it takes pages out by the
 * same hash, so that all that are left stand for the same number. What is not chosen by its hash (huge
 * pages, ranges) stands for itself. Room is bounded: when it is full, the part gets smaller.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/hash.h"

struct ledger_page {
	uint64_t address;
	uint64_t span;	/* bytes from there on that are looked at */
	uint64_t bytes; /* that became resident with it: of a file often more than was asked for */
	uint64_t held;	/* of these, what was still there when it was last looked */
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	uint64_t hashed;  /* page_key() by which it was chosen: it keeps that when it is moved */
	uint32_t process; /* the caller's number */
	uint32_t stack, labels;
	bool by_hash; /* it stands for as many pages as the sample is a part of */
};

struct ledger {
	ARRAY_OF(struct ledger_page) pages; /* in no order */
	struct hash_index index;	    /* by process and address */
	uint64_t salt;
	uint32_t shift;	  /* the sample is one page of 2^shift */
	uint32_t limit;	  /* pages */
	uint64_t refused; /* ranges and huge pages for which there was no room */
};

void ledger_init(struct ledger *ledger, uint64_t salt, uint32_t limit);
void ledger_fini(struct ledger *ledger);
/*
 * A page that became resident: another one at the same place is replaced. One that is not in the sample
 * (any more) is left out. May raise the shift. Returns 0 or -ENOMEM.
 */
int ledger_add(struct ledger *ledger, const struct ledger_page *page);
/* The page at that address, or NULL; good until the next change. */
struct ledger_page *ledger_find(const struct ledger *ledger, uint32_t process, uint64_t address);
/* Takes out what is not in one of 2^shift pages. A smaller one changes nothing. */
void ledger_raise(struct ledger *ledger, uint32_t shift);
/*
 * Memory was put elsewhere, with its pages (mremap): those that were there before. Returns 0 or -ENOMEM
 * (then some are where they were).
 */
int ledger_move(struct ledger *ledger, uint32_t process, uint64_t from, uint64_t bytes, uint64_t to,
		uint64_t time_ns);
/* A process that has other memory now. */
void ledger_forget(struct ledger *ledger, uint32_t process);
/* What a page stands for, of what was there at the last look. */
uint64_t ledger_held(const struct ledger *ledger, const struct ledger_page *page);
