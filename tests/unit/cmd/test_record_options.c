// SPDX-License-Identifier: Apache-2.0
/* The command line of `profd record`: what is understood, what is refused, and with which words. */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "cmd/command.h"
#include "cmd/record_options.h"
#include "fetch/library.h"

static const struct command command = {
	.name = "record",
	.summary = "test",
	.usage = { "[OPTION]...", NULL },
	.description = "Test.",
	.options = record_option_rows,
};

enum { MAX_WORDS = 32 };

/* One command line, parsed; `said` is what went to stderr. */
struct parsed {
	struct config config;
	const struct writer *format;
	char *words[MAX_WORDS];
	char *line;
	int status;
	char said[1024];
};

static void parsed_fini_cleanup(struct parsed *parsed)
{
	config_fini(&parsed->config);
	free(parsed->line);
	log_set_level(LOG_INFO);
}

/* Words are separated by single blanks. */
static void split(struct parsed *parsed, int *count, const char *line)
{
	parsed->line = strdup(line);
	assert_non_null(parsed->line);
	*count = 0;
	parsed->words[(*count)++] = (char *)"record";
	for (char *at = parsed->line; at && *at;) {
		parsed->words[(*count)++] = strsep(&at, " ");
		assert_true(*count < MAX_WORDS);
	}
}

static void parse_with(struct parsed *ret, const char *line, uint64_t max_rate_hz)
{
	const struct record_limits limits = { max_rate_hz };
	cleanup(bytes_fini) struct bytes said = {};
	int count, saved = dup(STDERR_FILENO), ends[2];

	*ret = (struct parsed){};
	split(ret, &count, line);
	config_init(&ret->config);
	assert_int_equal(pipe(ends), 0);
	assert_true(saved >= 0 && dup2(ends[1], STDERR_FILENO) >= 0);
	close(ends[1]);
	ret->status = record_options_parse(&ret->config, &ret->format, &command, count, ret->words,
					   &limits);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	assert_ok(fs_read_fd(&said, ends[0], 65536));
	close(ends[0]);
	snprintf(ret->said, sizeof(ret->said), "%s", bytes_str(&said));
}

static void parse(struct parsed *ret, const char *line)
{
	parse_with(ret, line, 100000);
}

/* It ends with this status and one line, which has the given words. */
static void assert_refused(const char *line, int status, const char *words)
{
	cleanup(parsed_fini) struct parsed parsed;

	parse(&parsed, line);
	if (parsed.status != status || !strstr(parsed.said, words) ||
	    strchr(parsed.said, '\n') != parsed.said + strlen(parsed.said) - 1)
		fail_msg("'%s': status %d, said: %s", line, parsed.status, parsed.said);
	if (status == OPTIONS_USAGE && !strstr(parsed.said, "profd record --help"))
		fail_msg("'%s' does not point to --help: %s", line, parsed.said);
}

static void assert_accepted(struct parsed *ret, const char *line)
{
	parse(ret, line);
	if (ret->status != 0 || ret->said[0])
		fail_msg("'%s': status %d, said: %s", line, ret->status, ret->said);
}

static void targets_are_lists(void **state)
{
	cleanup(parsed_fini) struct parsed a, b;

	(void)state;
	assert_accepted(&a, "-p 1,0x10 --pid=300 -s");
	assert_int_equal(a.config.target.pids.count, 3);
	assert_int_equal(a.config.target.pids.at[0], 1);
	assert_int_equal(a.config.target.pids.at[1], 16);
	assert_int_equal(a.config.target.pids.at[2], 300);
	assert_true(a.config.target.children);
	assert_false(a.config.target.everything);
	assert_accepted(&b, "--tid 5,6");
	assert_int_equal(b.config.target.tids.count, 2);
	assert_int_equal(b.config.target.tids.at[1], 6);
	assert_false(b.config.target.children);
}

static void defaults_are_those_of_the_manual(void **state)
{
	cleanup(parsed_fini) struct parsed parsed;

	(void)state;
	assert_accepted(&parsed, "-p 1");
	assert_int_equal(parsed.config.frequency_hz, 99);
	assert_int_equal(parsed.config.max_depth, 1024);
	assert_int_equal(parsed.config.duration_ns, 0);
	assert_int_equal(parsed.config.delay_ns, 0);
	assert_int_equal(parsed.config.unwind, UNWIND_AUTO);
	assert_false(parsed.config.no_kernel);
	assert_int_equal(parsed.config.outputs.count, 0);
	assert_string_equal(parsed.format->name, "flamegraph");
}

static void filters_alone_choose_from_everything(void **state)
{
	cleanup(parsed_fini) struct parsed a, b, c;

	(void)state;
	assert_accepted(&a, "--comm ngin* -i");
	assert_true(a.config.target.everything);
	assert_true(a.config.idle);
	assert_string_equal(a.config.target.comm, "ngin*");
	assert_accepted(&b, "--uid 0 --cgroup system.slice -p 4");
	assert_false(b.config.target.everything);
	assert_true(b.config.target.has_uid);
	assert_int_equal(b.config.target.uid, 0);
	assert_string_equal(b.config.target.group, "system.slice");
	assert_accepted(&c, "--uid root");
	assert_true(c.config.target.has_uid && c.config.target.everything);
}

static void a_command_keeps_its_own_options(void **state)
{
	cleanup(parsed_fini) struct parsed parsed;

	(void)state;
	assert_accepted(&parsed, "-d 5 -- sleep -F 1 -- --pid 3");
	assert_int_equal(parsed.config.duration_ns, 5000000000);
	assert_int_equal(parsed.config.target.pids.count, 0);
	assert_int_equal(parsed.config.frequency_hz, 99);
	assert_true(parsed.config.target.children);
	assert_false(parsed.config.target.everything);
	assert_string_equal(parsed.config.target.command[0], "sleep");
	assert_string_equal(parsed.config.target.command[1], "-F");
	assert_string_equal(parsed.config.target.command[3], "--");
	assert_string_equal(parsed.config.target.command[5], "3");
	assert_null(parsed.config.target.command[6]);
}

static void numbers_and_times_are_taken_over(void **state)
{
	cleanup(parsed_fini) struct parsed a, b, c;

	(void)state;
	assert_accepted(&a, "-a -d 5m -D 500ms -F 997 --max-depth 64 -t --no-kernel");
	assert_int_equal(a.config.duration_ns, 300000000000);
	assert_int_equal(a.config.delay_ns, 500000000);
	assert_int_equal(a.config.frequency_hz, 997);
	assert_int_equal(a.config.max_depth, 64);
	assert_true(a.config.threads && a.config.no_kernel);
	assert_accepted(&b, "-a -c 1000000 --unwind table -d unlimited");
	assert_int_equal(b.config.frequency_hz, 0);
	assert_int_equal(b.config.period_ns, 1000000);
	assert_int_equal(b.config.unwind, UNWIND_TABLE);
	assert_int_equal(b.config.duration_ns, 0);
	assert_accepted(&c, "-a -r max --no-kernel --kernel");
	assert_int_equal(c.config.frequency_hz, 10000);
	assert_false(c.config.no_kernel);
}

static void habits_have_no_effect(void **state)
{
	cleanup(parsed_fini) struct parsed parsed;

	(void)state;
	assert_accepted(&parsed, "-ng --nonblocking --native -e cpu -p 1 -F99");
	assert_int_equal(parsed.config.frequency_hz, 99);
	assert_int_equal(parsed.config.target.pids.count, 1);
}

static void formats_follow_names_unless_told(void **state)
{
	cleanup(parsed_fini) struct parsed a, b;

	(void)state;
	assert_accepted(&a, "-a -o a.svg -o b.pb.gz -o /tmp/c.folded -o d.txt --summary s.json");
	assert_int_equal(a.config.outputs.count, 4);
	assert_string_equal(a.config.outputs.at[0].writer->name, "flamegraph");
	assert_string_equal(a.config.outputs.at[1].writer->name, "pprof");
	assert_string_equal(a.config.outputs.at[2].writer->name, "folded");
	assert_string_equal(a.config.outputs.at[2].path, "/tmp/c.folded");
	assert_string_equal(a.config.outputs.at[3].writer->name, "text");
	assert_string_equal(a.config.summary_path, "s.json");
	assert_accepted(&b, "-a -o - -f raw -o x.svg");
	assert_string_equal(b.config.outputs.at[0].path, "-");
	assert_string_equal(b.config.outputs.at[0].writer->name, "folded");
	assert_string_equal(b.config.outputs.at[1].writer->name, "folded");
}

static void mistakes_name_the_option(void **state)
{
	static const struct {
		const char *line, *words;
	} cases[] = {
		{ "-p foo", "-p foo" },
		{ "-p 0", "-p 0" },
		{ "-p -1", "-p -1" },
		{ "-p 4194305", "-p 4194305" },
		{ "-p 1,,2", "-p 1,,2" },
		{ "-p 1,", "-p 1," },
		{ "-p 99999999999999999999999999999999999999999", "-p 999" },
		{ "--tid x", "--tid x" },
		{ "-p", "-p needs PID" },
		{ "--pid", "--pid needs PID" },
		{ "--bogus", "--bogus" },
		{ "-a --bogus=3", "--bogus" },
		{ "-Z", "-Z" },
		{ "-aZ", "-Z" },
		{ "--all=3", "--all takes no" },
		{ "-a -d x", "-d x" },
		{ "-a -d -5", "-d -5" },
		{ "-a -d 0", "-d 0" },
		{ "-a -D unlimited", "-D unlimited" },
		{ "-a -F 0", "-F 0" },
		{ "-a -F 10001", "-F 10001" },
		{ "-a -F 99.5", "-F 99.5" },
		{ "-a --rate x", "--rate x" },
		{ "-a -c 0", "-c 0" },
		{ "-a -c 99999", "--period '99999'" },
		{ "-a --max-depth 0", "--max-depth 0" },
		{ "-a --max-depth 1025", "--max-depth 1025" },
		{ "-a --unwind dwarf", "--unwind dwarf" },
		{ "-a -f foo", "flamegraph, " },
		{ "-a -o out.xyz", "out.xyz" },
		{ "-a -o out.xyz", "folded" },
		{ "-a -o out", "flamegraph, " },
		{ "-a -o -", "-o -" },
		{ "-a -o a.svg -o a.svg", "twice" },
		{ "-a -e cpu,", "-e cpu," },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_refused(cases[i].line, OPTIONS_USAGE, cases[i].words);
}

static void contradictions_are_usage_errors(void **state)
{
	static const struct {
		const char *line, *words;
	} cases[] = {
		{ "", "nothing to record" },
		{ "-d 5 -o x.svg", "nothing to record" },
		{ "-s", "nothing to record" },
		{ "-p 1 -a", "-p and -a" },
		{ "--tid 1 -a", "--tid and -a" },
		{ "-p 1 --tid 2", "-p and --tid" },
		{ "--tid 1 -s", "--tid and -s" },
		{ "-p 1 -- ls", "command and -p" },
		{ "--tid 1 -- ls", "command and --tid" },
		{ "-a -- ls", "command and -a" },
		{ "-a --", "no command" },
		{ "--", "no command" },
		{ "-a sleep 5", "'sleep'" },
		{ "sleep -- ls", "'sleep'" },
		{ "-p 1 -i", "-i" },
		{ "-i -- ls", "-i" },
		{ "-a -F 99 -c 1000000", "-F and -c" },
		{ "-a -q -v", "-q and -v" },
		{ "-a --comm [ab", "a bracket is not closed" },
		{ "-a -o - -f text --summary -", "--summary" },
		{ "--comm a --comm b", "--comm b: was given already, as 'a'" },
		{ "--cgroup /a --cgroup /b", "--cgroup /b: was given already, as '/a'" },
		{ "--unit a --unit b", "--unit b: was given already, as 'a'" },
		{ "--unit a --container b", "--container b: excludes --unit" },
		{ "--container b --cgroup /a", "--cgroup /a: excludes --container" },
		{ "--uid 1 --uid 0", "--uid 0: was given already, as '1'" },
		{ "-a --summary a --summary b", "--summary b: was given already, as 'a'" },
		{ "-a -f text -f folded", "-f folded: was given already, as 'text'" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_refused(cases[i].line, OPTIONS_USAGE, cases[i].words);
}

static void what_this_build_lacks_is_no_usage_error(void **state)
{
	(void)state;
	assert_refused("-p 1 -e offcpu", OPTIONS_REFUSED, "not in this build");
	assert_refused("-p 1 -e cpu,page-fault", OPTIONS_REFUSED, "'page-fault' is not");
	assert_refused("-a --uid no-such-user-here", OPTIONS_REFUSED, "no such user");
}

static void servers_are_looked_for(void **state)
{
	cleanup(parsed_fini) struct parsed given, found, none;

	(void)state;
	if (!library_is_built_in()) {
		assert_refused("-a --debuginfod=https://a", OPTIONS_REFUSED, "libdebuginfod");
		return;
	}
	unsetenv("SUDO_UID");
	setenv("DEBUGINFOD_URLS", "https://b https://c", 1);
	assert_accepted(&given, "-a --debuginfod=https://a --debuginfod-timeout 5s");
	assert_string_equal(given.config.debuginfod_servers, "https://a");
	assert_true(given.config.debuginfod_wait_ns == 5000000000ULL);
	/* Its argument never is the next word. */
	assert_accepted(&found, "--debuginfod -a");
	assert_string_equal(found.config.debuginfod_servers, "https://b https://c");
	assert_accepted(&none, "-a");
	assert_null(none.config.debuginfod_servers);
	assert_refused("-a --debuginfod=here", OPTIONS_USAGE, "not a server");
	assert_refused("-a --debuginfod=", OPTIONS_USAGE, "not a server");
	assert_refused("-a --debuginfod-timeout 5", OPTIONS_USAGE, "goes with --debuginfod");
	assert_refused("-a --debuginfod --debuginfod-timeout x", OPTIONS_USAGE, "not a time");
	assert_refused("-a --debuginfod --debuginfod-timeout 25h", OPTIONS_USAGE, "so long");
	setenv("DEBUGINFOD_URLS", "", 1);
	assert_refused("-a --debuginfod", OPTIONS_REFUSED, "--debuginfod=https://");
	setenv("SUDO_UID", "1000", 1);
	assert_refused("-a --debuginfod", OPTIONS_REFUSED, "--debuginfod=https://");
	unsetenv("SUDO_UID");
	unsetenv("DEBUGINFOD_URLS");
}

static void the_kernels_rate_limit_counts(void **state)
{
	cleanup(parsed_fini) struct parsed above, at, unasked, unknown;

	(void)state;
	parse_with(&above, "-a -F 500", 499);
	assert_int_equal(above.status, OPTIONS_REFUSED);
	assert_non_null(strstr(above.said, "kernel.perf_event_max_sample_rate"));
	parse_with(&at, "-a -F 499", 499);
	assert_int_equal(at.status, 0);
	/* Nobody asked for 99: it gives way, and says so. */
	parse_with(&unasked, "-a", 50);
	assert_int_equal(unasked.status, 0);
	assert_int_equal(unasked.config.frequency_hz, 50);
	assert_non_null(strstr(unasked.said, "50"));
	parse_with(&unknown, "-a -F max", 0);
	assert_int_equal(unknown.status, OPTIONS_REFUSED);
}

static void verbosity_sets_the_level(void **state)
{
	cleanup(parsed_fini) struct parsed a, b;

	(void)state;
	assert_accepted(&a, "-a -v");
	assert_int_equal(log_get_level(), LOG_DEBUG);
	assert_accepted(&b, "-a -q");
	assert_int_equal(log_get_level(), LOG_WARNING);
	assert_true(b.config.quiet);
}

/* What a shell completes an argument to is understood. */
static void words_of_the_table_are_accepted(void **state)
{
	unsigned count = 0;

	(void)state;
	FOR_EACH_OPTION (row, record_option_rows) {
		for (const char *const *word = row->words; word && *word; word++) {
			cleanup(parsed_fini) struct parsed parsed;
			char line[128];

			snprintf(line, sizeof(line), "-a --%s=%s", row->name, *word);
			assert_accepted(&parsed, line);
			count++;
		}
	}
	assert_true(count >= 5);
}

static void help_tells_of_every_format(void **state)
{
	const char *of_output = "", *of_format = "";

	(void)state;
	FOR_EACH_OPTION (row, record_option_rows) {
		if (row->value == VALUE_PROFILE)
			of_output = row->help;
		if (row->value == VALUE_FORMAT)
			of_format = row->help;
	}
	for (size_t i = 0; i < writer_count; i++) {
		assert_non_null(strstr(of_output, writers[i]->extensions[0]));
		assert_non_null(strstr(of_format, writers[i]->name));
	}
}

/* Nothing that a person may type makes the parser read past an end (sanitizers watch). */
static void random_lines_are_survived(void **state)
{
	static const char *const words[] = {
		"-p", "-",   "--",  "1,",  "-pag", "--pid=", "--tid=1", "-o", "x.svg", "-F",  "--f",
		"=",  "--=", "---", "-e,", "cpu",  "-d5",    "max",	"-c", "--no",  "-sss"
	};

	(void)state;
	srand(11);
	for (unsigned i = 0; i < 3000; i++) {
		cleanup(parsed_fini) struct parsed parsed;
		char line[256] = "";

		for (int k = rand() % 8; k >= 0; k--) {
			strcat(line, words[(size_t)rand() % ARRAY_SIZE(words)]);
			if (k)
				strcat(line, " ");
		}
		parse(&parsed, line);
		assert_in_range(parsed.status, 0, OPTIONS_USAGE);
		assert_true((parsed.status == 0) == (parsed.said[0] == '\0'));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(targets_are_lists),
		cmocka_unit_test(defaults_are_those_of_the_manual),
		cmocka_unit_test(filters_alone_choose_from_everything),
		cmocka_unit_test(a_command_keeps_its_own_options),
		cmocka_unit_test(numbers_and_times_are_taken_over),
		cmocka_unit_test(habits_have_no_effect),
		cmocka_unit_test(formats_follow_names_unless_told),
		cmocka_unit_test(mistakes_name_the_option),
		cmocka_unit_test(contradictions_are_usage_errors),
		cmocka_unit_test(what_this_build_lacks_is_no_usage_error),
		cmocka_unit_test(servers_are_looked_for),
		cmocka_unit_test(the_kernels_rate_limit_counts),
		cmocka_unit_test(verbosity_sets_the_level),
		cmocka_unit_test(words_of_the_table_are_accepted),
		cmocka_unit_test(help_tells_of_every_format),
		cmocka_unit_test(random_lines_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
