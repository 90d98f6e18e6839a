/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading unwind tables (wire.h, "Unwind tables"): the row of an address in a page's block, and
 * what a rule says at a distance from its row.
 *
 * Pure, and the same source in the kernel and in user space, so that the tests of one are tests of
 * the other. Nothing in a chunk is trusted: no access leaves chunk_bytes. In BPF that must be a
 * power of two and a constant once inlined (WIRE_CHUNK_BYTES, the size of the map value): there the
 * bound is a mask instead of a comparison, and the search has no branches, because the verifier
 * follows every branch of every turn (one search with branches: 190,000 instructions).
 */
#pragma once

#include "wire.h"

/* The parts of a place: the number of its chunk, and the offset in the chunk in bytes. */
static inline __attribute__((always_inline)) uint32_t table_place_chunk(uint32_t place)
{
	return place >> WIRE_PLACE_BITS;
}

static inline __attribute__((always_inline)) uint32_t table_place_offset(uint32_t place)
{
	return (place & ((1u << WIRE_PLACE_BITS) - 1)) * 4;
}

/* The value at byte `at` of the chunk, which is a multiple of its size. Outside: some other value. */
static inline __attribute__((always_inline)) uint32_t
table_load_u16(const unsigned char *chunk, uint64_t chunk_bytes, uint64_t at)
{
#ifdef __bpf__
	at &= chunk_bytes - sizeof(uint16_t);
	__asm__ volatile("" : "+r"(at)); /* or clang drops the mask where it thinks it knows */
#else
	if (at > chunk_bytes - sizeof(uint16_t))
		return 0;
#endif
	return *(const uint16_t *)(chunk + at);
}

static inline __attribute__((always_inline)) uint32_t
table_load_u32(const unsigned char *chunk, uint64_t chunk_bytes, uint64_t at)
{
#ifdef __bpf__
	at &= chunk_bytes - sizeof(uint32_t);
	__asm__ volatile("" : "+r"(at));
#else
	if (at > chunk_bytes - sizeof(uint32_t))
		return 0;
#endif
	return *(const uint32_t *)(chunk + at);
}

/*
 * The row in force at an address of a page.
 * chunk, chunk_bytes: where the page's block lies, 4-aligned; block: offset of the block in it.
 * address_low: low WIRE_PAGE_SHIFT bits of the ELF address.
 * Returns rule << 16 | address_low of the row. A block that is not one gives some row, whose
 * address may lie behind address_low; never a read outside of the chunk.
 */
static inline __attribute__((always_inline)) uint32_t
table_block_search(const unsigned char *chunk, uint64_t chunk_bytes, uint32_t block,
		   uint16_t address_low)
{
	uint64_t bucket = block + (uint64_t)(address_low >> WIRE_BUCKET_SHIFT) * 2;
	uint64_t rows = (uint64_t)block + WIRE_BLOCK_HEADER_BYTES;
	uint64_t low = table_load_u16(chunk, chunk_bytes, bucket);
	uint64_t count = table_load_u16(chunk, chunk_bytes, bucket + 2) - low;

	/*
	 * The row is the last one at or before the address: one of the bucket's, else the one
	 * before them. A bucket has at most 256 rows, so 9 halvings leave none to look at.
	 */
	count &= 0x1ff;
	for (int i = 0; i < 9; i++) {
		uint64_t half = (count + 1) >> 1, middle = low + half - 1;
		uint64_t address = table_load_u32(chunk, chunk_bytes, rows + middle * 4) & 0xffff;
		/* All ones when the middle row is at or before the address, else 0. */
		uint64_t before = (address - address_low - 1) >> 63 ? ~0ULL : 0;

		low += half & before;
		count -= half;
	}
	low = table_load_u32(chunk, chunk_bytes, rows + (low - (low > 0)) * 4);
	return (uint32_t)low;
}

/*
 * The CFA offset at `distance` bytes behind the rule's row, in words (struct wire_rule). For
 * RULE_PLT what is added by the threshold is not in it.
 */
static inline int32_t rule_cfa_words(const struct wire_rule *rule, uint32_t distance)
{
	/* Bit i has happened from distance i + 1 on; a rule without a direction has no steps. */
	uint32_t taken = distance < 16 ? rule->steps & ((1u << distance) - 1) : rule->steps;

	if (!(rule->kind_and_step & (RULE_STEPS_PUSH | RULE_STEPS_POP)))
		return rule->cfa_words;
	/* Bits are counted by adding neighbours: two, four, eight, sixteen wide. */
	taken -= taken >> 1 & 0x5555;
	taken = (taken & 0x3333) + (taken >> 2 & 0x3333);
	taken = (taken + (taken >> 4)) & 0x0f0f;
	taken = (taken + (taken >> 8)) & 0x1f;
	return rule->kind_and_step & RULE_STEPS_PUSH ? rule->cfa_words + (int32_t)taken
						     : rule->cfa_words - (int32_t)taken;
}

/*
 * Where the caller's rbp was saved: at CFA - 8 * result; 0: it is still in rbp.
 * cfa_words: what rule_cfa_words gave.
 */
static inline int rule_bp_slot(const struct wire_rule *rule, int32_t cfa_words)
{
#if defined(WIRE_LINK_REGISTER)
	(void)cfa_words;
#else
	if ((rule->kind_and_step & RULE_KIND_MASK) == RULE_SP && rule->bp_slot > cfa_words)
		return 0;
#endif
	return rule->bp_slot;
}

/* The same of rbx, or RULE_BX_LOST. For RULE_DRAP it counts from rbp instead of from the CFA. */
static inline int rule_bx_slot(const struct wire_rule *rule, int32_t cfa_words)
{
	int slot = rule->bx_slot;

#if defined(WIRE_LINK_REGISTER)
	(void)cfa_words;
#else
	if ((rule->kind_and_step & RULE_KIND_MASK) == RULE_SP && slot != RULE_BX_LOST &&
	    slot > cfa_words)
		return 0;
#endif
	return slot;
}
