// SPDX-License-Identifier: Apache-2.0
/*
 * The contract is that of Go's net/http/pprof and of cmd/pprof, which asks: an answer is 200 with a
 * profile, or another status with "X-Go-Pprof: 1" and a sentence.
 */
#include "server/pprof.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "server/site.h"

enum {
	SECONDS = 30, /* as in net/http/pprof */
	HZ = 99,
	MEMORY_SECONDS = 10,
	CMDLINE_BYTES = 128 << 10,
};

/* ---- what there is ---- */

static const struct {
	const char *name, *words;
	bool is_there, of_pid;
} profiles[] = {
	{ "profile",
	  "CPU time: ?seconds=N of it from now on (30), or ?window=last, ?since=10m, "
	  "?since=14:02&until=14:06 from the history",
	  true, false },
	{ "heap",
	  "memory that became resident within ?seconds=N from now on (10), and what of it stayed; "
	  "?event=heap: all that is allocated, of a process that runs with profd's library",
	  true, false },
	{ "allocs", "what is allocated within ?seconds=N from now on (10)", true, true },
	{ "cmdline", "the command line, words separated by NULs", true, true },
	{ "symbol", "names of addresses: all that are known are in the profiles already", true,
	  false },
};

/* Of Go programs, and what to say instead. */
static const struct {
	const char *name, *words;
} unknown[] = {
	{ "block", "profd does not measure waiting" },
	{ "mutex", "profd does not measure waiting for locks" },
	{ "trace", "profd takes no execution traces" },
	{ "goroutine",
	  "profd cannot list goroutines; 'profd dump' shows the stacks of all threads" },
	{ "threadcreate", "profd does not record where threads are made" },
	{ "fgprof", "profd does not measure waiting" },
};

static void add_prefix(struct bytes *bytes, const struct request *request)
{
	if (request->kind != CONTROL_ALL)
		bytes_add_format(bytes, "%s %s", control_kind_names[request->kind], request->value);
	else
		bytes_add_str(bytes, "the whole machine");
}

static void add_escaped(struct bytes *bytes, const char *text)
{
	for (; *text; text++)
		if (strchr("<>&\"'", *text))
			bytes_add_format(bytes, "&#%d;", *text);
		else
			bytes_add_char(bytes, *text);
}

static void index_json(struct exchange *exchange, struct bytes *body)
{
	const struct request *request = &exchange->request;
	struct json json = json_to(body);

	json_object(&json, NULL);
	json_string(&json, "target", control_kind_names[request->kind]);
	if (request->kind != CONTROL_ALL)
		json_string(&json, "value", request->value);
	json_array(&json, "profiles");
	for (size_t i = 0; i < ARRAY_SIZE(profiles); i++) {
		if (profiles[i].of_pid && request->kind != CONTROL_PID)
			continue;
		json_object(&json, NULL);
		json_string(&json, "name", profiles[i].name);
		json_string(&json, "href", profiles[i].name);
		json_string(&json, "description", profiles[i].words);
		json_end(&json);
	}
	json_end(&json);
	json_end(&json);
}

static void index_html(struct exchange *exchange, struct bytes *body)
{
	const struct request *request = &exchange->request;
	cleanup(bytes_fini) struct bytes of = {};

	add_prefix(&of, request);
	bytes_add_str(body, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
			    "<meta name=\"viewport\" content=\"width=device-width\">"
			    "<link rel=\"stylesheet\" href=\"/profd.css\"><title>");
	add_escaped(body, bytes_str(&of) ? of.at ? of.at : "" : "");
	bytes_add_str(body, "</title></head>\n<body><main><h1>Profiles of ");
	add_escaped(body, bytes_str(&of) ? of.at ? of.at : "" : "");
	bytes_add_str(body, "</h1>\n<dl>\n");
	for (size_t i = 0; i < ARRAY_SIZE(profiles); i++) {
		if (profiles[i].of_pid && request->kind != CONTROL_PID)
			continue;
		bytes_add_format(body, "<dt><a href=\"%s\">%s</a></dt><dd>", profiles[i].name,
				 profiles[i].name);
		add_escaped(body, profiles[i].words);
		bytes_add_str(body, "</dd>\n");
	}
	bytes_add_str(body, "</dl>\n<p><a href=\"/\">profd</a></p></main></body></html>\n");
}

void pprof_answer_index(struct exchange *exchange)
{
	const char *accepted = exchange_header(exchange, "Accept");
	struct bytes body = {};

	if (accepted && strstr(accepted, "application/json")) {
		index_json(exchange, &body);
		exchange_reply(exchange, "application/json", &body);
	} else {
		index_html(exchange, &body);
		exchange_reply_page(exchange, &body);
	}
}

void pprof_answer_elsewhere(struct exchange *exchange)
{
	/* Relative: below /pid/N it is another one. */
	exchange_reply_elsewhere(exchange, "pprof/");
}

void pprof_answer_unknown(struct exchange *exchange)
{
	const char *name = strrchr(exchange->request.path, '/') + 1;

	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		if (strcmp(name, unknown[i].name) == 0) {
			exchange_fail(exchange, MHD_HTTP_NOT_FOUND,
				      "%s; there is /debug/pprof/profile", unknown[i].words);
			return;
		}
	exchange_fail(exchange, MHD_HTTP_NOT_FOUND,
		      "Unknown profile; there is /debug/pprof/profile");
}

/* ---- profile ---- */

static void add_target(struct query *query, const struct request *request)
{
	static const char *const options[CONTROL_KINDS] = {
		[CONTROL_PID] = "--pid",
		[CONTROL_UNIT] = "--unit",
		[CONTROL_COMM] = "--comm",
		[CONTROL_CONTAINER] = "--container",
	};

	if (options[request->kind])
		query_add(query, options[request->kind], request->value);
}

/* since, until: as `profd query` understands them; until NULL: now. */
static void ask(struct exchange *exchange, const char *since, const char *until)
{
	struct query *query = query_new(exchange->site);

	exchange->type = "application/octet-stream";
	exchange->file_name = "profile";
	exchange->policy = POLICY_NONE;
	if (query) {
		query_add(query, "--since", since);
		if (until)
			query_add(query, "--until", until);
		add_target(query, &exchange->request);
		query_add(query, "--format", "pprof");
		query_add(query, "--output", "-");
	}
	query_ask(exchange, query);
}

static void ask_between(struct exchange *exchange, int64_t from_ns, int64_t until_ns)
{
	char since[32], until[32];

	snprintf(since, sizeof(since), "@%" PRId64 "ns", from_ns);
	snprintf(until, sizeof(until), "@%" PRId64 "ns", until_ns);
	ask(exchange, since, until);
}

void pprof_answer_captured(struct exchange *exchange, int64_t from_ns, int64_t until_ns)
{
	ask_between(exchange, from_ns, until_ns);
}

void pprof_answer_recorded(struct exchange *exchange, int fd, uint64_t size)
{
	exchange->type = "application/octet-stream";
	exchange->policy = POLICY_NONE;
	exchange_reply_file(exchange, fd, size);
}

static bool is_running(const char *pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%s", pid);
	return access(path, F_OK) == 0;
}

void pprof_answer_profile(struct exchange *exchange)
{
	const struct request *request = &exchange->request;
	const char *since = request_parameter(request, "since");
	const char *until = request_parameter(request, "until");
	const char *window = request_parameter(request, "window");
	uint64_t seconds, hz;

	if (request_number(request, "seconds", SECONDS, 1, CONTROL_SECONDS_MAX, &seconds) < 0) {
		exchange_fail(exchange, MHD_HTTP_BAD_REQUEST, "seconds is a number from 1 to %d",
			      CONTROL_SECONDS_MAX);
		return;
	}
	if (request_number(request, "hz", HZ, 1, CONTROL_HZ_MAX, &hz) < 0) {
		exchange_fail(exchange, MHD_HTTP_BAD_REQUEST, "hz is a number from 1 to %d",
			      CONTROL_HZ_MAX);
		return;
	}
	if (window) {
		int64_t now = (int64_t)clock_ns(CLOCK_REALTIME);

		if (strcmp(window, "last") != 0 || since || until)
			exchange_fail(exchange, MHD_HTTP_BAD_REQUEST,
				      "window is 'last', and goes without since and until");
		else
			ask_between(exchange, now - (int64_t)seconds * 1000000000, now);
		return;
	}
	if (since || until) {
		if (!since || !request_is_time(since) || (until && !request_is_time(until)))
			exchange_fail(
				exchange, MHD_HTTP_BAD_REQUEST,
				"since, and until if it is given, are times like 10m, 14:02 or "
				"@1764160000");
		else
			ask(exchange, since, until);
		return;
	}
	if (request->kind == CONTROL_PID && !is_running(request->value)) {
		exchange_fail(exchange, MHD_HTTP_NOT_FOUND, "there is no process %s",
			      request->value);
		return;
	}
	link_capture(exchange, (uint32_t)seconds, (uint32_t)hz);
}

/* ---- heap, allocs ---- */

static void record(struct exchange *exchange, enum control_event event)
{
	const struct request *request = &exchange->request;
	uint64_t seconds;

	if (request_number(request, "seconds", MEMORY_SECONDS, 1, CONTROL_SECONDS_MAX, &seconds) < 0)
		exchange_fail(exchange, MHD_HTTP_BAD_REQUEST, "seconds is a number from 1 to %d",
			      CONTROL_SECONDS_MAX);
	else if (request->kind == CONTROL_PID && !is_running(request->value))
		exchange_fail(exchange, MHD_HTTP_NOT_FOUND, "there is no process %s",
			      request->value);
	else
		link_record(exchange, (uint32_t)seconds, event);
}

void pprof_answer_heap(struct exchange *exchange)
{
	const char *event = request_parameter(&exchange->request, "event");

	exchange->file_name = "heap";
	if (event && strcmp(event, "growth") != 0 && strcmp(event, "heap") != 0)
		exchange_fail(exchange, MHD_HTTP_BAD_REQUEST, "event is growth or heap");
	else
		record(exchange, event && *event == 'h' ? CONTROL_HEAP : CONTROL_GROWTH);
}

void pprof_answer_allocs(struct exchange *exchange)
{
	exchange->file_name = "allocs";
	if (exchange->request.kind != CONTROL_PID)
		exchange_fail(exchange, MHD_HTTP_NOT_FOUND,
			      "allocations are measured in one process: /pid/N/debug/pprof/allocs");
	else
		record(exchange, CONTROL_ALLOC);
}

/* ---- cmdline, symbol ---- */

void pprof_answer_cmdline(struct exchange *exchange)
{
	struct bytes body = {};
	char path[48];
	int r;

	if (exchange->request.kind != CONTROL_PID) {
		exchange_fail(exchange, MHD_HTTP_NOT_FOUND,
			      "only a process has a command line: /pid/N/debug/pprof/cmdline");
		return;
	}
	snprintf(path, sizeof(path), "/proc/%s/cmdline", exchange->request.value);
	r = fs_read(&body, AT_FDCWD, path, CMDLINE_BYTES);
	if (r < 0 && r != -EFBIG) {
		bytes_fini(&body);
		exchange_fail(exchange, MHD_HTTP_NOT_FOUND, "there is no process %s",
			      exchange->request.value);
		return;
	}
	/* As net/http/pprof has it: between the words only. */
	if (body.size && !body.at[body.size - 1])
		body.size--;
	exchange_reply(exchange, "text/plain; charset=utf-8", &body);
}

/*
 * Go's tool asks for what a profile has no names for. Whatever profd can name it has named there, by
 * what belongs to the program that was sampled; a bare address says nothing about that.
 */
void pprof_answer_symbol(struct exchange *exchange)
{
	struct bytes body = {};

	bytes_add_str(&body, "num_symbols: 0\n");
	exchange_reply(exchange, "text/plain; charset=utf-8", &body);
}
