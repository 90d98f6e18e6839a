/* SPDX-License-Identifier: Apache-2.0 */
/* What a request asks for: its URI taken apart. Pure, and never trusting. */
#pragma once

#include <stdbool.h>

#include "server/control_protocol.h"

enum {
	REQUEST_URI_BYTES = 4096,
	REQUEST_PARAMETERS = 24,
};

/* Positive results of request_parse. */
enum request_outcome {
	REQUEST_BAD = 1, /* it is not an URI of ours: escapes, control characters, no UTF-8 */
	REQUEST_LONG,	 /* too long, or too many parameters */
};

struct request_parameter {
	const char *name, *value; /* decoded; value "" when there is none */
};

struct request {
	char *text; /* owns what all others point into */
	/* Of whom: "/unit/nginx.service/debug/pprof/profile". CONTROL_ALL, "-" without such a prefix. */
	enum control_kind kind;
	const char *value;
	const char *path; /* what follows that prefix, decoded; begins with '/' */
	const char *why;  /* what is wrong with it, of REQUEST_BAD; static */
	struct request_parameter parameters[REQUEST_PARAMETERS];
	unsigned parameter_count;
};

/*
 * uri: as it stands in the request line: "/path?query" (RFC 3986), '+' in the query is a blank.
 * Returns 0 (free with request_fini), a request_outcome, or -ENOMEM.
 */
int request_parse(struct request *ret, const char *uri);
void request_fini(struct request *request);
static inline void request_fini_cleanup(struct request *request)
{
	request_fini(request);
}
/* The first value of a parameter; NULL: there is none. */
const char *request_parameter(const struct request *request, const char *name);

/*
 * A whole number of a parameter. absent: what it is without that parameter.
 * Returns 0, or -EINVAL when it is no number from `least` to `most`.
 */
int request_number(const struct request *request, const char *name, uint64_t absent, uint64_t least,
		   uint64_t most, uint64_t *ret);
/*
 * Whether a text may be handed to `profd query` as a point in time or a span: "10m", "14:02",
 * "2026-11-26T14:02", "yesterday 14:02", "@1764160000.5"; what it means is for that to find out.
 */
bool request_is_time(const char *text);
/* The same of a name: a unit, a pattern of commands, an id, a path. */
bool request_is_name(const char *text);
