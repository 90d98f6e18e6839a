/* SPDX-License-Identifier: Apache-2.0 */
/* Workers whose answers come from this very process: what they do is seen by sanitizers, too. */
#pragma once

#include <sys/stat.h>

#include "reader/opener.h"
#include "reader/reader.h"
#include "worker/ask_reader.h"

/* The same every time; it lives as long as the test. */
static inline struct workers *direct_workers(void)
{
	static struct workers workers;
	static struct reader_state *reader;

	if (!reader) {
		reader = reader_state_new();
		assert_non_null(reader);
		workers_init(&workers);
		workers.reader.direct = reader_answer;
		workers.reader.direct_state = reader;
		workers.liner.direct = reader_answer;
		workers.liner.direct_state = reader;
		workers.walker.direct = reader_answer;
		workers.walker.direct_state = reader;
		workers.opener.direct = opener_answer;
	}
	return &workers;
}

/* What the opener would say of an open file. */
static inline struct opened direct_opened(int fd)
{
	struct opened opened = {};
	struct stat st;

	assert_ok(fstat(fd, &st));
	opened.identity = object_identity_of(&st);
	opened.honest = true;
	return opened;
}

/* An object of an open file (consumed). root_fd (consumed): see struct object. */
static inline struct object *direct_object(int fd, int root_fd, const char *path)
{
	struct opened opened = direct_opened(fd);
	struct object *object;

	assert_ok(ask_object(direct_workers(), &object, fd, root_fd, &opened, path));
	return object;
}
