// SPDX-License-Identifier: Apache-2.0
#include "session/copy_walk.h"

#include <string.h>

#include "worker/ask_walk.h"
#include "worker/reader_request.h"

/* A stack that crashes libunwind, or on which it never comes to an end, is the target's doing. */
enum { FAILURES_MAX = 2 };

struct code_list {
	struct walk_code at[WIRE_WALK_MAPPINGS_MAX];
	uint32_t count;
};

static bool is_readable(const struct object *object)
{
	return object && object->fd >= 0 && !object->may_block && !object->given_up &&
	       !object->walk_declined;
}

static void add_code(struct code_list *codes, const struct mapping *mapping)
{
	uint32_t at = codes->count;

	if (codes->count == WIRE_WALK_MAPPINGS_MAX || !is_readable(mapping->object))
		return;
	while (at > 0 && codes->at[at - 1].start > mapping->start)
		at--;
	memmove(codes->at + at + 1, codes->at + at, (codes->count - at) * sizeof(codes->at[0]));
	codes->at[at] =
		(struct walk_code){ mapping->start, mapping->end, mapping->bias, mapping->object };
	codes->count++;
}

/* Few are listed, and most words repeat. */
static bool is_listed(const struct code_list *codes, uint64_t address)
{
	uint32_t low = 0, high = codes->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (codes->at[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low && address < codes->at[low - 1].end;
}

/* All code that a frame of the stack may lie in: of which an address is on it. */
static void list_code(struct code_list *codes, const struct process *process,
		      const struct walk_input *input)
{
	const struct mapping *leaf = process_mapping(process, input->ip);
	uint64_t begin, end;

	codes->count = 0;
	if (leaf)
		add_code(codes, leaf);
	if (process->mappings.count == 0)
		return;
	begin = process->mappings.at[0].start;
	end = process->mappings.at[process->mappings.count - 1].end;
	for (uint32_t at = 0; at + sizeof(uint64_t) <= input->stack_bytes; at += sizeof(uint64_t)) {
		const struct mapping *mapping;
		uint64_t word;

		memcpy(&word, input->stack + at, sizeof(word));
		if (word < begin || word > end || is_listed(codes, word))
			continue;
		mapping = process_mapping(process, word - 1);
		if (mapping && !is_listed(codes, word - 1))
			add_code(codes, mapping);
	}
}

enum walk_outcome copy_walk(struct pipeline *pipeline, struct process *process,
			    struct walk_input *input, uint64_t *addresses, uint32_t limit,
			    uint32_t *count)
{
	static const uint64_t no_temporaries[WIRE_TEMPORARIES];
	struct wire_walk what = { .ip = input->ip,
				  .sp = input->sp,
				  .bp = input->bp,
				  .bx = input->bx,
				  .stack_address = input->stack_address,
				  .stack_bytes = input->stack_bytes,
				  .limit = limit < WIRE_MAX_FRAMES ? limit : WIRE_MAX_FRAMES,
				  .exact = input->exact };
	struct wire_walked walked;
	struct code_list codes;
	struct payer payer;
	int r;

	*count = 0;
	list_code(&codes, process, input);
	if (codes.count == 0 || codes.at[0].object->walks_failed >= FAILURES_MAX)
		return WALK_NO_ROW;
	payer = reader_payer(codes.at[0].object);
	memcpy(what.temporaries, input->temporaries, sizeof(what.temporaries));
	r = ask_walk(pipeline->workers, &walked, addresses, &what, codes.at, codes.count,
		     input->stack, &payer);
	/* The program's own, which is the lowest: all of its processes would go the same way. */
	if ((r == WORKER_DIED && !pipeline->workers->walker.was_killed) || r == WORKER_OVERTIME ||
	    r == WORKER_NONSENSE || r == WORKER_STUCK) {
		codes.at[0].object->walks_failed++;
		pipeline->libunwind_failures++;
	}
	if (r != 0 || walked.count == 0)
		return WALK_NO_ROW;
	*count = walked.count;
	input->ip = walked.ip;
	input->sp = walked.sp;
	input->bp = walked.bp;
	input->bx = walked.bx;
	input->temporaries = no_temporaries;
	input->exact = walked.exact;
	input->leaf = false;
	return (enum walk_outcome)walked.outcome;
}
