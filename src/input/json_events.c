// SPDX-License-Identifier: Apache-2.0
#include "input/json_events.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

enum { KEY_BYTES = 40, NUMBER_BYTES = 64 };

struct events {
	int (*handler)(void *context, const struct json_event *event);
	void *context;
	struct json_place *place;
	unsigned depth;
	uint64_t is_array; /* bit i: what is open at depth i */
	char key[KEY_BYTES];
	int result;
};

static int tell(struct events *events, struct json_event event)
{
	bool in_array = events->depth && events->is_array >> events->depth & 1;

	event.key = in_array || event.type == JSON_END ? "" : events->key;
	events->result = events->handler(events->context, &event);
	return events->result == 0;
}

static int damaged(struct events *events, const char *reason)
{
	snprintf(events->place->reason, sizeof(events->place->reason), "%s", reason);
	events->result = JSON_DAMAGED;
	return 0;
}

static int begin(struct events *events, enum json_event_type type)
{
	uint64_t bit;

	if (events->depth + 1 == JSON_EVENTS_DEPTH)
		return damaged(events, "values nested too deep");
	if (!tell(events, (struct json_event){ .type = type }))
		return 0;
	bit = 1ULL << ++events->depth;
	events->is_array =
		type == JSON_BEGIN_ARRAY ? events->is_array | bit : events->is_array & ~bit;
	return 1;
}

static int on_begin_object(void *context)
{
	return begin(context, JSON_BEGIN_OBJECT);
}

static int on_begin_array(void *context)
{
	return begin(context, JSON_BEGIN_ARRAY);
}

static int on_end(void *context)
{
	struct events *events = context;

	events->depth--;
	return tell(events, (struct json_event){ .type = JSON_END });
}

static int on_key(void *context, const unsigned char *text, size_t size)
{
	struct events *events = context;

	if (size >= KEY_BYTES)
		size = KEY_BYTES - 1;
	memcpy(events->key, text, size);
	events->key[size] = '\0';
	return 1;
}

static int on_string(void *context, const unsigned char *text, size_t size)
{
	return tell(context, (struct json_event){ .type = JSON_STRING,
						  .text = (const char *)text,
						  .size = size });
}

/* The number of a text, rounded towards 0. */
static int64_t whole_of(const char *text, double number)
{
	char *end;
	long long whole;

	errno = 0;
	whole = strtoll(text, &end, 10);
	if (!*end && !errno)
		return whole;
	return fabs(number) < 0x1p63 ? (int64_t)number : 0;
}

static int on_number(void *context, const char *text, size_t size)
{
	struct json_event event = { .type = JSON_NUMBER };
	char copy[NUMBER_BYTES];
	uint64_t value = 0;
	size_t at = 0;

	/* Most are whole, and of so few digits that they are exact. */
	for (; at < size && at < 15 && text[at] >= '0' && text[at] <= '9'; at++)
		value = value * 10 + (uint64_t)(text[at] - '0');
	event.number = (double)value;
	event.whole = (int64_t)value;
	if (at < size) {
		if (size >= sizeof(copy))
			return damaged(context, "a number of too many digits");
		memcpy(copy, text, size);
		copy[size] = '\0';
		event.number = strtod(copy, NULL);
		event.whole = whole_of(copy, event.number);
	}
	if (!isfinite(event.number))
		return damaged(context, "a number too large");
	return tell(context, event);
}

static int on_boolean(void *context, int value)
{
	return tell(context, (struct json_event){ .type = value ? JSON_TRUE : JSON_NOTHING });
}

static int on_null(void *context)
{
	return tell(context, (struct json_event){ .type = JSON_NOTHING });
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_begin_object,
	.yajl_map_key = on_key,
	.yajl_end_map = on_end,
	.yajl_start_array = on_begin_array,
	.yajl_end_array = on_end,
};

/* The first line of what yajl has to say, behind "parse error: " and its like. */
static void take_reason(yajl_handle handle, struct json_place *place)
{
	unsigned char *text = yajl_get_error(handle, 0, NULL, 0);
	const char *from = text ? (const char *)text : "damaged", *colon = strstr(from, ": ");

	if (colon)
		from = colon + 2;
	snprintf(place->reason, sizeof(place->reason), "%.*s", (int)strcspn(from, "\n"), from);
	if (text)
		yajl_free_error(handle, text);
}

int json_events(const void *bytes, size_t size,
		int (*handler)(void *context, const struct json_event *event), void *context,
		struct json_place *place)
{
	struct events events = { .handler = handler, .context = context, .place = place };
	yajl_handle handle = yajl_alloc(&callbacks, NULL, &events);
	yajl_status status;

	*place = (struct json_place){};
	if (!handle)
		return -ENOMEM;
	status = yajl_parse(handle, bytes, size);
	place->offset = yajl_get_bytes_consumed(handle);
	if (status == yajl_status_ok) {
		status = yajl_complete_parse(handle);
		if (status == yajl_status_error)
			snprintf(place->reason, sizeof(place->reason), "it is cut off");
	} else if (status == yajl_status_error) {
		take_reason(handle, place);
	}
	yajl_free(handle);
	if (status == yajl_status_error)
		return JSON_DAMAGED;
	return events.result;
}
