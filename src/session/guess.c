// SPDX-License-Identifier: Apache-2.0
#include "session/guess.h"

#include <string.h>

#include "elf/call_sites.h"
#include "worker/ask_reader.h"

enum {
	WORDS_MAX = 1024, /* of stack that are looked at for one caller */
	BATCH = 128,	  /* addresses that are asked about at once */
	FUNCTION_BYTES_MAX = 1 << 16,
	SITES_MAX = 1 << 20,
};

/* No process has memory from here on, and nothing that is added to it wraps around. */
#define USER_END (1ULL << 56)

void call_sites_fini(struct call_sites *sites)
{
	hash_index_fini(&sites->index);
	array_fini(&sites->sites);
}

static bool same_site(const void *context, uint32_t position, const void *key)
{
	const struct call_sites *sites = context;
	const struct call_site *a = &sites->sites.at[position], *b = key;

	return a->address == b->address && a->object == b->object;
}

static uint64_t hash_site(const struct call_site *site)
{
	return hash_pair(site->object, site->address);
}

static const struct call_site *find_site(const struct call_sites *sites,
					 const struct call_site *key)
{
	uint32_t at = hash_index_find(&sites->index, hash_site(key), same_site, sites, key);

	return at == HASH_ABSENT ? NULL : &sites->sites.at[at];
}

static void add_site(struct call_sites *sites, const struct call_site *site)
{
	struct call_site *slot;

	if (sites->sites.count >= SITES_MAX)
		call_sites_fini(sites);
	slot = array_push(&sites->sites);
	if (!slot)
		return;
	*slot = *site;
	if (hash_index_add(&sites->index, hash_site(site), sites->sites.count - 1) < 0)
		sites->sites.count--;
}

/* Code of a file is known to hold calls; generated code, of which we have no bytes, is not asked. */
static const struct mapping *code_before(const struct process *process, uint64_t address)
{
	const struct mapping *mapping = process_mapping(process, address - 1);

	return mapping && mapping->object ? mapping : NULL;
}

/* Where offsets count from: the copy, or address 0 of a process whose memory can be read. */
static uint64_t stack_begin(const struct walk_input *input)
{
	return input->read ? 0 : input->stack_address;
}

/* 0, which leads nowhere, if it cannot be read. */
static uint64_t word_at(const struct walk_input *input, uint64_t offset)
{
	uint64_t word;

	if (input->read)
		return input->read(&word, offset, input->read_context) == 0 ? word : 0;
	memcpy(&word, input->stack + offset, sizeof(word));
	return word;
}

/* Asks about the word at the offset and those behind it that lie in the same object. */
static bool learn(struct pipeline *p, const struct process *process,
		  const struct walk_input *input, uint64_t offset, uint64_t end,
		  struct object *object)
{
	uint64_t addresses[BATCH];
	uint64_t targets[BATCH];
	uint32_t count = 0;

	for (; offset < end && count < BATCH; offset += 8) {
		uint64_t word = word_at(input, offset);
		const struct mapping *mapping = code_before(process, word);
		struct call_site site = { word, object->id, CALL_NONE };

		if (!mapping || mapping->object != object)
			continue;
		site.address -= mapping->bias;
		if (!find_site(&p->calls, &site))
			addresses[count++] = site.address;
	}
	if (count == 0 || ask_calls(p->workers, targets, object, addresses, count) < 0)
		return false;
	for (uint32_t i = 0; i < count; i++)
		add_site(&p->calls, &(struct call_site){ addresses[i], object->id, targets[i] });
	return true;
}

bool guess_is_allowed(const struct process *process, enum walk_outcome outcome,
		      const struct walk_end *end)
{
	return (outcome == WALK_NO_ROW || outcome == WALK_BAD_FRAME_POINTER ||
		outcome == WALK_NO_PROGRESS) &&
	       code_before(process, end->address + 1);
}

/* What is known of the word at the offset, asking if need be. False: it is no return address. */
static bool find_call(struct pipeline *p, const struct process *process,
		      const struct walk_input *input, uint64_t offset, uint64_t end,
		      struct call_site *ret)
{
	uint64_t word = word_at(input, offset);
	const struct mapping *mapping = code_before(process, word);
	const struct call_site *site;

	if (!mapping)
		return false;
	*ret = (struct call_site){ word - mapping->bias, mapping->object->id, CALL_NONE };
	site = find_site(&p->calls, ret);
	if (!site && learn(p, process, input, offset, end, mapping->object))
		site = find_site(&p->calls, ret);
	if (!site || site->target == CALL_NONE)
		return false;
	*ret = *site;
	return true;
}

/*
 * How far behind the beginning of what the call leads to the frame is, both in the same object.
 * FUNCTION_BYTES_MAX: nobody knows; UINT64_MAX: it leads elsewhere.
 */
static uint64_t distance_from(const struct call_site *call, const struct mapping *mapping,
			      uint64_t address)
{
	uint64_t distance = address - mapping->bias - call->target;

	/* A call from another object goes by way of that one's PLT. */
	if (call->target == CALL_INDIRECT || call->object != mapping->object->id)
		return FUNCTION_BYTES_MAX;
	return distance < FUNCTION_BYTES_MAX ? distance : UINT64_MAX;
}

bool guess_caller(struct pipeline *p, const struct process *process, struct walk_input *input,
		  const struct walk_end *at)
{
	static const uint64_t no_temporaries[WIRE_TEMPORARIES];
	const struct mapping *mapping = process_mapping(process, at->address);
	uint64_t offset = ((at->sp + 7) & ~7ULL) - stack_begin(input), end;
	uint64_t best = UINT64_MAX, best_offset = 0;

	end = input->read ? USER_END : input->stack_bytes & ~7ULL;
	if (at->sp < stack_begin(input) || offset > end || !mapping)
		return false;
	if (end > offset + 8 * WORDS_MAX)
		end = offset + 8 * WORDS_MAX;
	for (; offset < end; offset += 8) {
		struct call_site call;
		uint64_t distance;

		if (!find_call(p, process, input, offset, end, &call))
			continue;
		distance = distance_from(&call, mapping, at->address);
		if (distance < best) {
			best = distance;
			best_offset = offset;
		}
	}
	if (best == UINT64_MAX)
		return false;
	input->ip = word_at(input, best_offset);
	input->sp = stack_begin(input) + best_offset + 8;
	input->bp = at->bp;
	input->bx = 0;
	input->temporaries = no_temporaries;
	input->exact = input->leaf = input->loose = false;
	return true;
}
