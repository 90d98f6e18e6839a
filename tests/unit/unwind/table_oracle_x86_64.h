/* SPDX-License-Identifier: Apache-2.0 */
/* oracle_meaning on x86-64: the walker's rule for what libdw says. */
#pragma once

#include "table_oracle.h"

enum { SP = 7, BP = 6, BX = 3, RA = 16 };

static bool is_plt(const Dwarf_Op *ops, size_t count)
{
	return count == 9 && ops[1].atom == DW_OP_breg16 && ops[1].number == 0 &&
	       ops[2].atom == DW_OP_lit15 && ops[3].atom == DW_OP_and &&
	       ops[4].atom >= DW_OP_lit0 && ops[4].atom <= DW_OP_lit15 && ops[5].atom == DW_OP_ge &&
	       ops[6].atom == DW_OP_lit3 && ops[7].atom == DW_OP_shl && ops[8].atom == DW_OP_plus;
}

static bool is_stored_at(const struct location *location, unsigned number, int64_t offset)
{
	int64_t found;

	return location->count == 1 &&
	       is_register(location->ops, location->count, number, &found) && found == offset;
}

/*
 * The slot of a register that was saved, 0: it holds. -1: no slot can say it. base, offset: the CFA;
 * exact: it is base + offset.
 */
static int oracle_slot(const struct location *saved, unsigned base, int64_t offset, bool exact)
{
	int64_t at;

	if (saved->same || saved->undefined)
		return 0;
	if (saved->at_cfa)
		at = saved->offset;
	else if (exact && base == SP && offset == 8 && saved->count == 1 &&
		 is_register(saved->ops, 1, BP, &at))
		return 0;
	else if (exact && saved->count == 1 && is_register(saved->ops, 1, base, &at))
		at -= offset;
	else
		return -1;
	if (exact && base == SP && at < 0 && at < -offset)
		return 0;
	return at >= 0 || at % 8 || at < -8 * 255 ? -1 : (int)(-at / 8);
}

/* DWARF's number of each enum wire_temporary. */
static const unsigned temporaries[WIRE_TEMPORARIES] = { 0, 1, 2, 4, 5, 8, 9, 10, 11 };

/*
 * The `steps` of RULE_STORED, or below 0: what follows the first operation of the CFA is no
 * "(plus 8 times a register) deref (plus a constant)".
 */
static int stored_steps(const Dwarf_Op *cfa, size_t count, bool from_bp)
{
	int steps = from_bp ? RULE_STORED_FROM_BP : 0;
	size_t at = 1;

	for (int i = 0; at == 1 && count >= 5 && i < WIRE_TEMPORARIES; i++) {
		if (cfa[1].atom == DW_OP_breg0 + temporaries[i] && cfa[1].number == 0 &&
		    cfa[2].atom == DW_OP_lit8 && cfa[3].atom == DW_OP_mul &&
		    cfa[4].atom == DW_OP_plus) {
			steps |= (i + 1) << RULE_STORED_INDEX_SHIFT;
			at = 5;
		}
	}
	if (at >= count || cfa[at++].atom != DW_OP_deref)
		return -1;
	if (at == count)
		return steps;
	if (cfa[at].atom != DW_OP_plus_uconst || cfa[at].number % 8 ||
	    cfa[at].number > 8 * RULE_STORED_ADDED || at + 1 != count)
		return -1;
	return steps | (int)(cfa[at].number / 8);
}

/* How the CFA is found; nothing of the registers yet. *base: what it counts from. */
static struct meaning oracle_cfa(const Dwarf_Op *cfa, size_t count, unsigned *base, int64_t *offset)
{
	struct meaning m = { .kind = RULE_NONE };

	*base = SP;
	if (is_register(cfa, count, SP, offset)) {
		if (count == 1) {
			m.kind = RULE_SP;
		} else if (is_plt(cfa, count)) {
			m.kind = RULE_PLT;
			m.steps = (uint16_t)(cfa[4].atom - DW_OP_lit0);
		} else if (stored_steps(cfa, count, false) >= 0) {
			m.kind = RULE_STORED;
			m.steps = (uint16_t)stored_steps(cfa, count, false);
		}
	} else if (is_register(cfa, count, BP, offset)) {
		*base = BP;
		if (count == 1)
			m.kind = RULE_BP;
		else if (stored_steps(cfa, count, true) >= 0) {
			m.kind = RULE_STORED;
			m.steps = (uint16_t)stored_steps(cfa, count, true);
		}
	} else if (is_register(cfa, count, BX, offset) && count == 1) {
		*base = BX;
		m.kind = RULE_BX;
	}
	for (uint16_t i = 0; m.kind == RULE_NONE && count == 1 && i < WIRE_TEMPORARIES; i++) {
		if (is_register(cfa, count, temporaries[i], offset)) {
			*base = temporaries[i];
			m.kind = RULE_TEMPORARY;
			m.steps = i;
		}
	}
	/* No frame is that large: the mark of Go's linker for code that sets rsp at will. */
	if (m.kind != RULE_NONE && (*offset % 8 || *offset >= 1 << 26 || *offset <= -(1 << 26)))
		m.kind = RULE_NONE;
	m.cfa_offset = m.kind == RULE_NONE ? 0 : (int32_t)*offset;
	return m;
}

static struct meaning oracle_meaning(struct oracle *o)
{
	const struct meaning none = { .kind = RULE_NONE };
	struct meaning m = { .kind = RULE_NONE };
	Dwarf_Op ra_memory[3], bp_memory[3], bx_memory[3], *cfa;
	struct location ra, bp, bx;
	unsigned base;
	int64_t offset = 0;
	size_t count;
	bool exact;

	if (!locate(o->frame, RA, &ra, ra_memory))
		return none;
	if (ra.undefined)
		return (struct meaning){ .kind = RULE_END };
	if (dwarf_frame_cfa(o->frame, &cfa, &count) != 0 || !locate(o->frame, BP, &bp, bp_memory) ||
	    !locate(o->frame, BX, &bx, bx_memory))
		return none;
	if (o->signal) {
		if (count == 2 && is_register(cfa, count, SP, &offset) && offset == 160 &&
		    cfa[1].atom == DW_OP_deref && is_stored_at(&ra, SP, 168) &&
		    is_stored_at(&bp, SP, 120) && is_stored_at(&bx, SP, 128))
			m.kind = RULE_SIGNAL;
		return m;
	}
	m = oracle_cfa(cfa, count, &base, &offset);
	if (m.kind == RULE_STORED && m.steps == RULE_STORED_FROM_BP && is_stored_at(&bp, BP, 0)) {
		m.kind = RULE_DRAP;
		m.steps = 0;
	}
	exact = m.kind == RULE_SP || m.kind == RULE_BP || m.kind == RULE_BX ||
		m.kind == RULE_TEMPORARY;
	m.slot = oracle_slot(&bp, base, offset, exact);
	m.bx_slot = oracle_slot(&bx, base, offset, exact);
	if (m.kind == RULE_TEMPORARY && is_stored_at(&bp, BP, 0))
		m.slot = RULE_BP_IN_FRAME;
	if (m.kind == RULE_DRAP) {
		m.slot = 0;
		m.bx_slot = bx.at_cfa ? -1 : oracle_slot(&bx, BP, 0, true);
	}
	/* libdw gives a register as the place of a value that is held in one. */
	for (uint16_t i = 0; m.kind == RULE_SP && offset >= 0 && i < WIRE_TEMPORARIES; i++) {
		if (ra.count == 1 &&
		    (ra.ops[0].atom == DW_OP_reg0 + temporaries[i] ||
		     (ra.ops[0].atom == DW_OP_regx && ra.ops[0].number == temporaries[i]))) {
			m.kind = RULE_LINK;
			m.steps = i;
		}
	}
	if (m.kind != RULE_LINK && (!ra.at_cfa || ra.offset != -8))
		return none;
	if (m.bx_slot < 0 || m.bx_slot == 255)
		m.bx_slot = RULE_BX_LOST;
	if (m.kind == RULE_NONE || m.slot < 0 ||
	    ((m.kind == RULE_PLT || m.kind == RULE_LINK) && (m.slot || m.bx_slot)))
		return none;
	return m;
}
