// SPDX-License-Identifier: Apache-2.0
/* Each answer about the history is what `profd query` prints: parameters are its options. */
#include "server/api.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "server/site.h"

enum {
	STEPS_MAX = 400,
	ROWS_MAX = 10000,
};

/* ---- parameters ---- */

enum parameter_kind { IS_TIME, IS_NAME, IS_PIDS, IS_ROWS, IS_WORD };

/* All that there are; which of them an address takes is a set of bits in this order. */
static const struct parameter {
	const char *name, *option;
	enum parameter_kind kind;
} parameters[] = {
	{ "since", "--since", IS_TIME },
	{ "until", "--until", IS_TIME },
	{ "pid", "--pid", IS_PIDS },
	{ "comm", "--comm", IS_NAME },
	{ "cgroup", "--cgroup", IS_NAME },
	{ "unit", "--unit", IS_NAME },
	{ "container", "--container", IS_NAME },
	{ "pod", "--pod", IS_NAME },
	{ "uid", "--uid", IS_NAME },
	{ "exe", "--exe", IS_NAME },
	{ "build_id", "--build-id", IS_NAME },
	{ "baseline", "--baseline", IS_TIME },
	{ "per", "--per", IS_WORD },
	{ "limit", "--limit", IS_ROWS },
	{ "format", NULL, IS_WORD },
	{ "by", NULL, IS_WORD },
	{ "step", NULL, IS_WORD },
};

enum {
	FOR_ALL = (1 << 11) - 1,
	FOR_QUERY = FOR_ALL | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14,
	FOR_LIST = FOR_ALL | 1 << 13 | 1 << 15,
	FOR_TIMELINE = FOR_ALL | 1 << 13 | 1 << 15 | 1 << 16,
	FOR_DEPLOYS = FOR_ALL,
};

static bool is_number(const char *text, uint64_t most)
{
	struct request request = { .parameters = { { "n", text } }, .parameter_count = 1 };
	uint64_t value;

	return request_number(&request, "n", 0, 1, most, &value) == 0;
}

static bool is_good(enum parameter_kind kind, const char *value)
{
	switch (kind) {
	case IS_TIME:
		return request_is_time(value);
	case IS_NAME:
		return request_is_name(value);
	case IS_PIDS:
		return *value && strlen(value) <= CONTROL_VALUE_BYTES &&
		       !value[strspn(value, "0123456789,")];
	case IS_ROWS:
		return is_number(value, ROWS_MAX);
	case IS_WORD:
		return *value && !value[strspn(value, "abcdefghijklmnopqrstuvwxyz_0123456789")];
	}
	return false;
}

/*
 * Puts the parameters of an address into a query. Returns NULL when the exchange has been answered,
 * as something is wrong with them.
 */
static struct query *query_of(struct exchange *exchange, unsigned taken)
{
	const struct request *request = &exchange->request;
	struct query *query = query_new(exchange->site);

	for (unsigned i = 0; query && i < request->parameter_count; i++) {
		const char *name = request->parameters[i].name,
			   *value = request->parameters[i].value;
		unsigned at = 0;

		while (at < ARRAY_SIZE(parameters) &&
		       (strcmp(name, parameters[at].name) != 0 || !(taken >> at & 1)))
			at++;
		if (at == ARRAY_SIZE(parameters)) {
			exchange_fail(exchange, MHD_HTTP_BAD_REQUEST, "%.64s is not known here",
				      name);
			query_abandon(query);
			return NULL;
		}
		if (!is_good(parameters[at].kind, value)) {
			exchange_fail(exchange, MHD_HTTP_BAD_REQUEST,
				      "%s has not got a value that it "
				      "can have",
				      name);
			query_abandon(query);
			return NULL;
		}
		if (parameters[at].option)
			query_add(query, parameters[at].option, value);
	}
	if (!query)
		query_ask(exchange, NULL);
	return query;
}

static void ask(struct exchange *exchange, struct query *query, const char *type)
{
	exchange->type = type;
	query_ask(exchange, query);
}

/* ---- query ---- */

static const struct format {
	const char *name, *type, *file_name;
	enum answer_policy policy;
} formats[] = {
	{ "json", "application/json", NULL, POLICY_NONE },
	{ "text", "text/plain; charset=utf-8", NULL, POLICY_NONE },
	{ "pprof", "application/octet-stream", "profile.pb.gz", POLICY_NONE },
	{ "flamegraph", "image/svg+xml", NULL, POLICY_PICTURE },
	{ "html", "text/html; charset=utf-8", NULL, POLICY_PICTURE },
	{ "folded", "text/plain; charset=utf-8", NULL, POLICY_NONE },
	{ "speedscope", "application/json", "profile.speedscope.json", POLICY_NONE },
	{ "firefox", "application/json", "profile.firefox.json", POLICY_NONE },
	{ "cpuprofile", "application/json", "profile.cpuprofile", POLICY_NONE },
};

void api_answer_query(struct exchange *exchange)
{
	const char *name = request_parameter(&exchange->request, "format");
	const struct format *format = &formats[0];
	struct query *query = query_of(exchange, FOR_QUERY);

	if (!query)
		return;
	if (name) {
		while (format < formats + ARRAY_SIZE(formats) && strcmp(name, format->name) != 0)
			format++;
		if (format == formats + ARRAY_SIZE(formats)) {
			query_abandon(query);
			exchange_fail(
				exchange, MHD_HTTP_BAD_REQUEST,
				"format is json, text, pprof, flamegraph, html, folded, speedscope, "
				"firefox or cpuprofile");
			return;
		}
	}
	/* These two are what it prints itself. */
	if (format == &formats[0]) {
		query_add(query, "--json", NULL);
	} else if (format != &formats[1]) {
		query_add(query, "--format", format->name);
		query_add(query, "--output", "-");
	}
	exchange->policy = format->policy;
	exchange->file_name = format->file_name;
	ask(exchange, query, format->type);
}

/* ---- lists ---- */

static void add_list(struct query *query, const struct request *request)
{
	const char *by = request_parameter(request, "by");

	query_add(query, "--list", by);
	query_add(query, "--json", NULL);
}

void api_answer_list(struct exchange *exchange)
{
	struct query *query = query_of(exchange, FOR_LIST);

	if (!query)
		return;
	add_list(query, &exchange->request);
	ask(exchange, query, "application/json");
}

void api_answer_timeline(struct exchange *exchange)
{
	const char *step = request_parameter(&exchange->request, "step");
	struct query *query = query_of(exchange, FOR_TIMELINE);
	char every[24];

	if (!query)
		return;
	if (step && !is_number(step, 7 * 24 * 3600)) {
		query_abandon(query);
		exchange_fail(exchange, MHD_HTTP_BAD_REQUEST, "step is a number of seconds");
		return;
	}
	snprintf(every, sizeof(every), "%ss", step ? step : "60");
	add_list(query, &exchange->request);
	query_add(query, "--every", every);
	ask(exchange, query, "application/json");
}

void api_answer_deploys(struct exchange *exchange)
{
	struct query *query = query_of(exchange, FOR_DEPLOYS);

	if (!query)
		return;
	query_add(query, "--deploys", NULL);
	query_add(query, "--json", NULL);
	ask(exchange, query, "application/json");
}

/* ---- status ---- */

static void add_server(struct exchange *exchange, struct bytes *body)
{
	const struct site *site = exchange->site;
	struct json json = json_to(body);

	json_object(&json, NULL);
	json_u64(&json, "connections", site->http.clients.count);
	json_u64(&json, "connections_max", CONNECTIONS_MAX);
	json_u64(&json, "captures", link_running_captures(&site->link));
	json_u64(&json, "captures_max", CONTROL_CAPTURES);
	json_u64(&json, "capture_seconds_max", CONTROL_SECONDS_MAX);
	json_u64(&json, "queries", site->queries.running + site->queries.waiting);
	json_bool(&json, "history", site->settings.store);
	json_end(&json);
}

static void answer_status(struct exchange *exchange, const char *status)
{
	struct bytes body = {};

	if (!status || !metrics_is_status(status)) {
		exchange_fail_for_now(exchange, MHD_HTTP_SERVICE_UNAVAILABLE, 5,
				      "the daemon does not answer");
		return;
	}
	/* What the daemon says is JSON already. */
	bytes_add_format(&body, "{\"schema_version\":1,\"daemon\":%s,\"server\":", status);
	add_server(exchange, &body);
	body.size -= body.size > 0; /* its line end */
	bytes_add_str(&body, "}\n");
	exchange_reply(exchange, "application/json", &body);
}

void api_answer_status(struct exchange *exchange)
{
	exchange->on_status = answer_status;
	link_await_status(exchange);
}

/* ---- health ---- */

void health_answer(struct exchange *exchange)
{
	struct bytes body = {};

	bytes_add_str(&body, "ok\n");
	exchange_reply(exchange, "text/plain; charset=utf-8", &body);
}

static void answer_ready(struct exchange *exchange, const char *status)
{
	cleanup(bytes_fini) struct bytes why = {};
	const char *trouble = status ? metrics_trouble(&why, status) : "the daemon does not answer";

	if (trouble)
		exchange_fail_for_now(exchange, MHD_HTTP_SERVICE_UNAVAILABLE, 5, "%s", trouble);
	else
		health_answer(exchange);
}

void ready_answer(struct exchange *exchange)
{
	exchange->on_status = answer_ready;
	link_await_status(exchange);
}
