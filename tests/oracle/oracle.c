// SPDX-License-Identifier: Apache-2.0
/*
 * oracle [OPTION]... PROGRAM [ARGUMENT]...: see oracle/oracle.h.
 *
 *   --instructions N  stops after so many
 *   --every N         compares after one of N only
 *   --interrupt N     sends a signal after about N, SIGUSR1 or SIGUSR2, once both have handlers
 *   --born            does not follow the first thread
 *   --from-entry      follows from the program's entry on, when the dynamic loader is done
 *   --without-tables  walks by frame pointers alone, to see that this is noticed
 *   --verbose         tells the explained cases, too
 *   --expect WHAT=N   fails unless there were N calls, switches, ... (enum truth_count)
 *
 * Exit status 0: they agree, but for what explained.c knows; 1: not, or the program failed; 2:
 * usage; 77: ptrace is not allowed.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/parse.h"
#include "oracle/oracle.h"

enum { SHOWN_CASES = 30 };

/* One of so many comparisons may be among the explained. */
enum { EXPLAINED_SHARE = 100 };

static const char *const count_names[] = {
#define COUNT(name, text) text,
	TRUTH_COUNTS(COUNT)
#undef COUNT
};

static struct oracle_options options = { .in_process = true };
static uint64_t expected[TRUTH_COUNT_COUNT];
static bool verbose;
static struct oracle *o;

/* ---- verdict ---- */

static bool meets_expectations(void)
{
	bool all = true;

	for (unsigned i = 0; i < TRUTH_COUNT_COUNT; i++) {
		if (o->truth.counts[i] >= expected[i])
			continue;
		printf("only %llu %s, expected were %llu\n", (unsigned long long)o->truth.counts[i],
		       count_names[i], (unsigned long long)expected[i]);
		all = false;
	}
	return all;
}

static bool judge(int status, uint64_t took_ns)
{
	const struct comparer *c = &o->comparer;
	uint64_t explained = o->report.explained, unexplained = o->report.unexplained;

	report_print(&o->report, SHOWN_CASES);
	printf("%llu instructions in %.1f s (%.0f/s), %llu comparisons (%llu in system calls), "
	       "%.1f frames each, at most %llu\n",
	       (unsigned long long)o->instructions, (double)took_ns / 1e9,
	       (double)o->instructions * 1e9 / (double)took_ns, (unsigned long long)c->compared,
	       (unsigned long long)c->in_syscalls, (double)c->frames / (double)(c->compared ?: 1),
	       (unsigned long long)c->deepest);
	for (unsigned i = 0; i < TRUTH_COUNT_COUNT; i++)
		printf("%s%llu %s", i ? ", " : "", (unsigned long long)o->truth.counts[i],
		       count_names[i]);
	printf("\nagreement %.4f %%: %llu disagree; %llu more do, which is explained\n",
	       100.0 * (double)(c->compared - explained - unexplained) /
		       (double)(c->compared - explained ?: 1),
	       (unsigned long long)unexplained, (unsigned long long)explained);
	if (status < 0)
		printf("following failed: %s\n", strerror(-status));
	else if (status)
		printf("the program %s %d\n",
		       WIFSIGNALED(status) ? "was killed by signal" : "ended with status",
		       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return meets_expectations() && status == 0 && c->compared > 0 && unexplained == 0 &&
	       explained * EXPLAINED_SHARE <= c->compared;
}

static int usage(void)
{
	fprintf(stderr, "usage: oracle [--instructions N] [--every N] [--interrupt N] [--born] "
			"[--from-entry] [--without-tables] [--verbose] [--expect WHAT=N]... "
			"PROGRAM [ARGUMENT]...\n");
	return 2;
}

static bool expect(char *text)
{
	char *equals = strchr(text, '=');

	if (!equals)
		return false;
	*equals = '\0';
	for (unsigned i = 0; i < TRUTH_COUNT_COUNT; i++)
		if (strcmp(text, count_names[i]) == 0)
			return parse_u64(&expected[i], equals + 1, UINT64_MAX) == 0;
	return false;
}

static bool parse_options(int argc, char **argv)
{
	static const struct option known[] = {
		{ "instructions", required_argument, NULL, 'n' },
		{ "every", required_argument, NULL, 'e' },
		{ "interrupt", required_argument, NULL, 'i' },
		{ "born", no_argument, NULL, 'b' },
		{ "from-entry", no_argument, NULL, 'f' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "without-tables", no_argument, NULL, 'w' },
		{ "expect", required_argument, NULL, 'x' },
		{},
	};
	bool good = true;
	int option;

	while (good && (option = getopt_long(argc, argv, "+", known, NULL)) != -1) {
		switch (option) {
		case 'n':
			good = parse_u64(&options.instructions, optarg, UINT64_MAX) == 0;
			break;
		case 'e':
			good = parse_u64(&options.every, optarg, UINT64_MAX) == 0;
			break;
		case 'i':
			good = parse_u64(&options.interrupt, optarg, UINT64_MAX) == 0;
			break;
		case 'b':
			options.born = true;
			break;
		case 'f':
			options.from_entry = true;
			break;
		case 'v':
			verbose = true;
			break;
		case 'w':
			options.without_tables = true;
			break;
		case 'x':
			good = expect(optarg);
			break;
		default:
			good = false;
		}
	}
	return good && optind < argc;
}

int main(int argc, char **argv)
{
	uint64_t begin = clock_ns(CLOCK_MONOTONIC);
	int error, status;
	bool good;

	if (!parse_options(argc, argv))
		return usage();
	o = oracle_new(&options, argv + optind, &error);
	if (!o) {
		fprintf(stderr, "oracle: %s: %s\n", argv[optind], strerror(-error));
		return error == -EPERM ? 77 : 1;
	}
	o->report.verbose = verbose;
	status = oracle_follow(o);
	good = judge(status, clock_ns(CLOCK_MONOTONIC) - begin);
	oracle_free(o);
	return good ? 0 : 1;
}
