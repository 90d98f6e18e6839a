/* SPDX-License-Identifier: Apache-2.0 */
/* The objects that the reader process knows, and who answers what about them. */
#pragma once

#include "reader/reader.h"
#include "elf/object.h"

struct function_starts;
struct object_names;
struct reader_state;
struct stack_walks;

struct known_object {
	uint32_t id;
	struct object *object;	    /* a reference */
	struct object_names *names; /* NULL: not set up */
	struct function_starts *starts; /* NULL: not looked for */
};

/* Answers about one object. Return answer_head.result. fds: see enum reader_question. */
int reader_answer_object(struct known_object *known, struct reply *reply);
int reader_answer_table(struct known_object *known, const int *fds, unsigned fd_count,
			struct reply *reply);
int reader_answer_names(struct known_object *known, const void *payload, size_t size, int *fds,
			unsigned fd_count, struct reply *reply);
int reader_answer_keep(struct known_object *known, struct reply *reply);
int reader_answer_needed(struct known_object *known, struct reply *reply);
int reader_answer_code(struct known_object *known, const void *payload, size_t size,
		       struct reply *reply);
int reader_answer_allocator(struct known_object *known, struct reply *reply);
int reader_answer_calls(struct known_object *known, const void *payload, size_t size,
			struct reply *reply);

/* NULL: it is not known. It stays where it is until the next object is learnt or found. */
struct known_object *reader_find(struct reader_state *state, uint32_t id);
/* What walks need that lasts; *walks: NULL at first. Answers READER_WALK, see worker/protocol.h. */
int reader_answer_walk(struct reader_state *state, struct stack_walks **walks, const void *payload,
		       size_t size, struct reply *reply);
/* Whatever libunwind does only once, some of which the sandbox forbids. Returns 0 or -ENOMEM. */
int stack_walks_prepare(struct stack_walks **walks);
void stack_walks_free(struct stack_walks *walks);
