/* SPDX-License-Identifier: Apache-2.0 */
/* oracle_meaning on aarch64: the walker's rule for what libdw says. slot, steps: as struct wire_rule has them. */
#pragma once

#include "table_oracle.h"

enum { SP = 31, FP = 29, RA = 30, FIRST_TEMPORARY = 9, LAST_TEMPORARY = 17 };

/* Words from the CFA down to where a register was saved; 0: it was not; below 0: no rule can say where. */
static int64_t oracle_words(const struct location *saved)
{
	if (saved->same || saved->undefined)
		return 0;
	if (!saved->at_cfa || saved->offset >= 0 || saved->offset % 8 ||
	    -saved->offset / 8 > UINT16_MAX)
		return -1;
	return -saved->offset / 8;
}

static struct meaning oracle_meaning(struct oracle *o)
{
	const struct meaning none = { .kind = RULE_NONE };
	struct meaning m = { .kind = RULE_NONE };
	Dwarf_Op ra_memory[3], fp_memory[3], *cfa;
	struct location ra, fp;
	int64_t offset = 0, ra_words, fp_words, distance = 0;
	size_t count;

	if (!locate(o->frame, RA, &ra, ra_memory))
		return none;
	if (ra.undefined)
		return (struct meaning){ .kind = RULE_END };
	if (o->signal)
		return (struct meaning){ .kind = RULE_SIGNAL };
	if (dwarf_frame_cfa(o->frame, &cfa, &count) != 0 || count != 1 ||
	    !locate(o->frame, FP, &fp, fp_memory))
		return none;
	if (is_register(cfa, count, SP, &offset))
		m.kind = RULE_SP;
	else if (is_register(cfa, count, FP, &offset))
		m.kind = RULE_BP;
	for (unsigned i = FIRST_TEMPORARY; m.kind == RULE_NONE && i <= LAST_TEMPORARY; i++) {
		if (is_register(cfa, count, i, &offset)) {
			m.kind = RULE_TEMPORARY;
			m.bx_slot = (int)(i - FIRST_TEMPORARY);
		}
	}
	ra_words = oracle_words(&ra);
	fp_words = oracle_words(&fp);
	/*
	 * glibc's resolver, whose own frame ends two words further up than it says; when these are gone, the
	 * register holds (cfi_rule_link.c).
	 */
	if (ra.at_cfa && ra.offset == 8) {
		offset += 16;
		ra_words = offset == 0 ? 0 : 1;
		fp_words += fp_words > 0 ? 2 : 0;
	}
	if (fp_words > 0)
		distance = fp_words - ra_words;
	if (m.kind == RULE_NONE || offset < 0 || offset % 8 ||
	    offset / 8 > RULE_MAX_CFA_WORDS || ra_words < 0 || fp_words < 0 ||
	    (fp_words > 0 && distance == 0) || distance > INT8_MAX || distance < INT8_MIN)
		return none;
	m.cfa_offset = (int32_t)offset;
	m.steps = (uint16_t)ra_words;
	m.slot = (uint8_t)(int8_t)distance;
	return m;
}
