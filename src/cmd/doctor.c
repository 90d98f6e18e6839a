// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "cmd/command.h"
#include "cmd/probes.h"

static const struct probe *const groups[] = { probes_kernel, probes_privileges, probes_events,
					      probes_bpf };

static const char *const status_names[] = {
	[PROBE_OK] = "ok",
	[PROBE_DEGRADED] = "degraded",
	[PROBE_MISSING] = "missing",
	[PROBE_UNKNOWN] = "unknown",
};

struct request {
	bool json;
};

/* What recording needs and what is not there; the first few names. */
struct verdict {
	struct bytes blockers;
	unsigned blocker_count;
};

static void bytes_of_verdict_cleanup(struct verdict *verdict)
{
	bytes_fini(&verdict->blockers);
}

static void judge(struct verdict *verdict, const struct probe *probe,
		  const struct probe_result *result)
{
	if (!probe->required || result->status != PROBE_MISSING)
		return;
	if (verdict->blocker_count++)
		bytes_add_str(&verdict->blockers, ", ");
	bytes_add_str(&verdict->blockers, probe->name);
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
	json_bool(json, "required", probe->required);
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
	json_bool(&json, "recording_works", verdict.blocker_count == 0);
	json_end(&json);
	if (!bytes_str(&text) || (verdict.blocker_count && !bytes_str(&verdict.blockers))) {
		log_error("out of memory");
		return 1;
	}
	if (request.json)
		fputs(text.at, stdout);
	else if (verdict.blocker_count)
		printf("Recording does not work here: %s\n", verdict.blockers.at);
	else
		puts("Recording works here.");
	return options_finish_stdout() != 0 || verdict.blocker_count ? 1 : 0;
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
