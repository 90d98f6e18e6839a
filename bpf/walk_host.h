/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The walker's host in the kernel: user memory, the unwind tables in maps, and the loop over frames. */
#pragma once

#include "maps.h"
#include "table.h"

/*
 * User stack is fetched a window at a time: most frames are smaller, and each fetch costs the same
 * for 8 bytes as for a few cache lines.
 */
static __always_inline int walk_read(uint64_t *ret, uint64_t address, void *memory)
{
	struct scratch *s = memory;
	uint64_t offset = address - s->window_at;

	if (offset <= sizeof(s->window) - 8) {
		*ret = *(uint64_t *)(s->window + offset);
		return 0;
	}
	if (bpf_probe_read_user(s->window, sizeof(s->window), (const void *)address) == 0) {
		s->window_at = address;
		*ret = *(uint64_t *)s->window;
		return 0;
	}
	/* The end of the stack is near, or the next page is not present. */
	s->window_at = NO_WINDOW;
	return bpf_probe_read_user(ret, sizeof(*ret), (const void *)address) < 0 ? -1 : 0;
}

static __always_inline uint64_t walk_temporary(uint64_t number, void *memory)
{
	struct scratch *s = memory;

	return number < WIRE_TEMPORARIES ? s->sample.temporaries[number] : 0;
}

static __always_inline uint64_t walk_signal_stack(void *memory)
{
	struct task_struct *task = current_task();

	(void)memory;
	return BPF_CORE_READ(task, sas_ss_sp) + BPF_CORE_READ(task, sas_ss_size);
}

enum {
	SEARCH_WORDS = 64,
#if defined(WIRE_LINK_REGISTER)
	SEARCH_TURNS = WALK_UNWINDER_WORDS / SEARCH_WORDS
#else
	SEARCH_TURNS = WALK_UNWOUND_WORDS / SEARCH_WORDS
#endif
};
#define SEARCH_FAILED (~0ULL)

/* Where the value is among so many words, SEARCH_WORDS at most; 0: it is not, SEARCH_FAILED: not readable. */
__attribute__((noinline)) uint64_t search_some(uint64_t from, uint32_t words, uint64_t value)
{
	uint32_t cpu = bpf_get_smp_processor_id();
	struct scratch *s = bpf_map_lookup_elem(&scratches, &cpu);
	uint64_t word = 0;

	TURNS(i, SEARCH_WORDS) {
		if (i >= words)
			break;
		if (!s || walk_read(&word, from, s) < 0)
			return SEARCH_FAILED;
		if (word == value)
			return from;
		from += 8;
	}
	return 0;
}

/* The same of up to SEARCH_TURNS times as many; 0 also if they are not readable. */
__attribute__((noinline)) uint64_t search_all(uint64_t from, uint32_t words, uint64_t value)
{
	TURNS(i, SEARCH_TURNS) {
		uint64_t found;

		if (i * SEARCH_WORDS >= words)
			break;
		found = search_some(from + i * SEARCH_WORDS * 8, words - i * SEARCH_WORDS, value);
		if (found)
			return found == SEARCH_FAILED ? 0 : found;
	}
	return 0;
}

static __always_inline uint64_t walk_search(uint64_t from, uint32_t words, uint64_t value,
					    void *memory)
{
	(void)memory;
	return search_all(from, words, value);
}

static __always_inline const unsigned char *chunk_at(uint32_t place)
{
	uint32_t number = table_place_chunk(place), zero = 0;
	void *inner = bpf_map_lookup_elem(&chunks, &number);

	return inner ? bpf_map_lookup_elem(inner, &zero) : NULL;
}

/*
 * A global function: it is verified once by itself, which keeps the walk within the verifier's
 * limit of instructions.
 */
__attribute__((noinline)) uint64_t find_rule(uint32_t table_id, uint64_t address)
{
	struct wire_table *table = bpf_map_lookup_elem(&tables, &table_id);
	uint64_t page = address >> WIRE_PAGE_SHIFT;
	const unsigned char *chunk;
	struct wire_rule *rule;
	uint32_t place, row;

	if (!table || !table->page_count)
		return WALK_FIND_NO_TABLE;
	if (page < table->first_page || page - table->first_page >= table->page_count)
		return WALK_FIND_NO_ROW;
	place = table->directory + (uint32_t)(page - table->first_page);
	chunk = chunk_at(place);
	if (!chunk)
		return WALK_FIND_NO_TABLE;
	place = table_load_u32(chunk, WIRE_CHUNK_BYTES, table_place_offset(place));
	if (!place)
		return WALK_FIND_NO_ROW;
	chunk = chunk_at(place);
	if (!chunk)
		return WALK_FIND_NO_TABLE;
	row = table_block_search(chunk, WIRE_CHUNK_BYTES, table_place_offset(place),
				 (uint16_t)address);
	place = row >> 16;
	rule = bpf_map_lookup_elem(&rules, &place);
	if (!rule)
		return WALK_FIND_NO_ROW;
	return walk_rule_pack(rule, (uint32_t)(address & 0xffff) - (row & 0xffff));
}

#define READ_ONCE(of) (*(const volatile typeof(of) *)&(of))
#define WRITE_ONCE(of, value) (*(volatile typeof(of) *)&(of) = (value))

#define RULE_MIX 0xd1342543de82ef95ULL /* odd, of no meaning */

/* The same callers come back sample after sample: what was found for them is kept, per CPU. */
static __always_inline uint64_t walk_find(uint32_t table, uint64_t address, void *memory)
{
	uint64_t key = address | (uint64_t)table << 48, rule;
	uint32_t cpu = bpf_get_smp_processor_id();
	struct wire_rule_cache *cache = bpf_map_lookup_elem(&rule_caches, &cpu);
	struct wire_cached_rule *slot;

	(void)memory;
	if (!cache || address >> 48)
		return find_rule(table, address);
	slot = &cache->slots[(key * 0x9e3779b97f4a7c15ULL) >> (64 - WIRE_RULE_CACHE_BITS)];
	/*
	 * Another program may come in between anywhere, also between the two writes. So a key is stored
	 * mixed with its rule: what belongs to two of them fits none.
	 */
	rule = READ_ONCE(slot->rule);
	if ((READ_ONCE(slot->key) ^ rule * RULE_MIX) == key)
		return rule;
	rule = find_rule(table, address);
	if (rule != WALK_FIND_NO_TABLE) {
		WRITE_ONCE(slot->rule, rule);
		WRITE_ONCE(slot->key, key ^ rule * RULE_MIX);
	}
	return rule;
}

#define NO_MAPPING 0xffffffffU

/* The index of the mapping that holds the address, or NO_MAPPING. */
__attribute__((noinline)) uint32_t find_mapping(uint32_t first, uint32_t count, uint64_t address)
{
	uint32_t low = first, high = first + count;
	struct wire_mapping *mapping;

	for (int i = 0; i < 13 && low < high; i++) {
		uint32_t middle = (low + high) / 2;

		mapping = bpf_map_lookup_elem(&mappings, &middle);
		if (!mapping)
			return NO_MAPPING;
		if (mapping->start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == first)
		return NO_MAPPING;
	low--;
	mapping = bpf_map_lookup_elem(&mappings, &low);
	return mapping && address < mapping->end ? low : NO_MAPPING;
}

/* One frame of the walk in the CPU's scratch. Returns 1 when that is over. */
__attribute__((noinline)) int walk_frame(uint32_t index)
{
	struct wire_mapping *mapping;
	struct scratch *s;
	uint64_t address;
	uint32_t cpu = bpf_get_smp_processor_id(), at;
	int outcome;

	(void)index;
	s = bpf_map_lookup_elem(&scratches, &cpu);
	if (!s)
		return 1;
	address = walk_lookup_address(&s->at);
	at = s->count;
	if (at >= s->limit || at >= MAX_ADDRESSES) {
		s->outcome = WALK_TOO_DEEP;
		return 1;
	}
	mapping = bpf_map_lookup_elem(&mappings, &s->last_mapping);
	if (!mapping || address < mapping->start || address >= mapping->end) {
		uint32_t found = find_mapping(s->first_mapping, s->mapping_count, address);

		mapping = bpf_map_lookup_elem(&mappings, &found);
		if (!mapping) {
			s->outcome = WALK_NO_MAPPING;
			return 1;
		}
		s->last_mapping = found;
	}
	outcome = walk_step(&s->at, mapping, s);
	if (outcome != WALK_OUTCOME_COUNT && outcome != WALK_COMPLETE) {
		s->outcome = outcome;
		s->guess = !(mapping->flags & MAPPING_UNKNOWN) &&
			   (outcome == WALK_NO_ROW || outcome == WALK_BAD_FRAME_POINTER ||
			    outcome == WALK_NO_PROGRESS);
		return 1;
	}
	s->payload[at] = address + s->at.planted;
	s->count = at + 1;
	if (outcome == WALK_COMPLETE) {
		s->outcome = WALK_COMPLETE;
		return 1;
	}
	s->at.first = 0;
	return 0;
}
