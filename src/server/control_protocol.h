/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the HTTP server and the daemon that records say to each other, over a pair of SOCK_STREAM
 * sockets: lines of text that end with '\n', no longer than CONTROL_LINE_BYTES, words separated by one
 * blank. An ID is a number, never used twice, that the server has chosen.
 *
 *     server → daemon                          daemon → server
 *     status ID                                status ID {JSON}, or failed ID WORDS
 *     capture ID SECONDS HZ KIND VALUE         captured ID FROM_NS UNTIL_NS
 *                                              absent ID WORDS    there is no such target
 *                                              busy ID WORDS      not now: the governor, a limit
 *                                              failed ID WORDS    any other trouble
 *     record ID SECONDS EVENT KIND VALUE       recorded ID SIZE, with a descriptor: see below
 *                                              absent, busy or failed ID WORDS
 *     cancel ID                                nothing; nor is what has that ID answered any more
 *
 * status: the JSON is one object on one line; server/metrics.h says what is in it.
 * capture: the target is sampled at HZ for SECONDS from now on. The answer comes when the history
 * holds the windows of exactly that stretch (CLOCK_REALTIME). KIND is pid, unit, comm, container or
 * all; VALUE is the rest of the line ("-" for all), CONTROL_VALUE_BYTES at most, without control
 * characters. A cancel for what has been answered already is no mistake.
 * record: another event than CPU time, of which there is no history: EVENT is growth, alloc or heap. The
 * answer brings the profile (pprof, packed) as a descriptor of a file of SIZE bytes, which comes with
 * the line's first byte (SCM_RIGHTS).
 *
 * At any time the server has asked for one status and CONTROL_CAPTURES captures and records at most, and it always
 * takes what comes at once; so neither side ever has more to keep than that. What a side cannot
 * understand it closes the socket for. When the socket is closed, the server ends.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum {
	CONTROL_LINE_BYTES = 1 << 20,
	CONTROL_REQUEST_BYTES = 512, /* of a line from the server */
	CONTROL_VALUE_BYTES = 256,
	CONTROL_CAPTURES = 8,
	CONTROL_SECONDS_MAX = 300,
	CONTROL_HZ_MAX = 999,
	CONTROL_RECORD_BYTES_MAX = 32 << 20, /* of a profile */
};

enum control_kind {
	CONTROL_PID,
	CONTROL_UNIT,
	CONTROL_COMM,
	CONTROL_CONTAINER,
	CONTROL_ALL,
	CONTROL_KINDS
};

enum control_event { CONTROL_GROWTH, CONTROL_ALLOC, CONTROL_HEAP, CONTROL_EVENTS };

/* "growth", ... */
extern const char *const control_event_names[CONTROL_EVENTS];
/* "pid", ... */
extern const char *const control_kind_names[CONTROL_KINDS];

/* ---- From the server. ---- */

enum control_verb { CONTROL_STATUS, CONTROL_CAPTURE, CONTROL_RECORD, CONTROL_CANCEL };

struct control_request {
	enum control_verb verb;
	uint64_t id;
	/* Of CONTROL_CAPTURE and CONTROL_RECORD only. */
	uint32_t seconds;	  /* 1 .. CONTROL_SECONDS_MAX */
	uint32_t hz;		  /* of a capture: 1 .. CONTROL_HZ_MAX */
	enum control_event event; /* of a record */
	enum control_kind kind;
	char value[CONTROL_VALUE_BYTES + 1]; /* of CONTROL_PID: decimal, 1 .. INT32_MAX */
};

/* line: without its end, NUL-terminated. Returns 0 or -EBADMSG. */
int control_request_parse(struct control_request *ret, const char *line);
/* Appends the line, with its end. */
void control_request_add(struct bytes *ret, const struct control_request *request);

/* ---- From the daemon. ---- */

enum control_result {
	CONTROL_IS_STATUS,
	CONTROL_CAPTURED,
	CONTROL_RECORDED,
	CONTROL_ABSENT,
	CONTROL_BUSY,
	CONTROL_FAILED,
};

struct control_answer {
	enum control_result result;
	uint64_t id;
	int64_t from_ns, until_ns; /* of CONTROL_CAPTURED; CLOCK_REALTIME, from < until */
	uint64_t size;		   /* of CONTROL_RECORDED: 1 .. CONTROL_RECORD_BYTES_MAX */
	const char *text;	   /* the JSON, or the words: the rest of the line, borrowed */
};

/* line: without its end, NUL-terminated. Returns 0 or -EBADMSG. */
int control_answer_parse(struct control_answer *ret, const char *line);
/* Appends the line, with its end; line ends within text become blanks. */
void control_answer_add(struct bytes *ret, const struct control_answer *answer);

/* ---- Lines out of a stream. ---- */

/*
 * The next whole line of what has come: its '\n' is replaced by a NUL. *start: where it begins,
 * 0 at first; moved behind the line. Returns NULL when there is none yet.
 */
char *control_next_line(struct bytes *stream, size_t *start);
/* Drops what lies before `start`. */
void control_drop_lines(struct bytes *stream, size_t start);
