// SPDX-License-Identifier: Apache-2.0
/*
 * The command line of `profd query`: the input's lines are its words. Nothing is run, opened or
 * printed. What is understood is one thing at a time, with times that make sense.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cmd/command.h"
#include "cmd/query_request.h"
#include "fuzz.h"

enum { MAX_WORDS = 64 };

#define NOW_NS (INT64_C(1795698300) * 1000000000)

static const struct command command = {
	.name = "query",
	.usage = { "[OPTION]...", NULL },
	.description = "Fuzz.",
	.options = query_option_rows,
};

/* What it says goes nowhere. */
static void be_silent(bool silent)
{
	static int nowhere = -1, out, errors;

	if (nowhere < 0) {
		nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
		out = dup(STDOUT_FILENO);
		errors = dup(STDERR_FILENO);
	}
	(void)fflush(stdout);
	(void)dup2(silent ? nowhere : out, STDOUT_FILENO);
	(void)dup2(silent ? nowhere : errors, STDERR_FILENO);
}

static void check(const struct query_request *request)
{
	bool as_files = request->config.outputs.count > 0;

	FUZZ_CHECK(request->interval.from_ns < request->interval.until_ns);
	FUZZ_CHECK(request->chosen.from_ns == request->interval.from_ns &&
		   request->chosen.until_ns == request->interval.until_ns);
	FUZZ_CHECK((request->view == QUERY_LIST) == (request->lists != 0));
	FUZZ_CHECK(request->view == QUERY_PROFILE || !as_files);
	FUZZ_CHECK(!as_files || !request->as_json);
	for (uint32_t i = 0; i < request->config.outputs.count; i++)
		FUZZ_CHECK(request->config.outputs.at[i].writer);
	for (uint32_t i = 0; i < request->chosen.pid_count; i++)
		FUZZ_CHECK(request->chosen.pids[i] > 0);
	FUZZ_CHECK(!request->chosen.cgroup || request->chosen.cgroup[0] == '/');
	if (request->view != QUERY_CHANGE)
		return;
	FUZZ_CHECK(request->outputs.paths.count > 0);
	FUZZ_CHECK(request->baseline.from_ns < request->baseline.until_ns);
	FUZZ_CHECK(!interval_overlap(&request->interval, &request->baseline));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup(query_request_fini) struct query_request request = {};
	char *text = strndup((const char *)data, size), *rest = text;
	char *words[MAX_WORDS + 1] = { (char *)"query" };
	int count = 1, r;

	FUZZ_CHECK(text && setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1) == 0);
	while (rest && *rest && count < MAX_WORDS)
		words[count++] = strsep(&rest, "\n");
	be_silent(true);
	r = query_request_parse(&request, &command, count, words, NOW_NS);
	be_silent(false);
	FUZZ_CHECK(r == 0 || r == OPTIONS_REFUSED || r == OPTIONS_USAGE || r == OPTIONS_HELP);
	if (r == 0)
		check(&request);
	free(text);
	return 0;
}
