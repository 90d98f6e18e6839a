/* SPDX-License-Identifier: Apache-2.0 */
/* The objects that the reader process knows, and who answers what about them. */
#pragma once

#include "reader/reader.h"
#include "elf/object.h"

struct object_names;

struct known_object {
	uint32_t id;
	struct object *object;	    /* a reference */
	struct object_names *names; /* NULL: not set up */
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
