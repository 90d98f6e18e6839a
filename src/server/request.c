// SPDX-License-Identifier: Apache-2.0
#include "server/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/utf8.h"

enum { TIME_BYTES = 64 };

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

static bool is_clean(const char *text)
{
	size_t size = strlen(text);

	while (size) {
		uint32_t point;
		size_t length = utf8_next(&point, text, size);

		if (!length || point < ' ' || (point >= 0x7f && point < 0xa0))
			return false;
		text += length;
		size -= length;
	}
	return true;
}

/* Percent-decodes in place. Returns false for what does not become clean text. */
static bool decode(char *text, bool plus_is_blank)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		if (*from == '%') {
			int high = hex_digit(from[1]), low = high < 0 ? -1 : hex_digit(from[2]);

			/* A NUL would end the text early. */
			if (low < 0 || (high == 0 && low == 0))
				return false;
			*to++ = (char)(high << 4 | low);
			from += 2;
		} else {
			*to++ = *from == '+' && plus_is_blank ? ' ' : *from;
		}
	}
	*to = '\0';
	return is_clean(text);
}

/* ---- whom it is about ---- */

static bool is_pid(const char *value)
{
	uint64_t pid;

	return !value[strspn(value, "0123456789")] && parse_u64(&pid, value, INT32_MAX) == 0 && pid;
}

/* Takes "/KIND/VALUE" off the path, if it begins so. Returns 0 or REQUEST_BAD. */
static int take_target(struct request *request, char *path)
{
	request->kind = CONTROL_ALL;
	request->value = "-";
	request->path = path;
	for (unsigned kind = 0; kind < CONTROL_ALL; kind++) {
		size_t size = strlen(control_kind_names[kind]);
		char *value = path + 1 + size + 1, *end;

		if (strncmp(path + 1, control_kind_names[kind], size) != 0 || path[1 + size] != '/')
			continue;
		end = strchr(value, '/');
		if (!end || end == value) {
			request->why = "a name and a path like /debug/pprof/profile follow";
			return REQUEST_BAD;
		}
		/* One character before its place, so that the path keeps its '/'. */
		memmove(value - 1, value, (size_t)(end - value));
		end[-1] = '\0';
		request->kind = kind;
		request->value = value - 1;
		request->path = end;
		if (!decode(value - 1, false) || !request_is_name(value - 1)) {
			request->why = "the name is not one";
			return REQUEST_BAD;
		}
		if (kind == CONTROL_PID && !is_pid(value - 1)) {
			request->why = "the pid is not a number";
			return REQUEST_BAD;
		}
	}
	return 0;
}

/* ---- parameters ---- */

static int take_parameters(struct request *request, char *query)
{
	char *rest = query, *pair;

	while ((pair = strsep(&rest, "&"))) {
		char *value = pair;
		const char *name = strsep(&value, "=");
		struct request_parameter *parameter;

		if (!*pair && !value)
			continue;
		if (request->parameter_count == REQUEST_PARAMETERS)
			return REQUEST_LONG;
		if (!decode(pair, true) || (value && !decode(value, true))) {
			request->why = "the parameters cannot be decoded";
			return REQUEST_BAD;
		}
		parameter = &request->parameters[request->parameter_count++];
		parameter->name = name;
		parameter->value = value ? value : "";
	}
	return 0;
}

int request_parse(struct request *ret, const char *uri)
{
	struct request request = {};
	char *query, *path;
	int r = 0;

	if (strlen(uri) > REQUEST_URI_BYTES)
		return REQUEST_LONG;
	request.why = "it is not a path";
	request.text = strdup(uri);
	if (!request.text)
		return -ENOMEM;
	path = request.text;
	query = strchr(path, '?');
	if (query)
		*query++ = '\0';
	if (*path != '/')
		r = REQUEST_BAD;
	if (r == 0)
		r = take_target(&request, path);
	if (r == 0 && !decode(request.text + (request.path - request.text), false)) {
		request.why = "the path cannot be decoded";
		r = REQUEST_BAD;
	}
	if (r == 0 && query)
		r = take_parameters(&request, query);
	if (r != 0) {
		ret->why = request.why;
		free(request.text);
		return r;
	}
	request.why = NULL;
	*ret = request;
	return 0;
}

void request_fini(struct request *request)
{
	free(request->text);
	*request = (struct request){};
}

const char *request_parameter(const struct request *request, const char *name)
{
	for (unsigned i = 0; i < request->parameter_count; i++)
		if (strcmp(request->parameters[i].name, name) == 0)
			return request->parameters[i].value;
	return NULL;
}

int request_number(const struct request *request, const char *name, uint64_t absent, uint64_t least,
		   uint64_t most, uint64_t *ret)
{
	const char *text = request_parameter(request, name);
	uint64_t value = absent;

	if (text && (!*text || text[strspn(text, "0123456789")] ||
		     parse_u64(&value, text, most) != 0 || value < least))
		return -EINVAL;
	*ret = value;
	return 0;
}

bool request_is_time(const char *text)
{
	size_t size = strlen(text);

	/* What begins like an option is none of these. */
	return size && size <= TIME_BYTES && *text != '-' &&
	       !text[strspn(text, "0123456789abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ:.@+- ,/")];
}

bool request_is_name(const char *text)
{
	size_t size = strlen(text);

	return size && size <= CONTROL_VALUE_BYTES && is_clean(text);
}
