// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "cmd/command.h"
#include "cmd/probes.h"

static const struct probe *const groups[] = { probes_kernel, probes_privileges, probes_events,
					      probes_bpf, probes_copies };

static const char *const status_names[] = {
	[PROBE_OK] = "ok",
	[PROBE_DEGRADED] = "degraded",
	[PROBE_MISSING] = "missing",
	[PROBE_UNKNOWN] = "unknown",
};

struct request {
	bool json;
};

/* What each way of recording needs and what is not there, by enum probe_need. */
struct verdict {
	struct bytes blockers[PROBE_FOR_COPIES + 1];
	bool only_some; /* copies cannot be had of everybody */
};

static void bytes_of_verdict_cleanup(struct verdict *verdict)
{
	for (unsigned i = 0; i <= PROBE_FOR_COPIES; i++)
		bytes_fini(&verdict->blockers[i]);
}

/* How stacks are walked by --unwind auto; NULL: not at all. */
static const char *way_of(const struct verdict *verdict)
{
	if (verdict->blockers[PROBE_FOR_ALL].size)
		return NULL;
	if (!verdict->blockers[PROBE_FOR_TABLES].size)
		return "table";
	return verdict->blockers[PROBE_FOR_COPIES].size ? NULL : "copy";
}

static const char *blockers_of(struct verdict *verdict, enum probe_need need)
{
	const char *text = bytes_str(&verdict->blockers[need]);

	return text ? text : "?";
}

static void print_verdict(struct verdict *verdict)
{
	const char *way = way_of(verdict);

	if (!way)
		printf("Recording does not work here: %s\n",
		       blockers_of(verdict, verdict->blockers[PROBE_FOR_ALL].size
						    ? PROBE_FOR_ALL
						    : PROBE_FOR_TABLES));
	else if (strcmp(way, "table") == 0)
		puts("Recording works here.");
	else
		printf("Recording works here%s, from copies of stacks (--unwind copy); in the kernel it "
		       "does not: %s\n",
		       verdict->only_some ? ", of your own processes" : "",
		       blockers_of(verdict, PROBE_FOR_TABLES));
}

static void judge(struct verdict *verdict, const struct probe *probe,
		  const struct probe_result *result)
{
	struct bytes *blockers = &verdict->blockers[probe->need];

	if (probe->need == PROBE_FOR_COPIES)
		verdict->only_some |= result->status == PROBE_DEGRADED;
	if (probe->need == PROBE_NICE || result->status != PROBE_MISSING)
		return;
	if (blockers->size)
		bytes_add_str(blockers, ", ");
	bytes_add_str(blockers, probe->name);
}

static void print_line(const struct probe *probe, const struct probe_result *result)
{
	printf("%-9s %-23s %s", status_names[result->status], probe->name, result->detail);
	if (result->fix[0] && result->status != PROBE_OK)
		printf("; try: %s", result->fix);
	putchar('\n');
}

static void add_json(struct json *json, const struct probe *probe,
		     const struct probe_result *result)
{
	json_object(json, NULL);
	json_string(json, "name", probe->name);
	json_string(json, "status", status_names[result->status]);
	json_bool(json, "required",
		  probe->need == PROBE_FOR_ALL || probe->need == PROBE_FOR_TABLES);
	json_string(json, "detail", result->detail);
	json_string(json, "fix", result->fix[0] && result->status != PROBE_OK ? result->fix : NULL);
	json_end(json);
}

static int apply_json(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;

	(void)argument;
	(void)reason;
	request->json = true;
	return 0;
}

static const struct option_row rows[] = {
	{ "json", 0, NULL, "one JSON object, for scripts", apply_json },
	OPTION_ROW_HELP,
	{},
};

static int run(int argc, char **argv)
{
	cleanup(bytes_of_verdict) struct verdict verdict = {};
	cleanup(bytes_fini) struct bytes text = {};
	struct json json = json_to(&text);
	struct request request = {};
	struct options_result words;
	int r = options_parse(&command_doctor, &request, argc, argv, &words);

	if (r != 0)
		return options_exit_status(r);
	if (words.word_count || words.rest)
		return options_usage_error(&command_doctor, "doctor takes no arguments");
	json_object(&json, NULL);
	json_u64(&json, "schema_version", 1);
	json_string(&json, "profd_version", PROFD_VERSION);
	json_array(&json, "checks");
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		for (const struct probe *probe = groups[i]; probe->name; probe++) {
			struct probe_result result = { .status = PROBE_UNKNOWN };

			probe->run(&result);
			judge(&verdict, probe, &result);
			add_json(&json, probe, &result);
			if (!request.json)
				print_line(probe, &result);
		}
	}
	json_end(&json);
	json_bool(&json, "recording_works", way_of(&verdict) != NULL);
	json_string(&json, "unwind", way_of(&verdict));
	json_end(&json);
	if (!bytes_str(&text)) {
		log_error("out of memory");
		return 1;
	}
	if (request.json)
		fputs(text.at, stdout);
	else
		print_verdict(&verdict);
	return options_finish_stdout() != 0 || !way_of(&verdict) ? 1 : 0;
}

const struct command command_doctor = {
	.name = "doctor",
	.summary = "what this machine and these privileges allow, and what to do",
	.usage = { "[--json]", NULL },
	.description =
		"Tries what recording needs, one line each: ok, degraded (works, with less), "
		"missing, or unknown (could not be tried), and a command that would help. "
		"Exits with 0 when recording works here, with 1 when it does not.",
	.options = rows,
	.run = run,
};
