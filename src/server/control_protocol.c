// SPDX-License-Identifier: Apache-2.0
#include "server/control_protocol.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"

const char *const control_kind_names[CONTROL_KINDS] = {
	[CONTROL_PID] = "pid",	 [CONTROL_UNIT] = "unit",
	[CONTROL_COMM] = "comm", [CONTROL_CONTAINER] = "container",
	[CONTROL_ALL] = "all",
};

const char *const control_event_names[CONTROL_EVENTS] = {
	[CONTROL_GROWTH] = "growth",
	[CONTROL_ALLOC] = "alloc",
	[CONTROL_HEAP] = "heap",
};

static const char *const verb_names[] = {
	[CONTROL_STATUS] = "status",
	[CONTROL_CAPTURE] = "capture",
	[CONTROL_RECORD] = "record",
	[CONTROL_CANCEL] = "cancel",
};

static const char *const result_names[] = {
	[CONTROL_IS_STATUS] = "status",	  [CONTROL_CAPTURED] = "captured",
	[CONTROL_RECORDED] = "recorded", [CONTROL_ABSENT] = "absent",
	[CONTROL_BUSY] = "busy",	  [CONTROL_FAILED] = "failed",
};

/* ---- words ---- */

enum { WORD_BYTES = 24 };

/* Moves *line behind the next word and the blank that follows. Returns 0 or -EBADMSG. */
static int next_word(char word[WORD_BYTES], const char **line)
{
	size_t size = strcspn(*line, " ");

	if (!size || size >= WORD_BYTES)
		return -EBADMSG;
	memcpy(word, *line, size);
	word[size] = '\0';
	*line += size + ((*line)[size] == ' ');
	return 0;
}

static int next_number(uint64_t *ret, const char **line, uint64_t max)
{
	char word[WORD_BYTES];

	if (next_word(word, line) < 0 || word[strspn(word, "0123456789")] ||
	    parse_u64(ret, word, max) != 0)
		return -EBADMSG;
	return 0;
}

/* The word's place in a list of names. */
static int next_name(unsigned *ret, const char **line, const char *const *names, size_t count)
{
	char word[WORD_BYTES];

	if (next_word(word, line) < 0)
		return -EBADMSG;
	for (unsigned i = 0; i < count; i++)
		if (strcmp(word, names[i]) == 0) {
			*ret = i;
			return 0;
		}
	return -EBADMSG;
}

static bool is_value(const char *text)
{
	size_t size = strlen(text);

	if (!size || size > CONTROL_VALUE_BYTES)
		return false;
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

/* ---- from the server ---- */

static int parse_target(struct control_request *request, const char *line)
{
	uint64_t seconds, hz = 0, pid;
	unsigned kind, event = 0;

	if (next_number(&seconds, &line, CONTROL_SECONDS_MAX) < 0 || !seconds)
		return -EBADMSG;
	if (request->verb == CONTROL_CAPTURE
		    ? next_number(&hz, &line, CONTROL_HZ_MAX) < 0 || !hz
		    : next_name(&event, &line, control_event_names, CONTROL_EVENTS) < 0)
		return -EBADMSG;
	if (next_name(&kind, &line, control_kind_names, CONTROL_KINDS) < 0 || !is_value(line))
		return -EBADMSG;
	if (kind == CONTROL_PID &&
	    (line[strspn(line, "0123456789")] || parse_u64(&pid, line, INT32_MAX) != 0 || !pid))
		return -EBADMSG;
	request->seconds = (uint32_t)seconds;
	request->hz = (uint32_t)hz;
	request->event = event;
	request->kind = kind;
	memcpy(request->value, line, strlen(line) + 1);
	return 0;
}

int control_request_parse(struct control_request *ret, const char *line)
{
	struct control_request request = {};
	unsigned verb;
	int r;

	if (next_name(&verb, &line, verb_names, ARRAY_SIZE(verb_names)) < 0 ||
	    next_number(&request.id, &line, UINT64_MAX) < 0)
		return -EBADMSG;
	request.verb = verb;
	if (verb == CONTROL_CAPTURE || verb == CONTROL_RECORD)
		r = parse_target(&request, line);
	else
		r = *line ? -EBADMSG : 0;
	if (r == 0)
		*ret = request;
	return r;
}

void control_request_add(struct bytes *ret, const struct control_request *request)
{
	bytes_add_format(ret, "%s %" PRIu64, verb_names[request->verb], request->id);
	if (request->verb == CONTROL_CAPTURE)
		bytes_add_format(ret, " %" PRIu32 " %" PRIu32 " %s %s", request->seconds,
				 request->hz, control_kind_names[request->kind], request->value);
	if (request->verb == CONTROL_RECORD)
		bytes_add_format(ret, " %" PRIu32 " %s %s %s", request->seconds,
				 control_event_names[request->event],
				 control_kind_names[request->kind], request->value);
	bytes_add_char(ret, '\n');
}

/* ---- from the daemon ---- */

int control_answer_parse(struct control_answer *ret, const char *line)
{
	struct control_answer answer = {};
	uint64_t from, until;
	unsigned result;

	if (next_name(&result, &line, result_names, ARRAY_SIZE(result_names)) < 0 ||
	    next_number(&answer.id, &line, UINT64_MAX) < 0)
		return -EBADMSG;
	answer.result = result;
	if (answer.result == CONTROL_CAPTURED) {
		if (next_number(&from, &line, INT64_MAX) < 0 ||
		    next_number(&until, &line, INT64_MAX) < 0 || from >= until || *line)
			return -EBADMSG;
		answer.from_ns = (int64_t)from;
		answer.until_ns = (int64_t)until;
	}
	if (answer.result == CONTROL_RECORDED &&
	    (next_number(&answer.size, &line, CONTROL_RECORD_BYTES_MAX) < 0 || !answer.size || *line))
		return -EBADMSG;
	if (answer.result == CONTROL_IS_STATUS && *line != '{')
		return -EBADMSG;
	answer.text = line;
	*ret = answer;
	return 0;
}

void control_answer_add(struct bytes *ret, const struct control_answer *answer)
{
	bytes_add_format(ret, "%s %" PRIu64 " ", result_names[answer->result], answer->id);
	if (answer->result == CONTROL_CAPTURED) {
		bytes_add_format(ret, "%" PRId64 " %" PRId64, answer->from_ns, answer->until_ns);
	} else if (answer->result == CONTROL_RECORDED) {
		bytes_add_format(ret, "%" PRIu64, answer->size);
	} else {
		size_t begin = ret->size;

		bytes_add_str(ret, answer->text);
		while (begin < ret->size && ret->at[ret->size - 1] == '\n')
			ret->size--;
		for (; begin < ret->size; begin++)
			if (ret->at[begin] == '\n')
				ret->at[begin] = ' ';
	}
	bytes_add_char(ret, '\n');
}

/* ---- lines ---- */

char *control_next_line(struct bytes *stream, size_t *start)
{
	char *line = stream->at ? stream->at + *start : NULL, *end;

	end = line ? memchr(line, '\n', stream->size - *start) : NULL;
	if (!end)
		return NULL;
	*end = '\0';
	*start += (size_t)(end - line) + 1;
	return line;
}

void control_drop_lines(struct bytes *stream, size_t start)
{
	if (!start)
		return;
	memmove(stream->at, stream->at + start, stream->size - start);
	stream->size -= start;
}
