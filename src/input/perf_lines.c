// SPDX-License-Identifier: Apache-2.0
#include "input/perf_lines.h"

#include <string.h>

static const struct perf_text nothing = { "", 0 };

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f');
}

static bool is_word(struct perf_text word, const char *text)
{
	return word.size == strlen(text) && memcmp(word.at, text, word.size) == 0;
}

static bool begins(struct perf_text word, const char *text)
{
	return word.size >= strlen(text) && memcmp(word.at, text, strlen(text)) == 0;
}

static void trim(struct perf_text *text)
{
	while (text->size && is_blank(*text->at))
		text->at++, text->size--;
	while (text->size && is_blank(text->at[text->size - 1]))
		text->size--;
}

/* Takes the first word of the text, which is trimmed. */
static struct perf_text take_word(struct perf_text *text)
{
	struct perf_text word;

	while (text->size && is_blank(*text->at))
		text->at++, text->size--;
	word = (struct perf_text){ text->at, 0 };
	while (text->size && !is_blank(*text->at))
		text->at++, text->size--, word.size++;
	return word;
}

/* The whole word as a number below 2^63. */
static bool read_number(int64_t *ret, struct perf_text word)
{
	uint64_t value = 0;

	if (!word.size || word.size > 19)
		return false;
	for (size_t i = 0; i < word.size; i++) {
		if (!is_digit(word.at[i]))
			return false;
		value = value * 10 + (uint64_t)(word.at[i] - '0');
	}
	if (value > INT64_MAX)
		return false;
	*ret = (int64_t)value;
	return true;
}

/* "123/124", or one number alone. */
static bool read_ids(struct perf_head *head, struct perf_text word)
{
	const char *slash = memchr(word.at, '/', word.size);
	struct perf_text first = { word.at, slash ? (size_t)(slash - word.at) : word.size };
	struct perf_text second = { first.at + first.size + 1, word.size - first.size - 1 };

	if (!slash) {
		head->has_tid = read_number(&head->tid, word);
		return head->has_tid;
	}
	head->has_pid = head->has_tid =
		read_number(&head->pid, first) && read_number(&head->tid, second);
	return head->has_pid;
}

/* "[001]" */
static bool is_cpu(struct perf_text word)
{
	if (word.size < 3 || word.at[0] != '[' || word.at[word.size - 1] != ']')
		return false;
	for (size_t i = 1; i + 1 < word.size; i++)
		if (!is_digit(word.at[i]))
			return false;
	return true;
}

/* "1234.567890:" */
static bool is_time(struct perf_text word)
{
	size_t at = 0, point;

	while (at < word.size && is_digit(word.at[at]))
		at++;
	point = at;
	if (!at || at == word.size || word.at[at] != '.')
		return false;
	for (at++; at < word.size && is_digit(word.at[at]);)
		at++;
	return at > point + 1 && at + 1 == word.size && word.at[at] == ':';
}

static bool is_event(struct perf_text word)
{
	return word.size > 1 && word.at[word.size - 1] == ':' && !is_time(word);
}

/* Whether the word is one of those that end what stands before the ids. */
static bool is_behind_ids(struct perf_text word)
{
	return is_cpu(word) || is_time(word);
}

/* Comm and ids: whatever stands before CPU, time, period and event. */
static bool read_left(struct perf_head *head, struct perf_text left)
{
	size_t at;

	trim(&left);
	for (at = left.size; at && !is_blank(left.at[at - 1]);)
		at--;
	if (read_ids(head, (struct perf_text){ left.at + at, left.size - at }))
		left.size = at;
	head->comm = left;
	trim(&head->comm);
	return head->comm.size || head->has_tid;
}

/* Period and event, and then the rest. */
static bool read_right(struct perf_head *head, struct perf_text right)
{
	struct perf_text rest = right, word = take_word(&rest);

	if (read_number(&head->period, word)) {
		head->has_period = true;
		right = rest;
		word = take_word(&rest);
	}
	if (begins(word, "PERF_RECORD_"))
		return false;
	if (is_event(word)) {
		head->event = (struct perf_text){ word.at, word.size - 1 };
		right = rest;
	}
	head->rest = right;
	trim(&head->rest);
	return true;
}

/*
 * Without CPU and time: the comm, the ids, a period, an event. Of two numbers before the event the
 * last one is the period; a single one is that when it stands in a column of ten, as perf prints it.
 */
static bool read_bare(struct perf_head *head, struct perf_text line)
{
	struct perf_text rest = line, word, before[2] = { nothing, nothing };
	const char *event = NULL;

	while ((word = take_word(&rest)).size) {
		if (is_event(word) && before[1].size) {
			event = word.at;
			break;
		}
		before[0] = before[1];
		before[1] = word;
	}
	if (!event)
		return read_left(head, line);
	line.size = (size_t)(event - line.at);
	if (read_number(&head->period, before[1])) {
		struct perf_text ids = before[0];
		struct perf_head other;
		const char *column = before[1].at + before[1].size - 10;

		if (read_ids(&other, ids) ||
		    (column > line.at && (before[1].size >= 10 || is_blank(*column)) &&
		     is_blank(column[-1]) && is_blank(before[1].at[-1]) && before[1].size > 7)) {
			head->has_period = true;
			line.size = (size_t)(before[1].at - line.at);
		}
	}
	head->event = (struct perf_text){ word.at, word.size - 1 };
	head->rest = rest;
	trim(&head->rest);
	return read_left(head, line);
}

bool perf_read_head(struct perf_head *ret, const char *line, size_t size)
{
	struct perf_text rest = { line, size }, word, left = { line, 0 };

	*ret = (struct perf_head){ .comm = nothing, .event = nothing, .rest = nothing };
	if (!size || line[0] == '\t')
		return false;
	while ((word = take_word(&rest)).size) {
		if (!is_behind_ids(word))
			continue;
		left.size = (size_t)(word.at - line);
		/* What may stand between a CPU and its time are letters of the field misc. */
		if (is_cpu(word)) {
			struct perf_text ahead = rest, next = take_word(&ahead);

			if (!is_time(next) && next.size && next.size <= 4 &&
			    is_time(take_word(&ahead)))
				rest = ahead, ret->has_time = true;
			else if (is_time(next))
				rest = ahead, ret->has_time = true;
		} else {
			ret->has_time = true;
		}
		return read_left(ret, left) && read_right(ret, rest);
	}
	return read_bare(ret, (struct perf_text){ line, size });
}

/* ---- frames ---- */

/* The module in brackets at the end, which may hold blanks and brackets itself. */
static void take_module(struct perf_frame *frame, struct perf_text *rest)
{
	size_t at = rest->size - 1, depth = 1;

	if (!rest->size || rest->at[rest->size - 1] != ')')
		return;
	while (at && depth) {
		at--;
		depth += rest->at[at] == ')';
		depth -= rest->at[at] == '(';
	}
	/* Paths may hold single ones. */
	if (depth || (at && !is_blank(rest->at[at - 1])))
		for (at = rest->size - 1;
		     at && !(rest->at[at] == '(' && is_blank(rest->at[at - 1]));)
			at--;
	if (rest->at[at] != '(' || (at && !is_blank(rest->at[at - 1])))
		return;
	frame->module = (struct perf_text){ rest->at + at + 1, rest->size - at - 2 };
	rest->size = at;
	trim(rest);
	trim(&frame->module);
}

/* "+0x10" at the end of a name. */
static void drop_offset(struct perf_text *name)
{
	size_t at = name->size;

	while (at && is_hex(name->at[at - 1]))
		at--;
	if (at < name->size && at > 3 && memcmp(name->at + at - 3, "+0x", 3) == 0)
		name->size = at - 3;
}

/*
 * Without the field ip a name comes first, which may be "add" or "face". perf prints addresses in a
 * column of 16; elsewhere they have more digits than names.
 */
static bool is_address(struct perf_text word, const char *line, bool has_more)
{
	size_t column = (size_t)(word.at + word.size - line) - (*line == '\t');
	bool has_digit = false;

	if (!word.size || word.size > 16)
		return false;
	for (size_t i = 0; i < word.size; i++) {
		if (!is_hex(word.at[i]))
			return false;
		has_digit |= is_digit(word.at[i]);
	}
	return column >= 16 || (has_more && (has_digit || word.size >= 8));
}

bool perf_read_frame(struct perf_frame *ret, const char *line, size_t size)
{
	struct perf_text rest = { line, size }, word, after;

	*ret = (struct perf_frame){ .name = nothing, .module = nothing };
	trim(&rest);
	if (!rest.size)
		return false;
	after = rest;
	word = take_word(&after);
	if (is_address(word, line, after.size != 0)) {
		for (size_t i = 0; i < word.size; i++)
			ret->address = ret->address << 4 |
				       (uint64_t)(is_digit(word.at[i]) ? word.at[i] - '0'
								       : word.at[i] - 'a' + 10);
		ret->has_address = true;
		rest = after;
		trim(&rest);
	}
	take_module(ret, &rest);
	if (is_word(ret->module, "inlined")) {
		ret->inlined = true;
		ret->module.size = 0;
		take_module(ret, &rest); /* newer ones print it, too */
	}
	if (is_word(ret->module, "[unknown]"))
		ret->module.size = 0;
	drop_offset(&rest);
	if (!is_word(rest, "[unknown]"))
		ret->name = rest;
	return ret->has_address || rest.size;
}

/* "module[1a2b]", which stands where a source line is not known. */
static bool is_place(struct perf_text text)
{
	size_t at = text.size;

	if (at < 4 || text.at[at - 1] != ']')
		return false;
	for (at--; at && is_hex(text.at[at - 1]);)
		at--;
	return at > 1 && at + 1 < text.size && text.at[at - 1] == '[';
}

bool perf_read_source(struct perf_text *ret_file, uint32_t *ret_line, const char *line, size_t size)
{
	struct perf_text text = { line, size }, number;
	int64_t value;
	size_t at;

	if (size < 3 || line[0] != ' ' || line[1] != ' ')
		return false;
	trim(&text);
	if (is_place(text)) {
		*ret_file = (struct perf_text){ text.at, 0 };
		*ret_line = 0;
		return true;
	}
	/* addr2line tells more, as "file.c:12 (discriminator 3)". */
	for (at = 0; at < text.size &&
		     !(text.at[at] == ' ' && at + 1 < text.size && text.at[at + 1] == '(');)
		at++;
	text.size = at;
	while (at && text.at[at - 1] != ':')
		at--;
	number = (struct perf_text){ text.at + at, text.size - at };
	if (at < 2 || !read_number(&value, number) || value > INT32_MAX)
		return false;
	*ret_file = (struct perf_text){ text.at, at - 1 };
	*ret_line = (uint32_t)value;
	return true;
}
