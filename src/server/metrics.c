// SPDX-License-Identifier: Apache-2.0
#include "server/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <yajl/yajl_tree.h>

#include "base/cleanup.h"
#include "server/site.h"

enum {
	LABELLED_MAX = 64, /* of one metric: reasons, places */
	LABEL_BYTES = 256,
};

DEFINE_CLEANUP(struct yajl_val_s, yajl_tree_free);

/* ---- out of the JSON ---- */

static yajl_val parse(const char *json)
{
	char error[64];
	yajl_val tree = yajl_tree_parse(json, error, sizeof(error));

	if (tree && YAJL_IS_OBJECT(tree))
		return tree;
	yajl_tree_free(tree);
	return NULL;
}

static yajl_val member(yajl_val object, const char *name)
{
	return yajl_tree_get(object, (const char *[]){ name, NULL }, yajl_t_any);
}

/* A number that is not negative; false: it is none. */
static bool number(yajl_val value, double *ret)
{
	if (!value || !YAJL_IS_NUMBER(value))
		return false;
	*ret = YAJL_IS_INTEGER(value) ? (double)YAJL_GET_INTEGER(value)
				      : strtod(YAJL_GET_NUMBER(value), NULL);
	return *ret >= 0 && *ret < 1e300;
}

/* ---- into text ---- */

static void add_head(struct bytes *ret, const char *name, const char *type, const char *help)
{
	bytes_add_format(ret, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void add_value(struct bytes *ret, double value)
{
	bytes_add_format(ret, " %.15g\n", value);
}

/* Backslashes, quotes and line ends are escaped; anything else may stand in a label. */
static void add_label(struct bytes *ret, const char *name, const char *value)
{
	size_t left = LABEL_BYTES;

	bytes_add_format(ret, "%s=\"", name);
	for (; *value && left; value++, left--)
		if (*value == '\n')
			bytes_add_str(ret, "\\n");
		else if (*value == '\\' || *value == '"')
			bytes_add_format(ret, "\\%c", *value);
		else
			bytes_add_char(ret, *value);
	bytes_add_char(ret, '"');
}

/* ---- what is one number ---- */

static const struct simple {
	const char *member, *name, *type, *help;
	double scale;
} simple[] = {
	{ "samples", "profd_samples_total", "counter", "Samples taken.", 1 },
	{ "frames", "profd_frames_total", "counter", "Frames of the stacks that were counted.", 1 },
	{ "frames_named", "profd_named_frames_total", "counter", "Frames that have a name.", 1 },
	{ "rate_hz", "profd_sampling_rate_hertz", "gauge",
	  "Samples per second of CPU time, as the governor has set it.", 1 },
	{ "asked_rate_hz", "profd_configured_sampling_rate_hertz", "gauge",
	  "Samples per second of CPU time, as configured.", 1 },
	{ "bpf_ns", "profd_bpf_seconds_total", "counter", "CPU time of profd's BPF programs.",
	  1e-9 },
	{ "kernel_bytes", "profd_kernel_memory_bytes", "gauge",
	  "Memory of the kernel that profd's rings and tables take.", 1 },
	{ "processes", "profd_processes", "gauge", "Processes that profd knows.", 1 },
	{ "tables", "profd_unwind_tables", "gauge", "Unwind tables that are loaded.", 1 },
	{ "cpus", "profd_cpus", "gauge", "CPUs that samples are taken on.", 1 },
	{ "windows_written", "profd_windows_written_total", "counter",
	  "Windows that the history has taken.", 1 },
	{ "windows_dropped", "profd_windows_dropped_total", "counter",
	  "Windows that the history has not taken.", 1 },
	{ "store_bytes", "profd_store_bytes", "gauge", "Size of the history on disk.", 1 },
	{ "own_cpu_ns", "process_cpu_seconds_total", "counter",
	  "CPU time of profd's own processes.", 1e-9 },
	{ "rss_bytes", "process_resident_memory_bytes", "gauge",
	  "Resident memory of profd's own processes.", 1 },
	{ "started_s", "process_start_time_seconds", "gauge",
	  "When profd was started, since the epoch.", 1 },
};

static void add_simple(struct bytes *ret, yajl_val status)
{
	for (size_t i = 0; i < ARRAY_SIZE(simple); i++) {
		double value;

		if (!number(member(status, simple[i].member), &value))
			continue;
		add_head(ret, simple[i].name, simple[i].type, simple[i].help);
		bytes_add_str(ret, simple[i].name);
		/* Whole seconds and bytes stay what they are. */
		add_value(ret, simple[i].scale < 1 ? value / 1e9 : value);
	}
}

/* ---- what is counted by something ---- */

static void add_by(struct bytes *ret, yajl_val object, const char *name, const char *label,
		   const char *help)
{
	if (!object || !YAJL_IS_OBJECT(object))
		return;
	add_head(ret, name, "counter", help);
	for (size_t i = 0; i < object->u.object.len && i < LABELLED_MAX; i++) {
		double value;

		if (!number(object->u.object.values[i], &value))
			continue;
		bytes_add_format(ret, "%s{", name);
		add_label(ret, label, object->u.object.keys[i]);
		bytes_add_char(ret, '}');
		add_value(ret, value);
	}
}

static void add_flag(struct bytes *ret, const char *name, const char *help, bool value)
{
	add_head(ret, name, "gauge", help);
	bytes_add_format(ret, "%s %d\n", name, value);
}

static void add_build(struct bytes *ret, yajl_val status)
{
	yajl_val version = member(status, "version");
	struct utsname system = {};

	(void)uname(&system);
	add_head(ret, "profd_build_info", "gauge", "Which profd, on which kernel.");
	bytes_add_str(ret, "profd_build_info{");
	add_label(ret, "version",
		  version && YAJL_IS_STRING(version) ? YAJL_GET_STRING(version) : "");
	bytes_add_char(ret, ',');
	add_label(ret, "kernel", system.release);
	bytes_add_str(ret, "} 1\n");
}

/* ---- units ---- */

void unit_series_fini(struct unit_series *units)
{
	for (unsigned i = 0; i < units->count; i++)
		free(units->units[i].name);
	units->count = 0;
}

/* The series of a unit, a new one if there is room; UNIT_SERIES_MAX: it is one of the others. */
static unsigned series_of(struct unit_series *units, const char *name)
{
	unsigned i;

	for (i = 0; i < units->count; i++)
		if (strcmp(units->units[i].name, name) == 0)
			return i;
	if (i == UNIT_SERIES_MAX)
		return i;
	units->units[i].name = strdup(name);
	if (!units->units[i].name)
		return UNIT_SERIES_MAX;
	units->units[i].cpu_ns = 0;
	units->count++;
	return i;
}

struct unit_time {
	const char *name;
	double cpu_ns;
};

static int by_time(const void *a, const void *b)
{
	const struct unit_time *one = a, *two = b;

	return one->cpu_ns < two->cpu_ns   ? 1
	       : one->cpu_ns > two->cpu_ns ? -1
					   : strcmp(one->name, two->name);
}

static int read_units(struct unit_series *units, yajl_val list)
{
	ARRAY_OF(struct unit_time) times = {};
	uint64_t other_ns = 0;
	int r = 0;

	for (size_t i = 0; i < list->u.array.len && r == 0; i++) {
		yajl_val entry = list->u.array.values[i];
		yajl_val name = YAJL_IS_OBJECT(entry) ? member(entry, "unit") : NULL;
		struct unit_time *time;
		double cpu_ns;

		if (!name || !YAJL_IS_STRING(name) || !number(member(entry, "cpu_ns"), &cpu_ns))
			continue;
		time = array_push(&times);
		if (time)
			*time = (struct unit_time){
				/* An empty label is none at all. */
				*YAJL_GET_STRING(name) ? YAJL_GET_STRING(name) : "none", cpu_ns
			};
		else
			r = -ENOMEM;
	}
	if (times.count)
		qsort(times.at, times.count, sizeof(*times.at), by_time);
	for (uint32_t i = 0; i < times.count; i++) {
		unsigned series = series_of(units, times.at[i].name);
		uint64_t cpu_ns = (uint64_t)times.at[i].cpu_ns;

		if (series == UNIT_SERIES_MAX)
			other_ns += cpu_ns;
		else if (cpu_ns > units->units[series].cpu_ns)
			units->units[series].cpu_ns = cpu_ns;
	}
	if (other_ns > units->other_ns)
		units->other_ns = other_ns;
	array_fini(&times);
	return r;
}

static void add_units(struct bytes *ret, struct unit_series *units, yajl_val list)
{
	static const char name[] = "profd_unit_cpu_seconds_total";

	if (!list || !YAJL_IS_ARRAY(list) || read_units(units, list) < 0)
		return;
	add_head(ret, name, "counter", "CPU time of systemd units, as samples tell it.");
	for (unsigned i = 0; i < units->count; i++) {
		bytes_add_format(ret, "%s{", name);
		add_label(ret, "unit", units->units[i].name);
		bytes_add_char(ret, '}');
		add_value(ret, (double)units->units[i].cpu_ns / 1e9);
	}
	if (units->other_ns) {
		bytes_add_format(ret, "%s{unit=\"other\"}", name);
		add_value(ret, (double)units->other_ns / 1e9);
	}
}

/* ---- all of it ---- */

int metrics_add_status(struct bytes *ret, struct unit_series *units, const char *json)
{
	cleanup(yajl_tree_free) yajl_val status = parse(json);
	yajl_val error, paused;

	if (!status)
		return -EBADMSG;
	add_build(ret, status);
	add_simple(ret, status);
	add_by(ret, member(status, "lost"), "profd_lost_samples_total", "where",
	       "Samples that were lost.");
	add_by(ret, member(status, "truncated"), "profd_unwind_stops_total", "reason",
	       "Stacks that could not be walked to their beginning.");
	error = member(status, "store_error");
	add_flag(ret, "profd_store_up", "Whether the history can be written.",
		 !error || !YAJL_IS_STRING(error));
	paused = member(status, "paused");
	add_flag(ret, "profd_paused", "Whether sampling is switched off.",
		 paused && YAJL_IS_TRUE(paused));
	add_units(ret, units, member(status, "units"));
	return ret->failed ? -ENOMEM : 0;
}

bool metrics_is_status(const char *json)
{
	cleanup(yajl_tree_free) yajl_val status = parse(json);

	return status;
}

const char *metrics_trouble(struct bytes *why, const char *json)
{
	cleanup(yajl_tree_free) yajl_val status = parse(json);
	yajl_val error = status ? member(status, "store_error") : NULL;

	if (!status)
		bytes_add_str(why, "what the daemon says makes no sense");
	else if (error && YAJL_IS_STRING(error))
		bytes_add_str(why, YAJL_GET_STRING(error));
	else
		return NULL;
	return bytes_str(why);
}

void metrics_add_server(struct bytes *ret, const struct site *site)
{
	static const char *const classes[] = { "0xx", "1xx", "2xx", "3xx", "4xx", "5xx" };
	const struct clients *clients = &site->http.clients;
	struct rusage usage = {}, children = {};

	add_head(ret, "profd_http_requests_total", "counter",
		 "Answers, by the class of their status.");
	for (size_t i = 2; i < ARRAY_SIZE(classes); i++)
		bytes_add_format(ret, "profd_http_requests_total{code=\"%s\"} %" PRIu64 "\n",
				 classes[i], site->http.answers[i]);
	add_head(ret, "profd_http_connections", "gauge", "Connections that are open.");
	bytes_add_format(ret, "profd_http_connections %u\n", site->http.clients.count);
	add_head(ret, "profd_http_connections_total", "counter", "Connections that were accepted.");
	bytes_add_format(ret, "profd_http_connections_total %" PRIu64 "\n", clients->total);
	add_head(ret, "profd_http_connections_ended_total", "counter",
		 "Connections that were ended: too slow, or too many.");
	bytes_add_format(ret,
			 "profd_http_connections_ended_total{reason=\"slow\"} %" PRIu64 "\n"
			 "profd_http_connections_ended_total{reason=\"many\"} %" PRIu64 "\n",
			 clients->timed_out, clients->crowded_out);
	add_head(ret, "profd_captures", "gauge", "Profiles that are being taken for clients.");
	bytes_add_format(ret, "profd_captures %u\n", link_running_captures(&site->link));
	add_head(ret, "profd_captures_total", "counter", "Profiles that clients asked for.");
	bytes_add_format(ret, "profd_captures_total %" PRIu64 "\n", site->link.captures_asked);
	add_head(ret, "profd_queries_total", "counter", "Questions about the history.");
	bytes_add_format(ret, "profd_queries_total %" PRIu64 "\n", site->queries.asked);
	add_head(ret, "profd_query_failures_total", "counter",
		 "Questions about the history that got no answer.");
	bytes_add_format(ret, "profd_query_failures_total %" PRIu64 "\n", site->queries.failed);
	add_head(ret, "profd_refused_total", "counter",
		 "Profiles and questions that were refused because there were too many.");
	bytes_add_format(ret, "profd_refused_total %" PRIu64 "\n",
			 site->link.captures_refused + site->queries.refused);
	(void)getrusage(RUSAGE_SELF, &usage);
	(void)getrusage(RUSAGE_CHILDREN, &children);
	add_head(ret, "profd_server_cpu_seconds_total", "counter",
		 "CPU time of the HTTP server and its questions to the history.");
	bytes_add_format(ret, "profd_server_cpu_seconds_total %.3f\n",
			 (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
				  children.ru_utime.tv_sec + children.ru_stime.tv_sec) +
				 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec +
					  children.ru_utime.tv_usec + children.ru_stime.tv_usec) /
					 1e6);
}

static void answer(struct exchange *exchange, const char *json)
{
	struct bytes body = {};

	/* Prometheus has `up` to tell a failed scrape by. */
	if (!json || metrics_add_status(&body, &exchange->site->units, json) < 0) {
		bytes_fini(&body);
		exchange_fail_for_now(exchange, MHD_HTTP_SERVICE_UNAVAILABLE, 5,
				      "the daemon does not answer");
		return;
	}
	metrics_add_server(&body, exchange->site);
	exchange_reply(exchange, "text/plain; version=0.0.4; charset=utf-8", &body);
}

void metrics_answer(struct exchange *exchange)
{
	exchange->on_status = answer;
	link_await_status(exchange);
}
