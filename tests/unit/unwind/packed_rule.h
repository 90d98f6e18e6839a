/* SPDX-License-Identifier: Apache-2.0 */
/* What a packed table comes to at an address: as the walker searches it, without steps. */
#pragma once

#include "bpf/table.h"
#include "elf/cfi.h"
#include "unwind/table.h"

/* Returns false when the table is not well-formed there. No rule: RULE_NONE, CFI_GAP. */
static inline bool packed_rule(struct wire_rule *ret, const struct unwind_table *table,
			       uint64_t address)
{
	uint64_t page = address >> WIRE_PAGE_SHIFT;
	uint32_t found, offset;
	struct wire_rule rule;

	*ret = (struct wire_rule){ .cfa_words = CFI_GAP, .kind_and_step = RULE_NONE };
	if (page < table->first_page || page - table->first_page >= table->block_offset.count)
		return true;
	offset = table->block_offset.at[page - table->first_page];
	if (offset == UINT32_MAX)
		return true;
	/* Nothing past the block may be needed. */
	found = table_block_search(table->blocks.at,
				   offset + table->block_size.at[page - table->first_page], offset,
				   (uint16_t)address);
	if ((found & 0xffff) > (address & 0xffff) || found >> 16 >= table->rules.count)
		return false;
	rule = table->rules.at[found >> 16];
	rule.cfa_words = rule_cfa_words(&rule, (uint32_t)(address & 0xffff) - (found & 0xffff));
	rule.bp_slot = (uint8_t)rule_bp_slot(&rule, rule.cfa_words);
	rule.bx_slot = (uint8_t)rule_bx_slot(&rule, rule.cfa_words);
	/* What `steps` says of other kinds of rules stays. */
	if (rule.kind_and_step & (RULE_STEPS_PUSH | RULE_STEPS_POP) ||
	    rule.kind_and_step == RULE_NONE)
		rule.steps = 0;
	rule.kind_and_step &= RULE_KIND_MASK | RULE_NEXT_EXACT;
	*ret = rule;
	return true;
}
