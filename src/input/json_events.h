/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON (RFC 8259) in memory, read as a run of events, by libyajl. Depth and lengths are limited, and
 * nothing is kept of what was told.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JSON_EVENTS_DEPTH = 64 };

enum json_event_type {
	JSON_BEGIN_OBJECT,
	JSON_BEGIN_ARRAY,
	JSON_END, /* of the innermost one */
	JSON_STRING,
	JSON_NUMBER,
	JSON_TRUE,
	JSON_NOTHING, /* false or null */
};

/* Texts are borrowed until the handler returns, and valid UTF-8. */
struct json_event {
	enum json_event_type type;
	const char *
		key; /* NUL-terminated, cut where it is longer than any that is known; "" for elements */
	const char *text; /* of a string; not NUL-terminated, and may hold NULs */
	size_t size;
	double number; /* finite */
	int64_t whole; /* the same without its fraction, to the last digit; 0: beyond 64 bits */
};

/* Named outcome of reading: it is no JSON, or goes beyond the limits. Handlers return larger ones. */
enum { JSON_DAMAGED = 1 };

struct json_place {
	size_t offset;	 /* where reading ended */
	char reason[96]; /* of JSON_DAMAGED, on one line */
};

/*
 * Calls the handler for each event, until it returns something else than 0, which is then returned.
 * Returns 0 at the end of the one value there is, JSON_DAMAGED or -ENOMEM.
 */
int json_events(const void *bytes, size_t size,
		int (*handler)(void *context, const struct json_event *event), void *context,
		struct json_place *place);
