// SPDX-License-Identifier: Apache-2.0
/*
 * What the scripts are made from, and how texts get into them. What shells make of the scripts is
 * tested in tests/completions.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "cmd/command.h"
#include "cmd/completion.h"

static const char evil_help[] = "it's [a] \"b\": $(c) `d` \\e %s !f {g,h} ; *";
static const char *const evil_words[] = { "one", "two", NULL };

static int apply(void *context, const char *argument, struct options_reason *reason)
{
	(void)context;
	(void)argument;
	(void)reason;
	return 0;
}

static const struct option_row top_rows[] = { OPTION_ROW_HELP, {} };
static const struct option_row evil_rows[] = {
	{ .help = "Heading" },
	{ "long", 'l', "A:B[,C]", evil_help, apply, VALUE_TEXT, evil_words },
	{ "file", 0, "FILE", "a file", apply, VALUE_FILE },
	{ NULL, 'x', NULL, "a letter", apply },
	{},
};
static const struct command top = { .name = "", .options = top_rows, .operand = VALUE_COMMAND };
static const struct command evil = {
	.name = "evil",
	.summary = evil_help,
	.options = evil_rows,
	.starts_command = true,
};
static const struct command *const list[] = { &top, &evil };

static void make(struct bytes *ret, const char *shell)
{
	assert_true(completion_make(ret, shell, list, ARRAY_SIZE(list)));
	assert_non_null(bytes_str(ret));
}

static void assert_has(struct bytes *script, const char *text)
{
	if (!strstr(script->at, text))
		fail_msg("no \"%s\" in:\n%s", text, script->at);
}

static void every_argument_is_of_a_kind(void **state)
{
	unsigned count = 0;

	(void)state;
	for (size_t i = 0; i <= command_count; i++) {
		const struct option_row *rows =
			i < command_count ? commands[i]->options : profd_option_rows;

		FOR_EACH_OPTION (row, rows) {
			if (!row->argument != (row->value == VALUE_NONE) ||
			    (row->words && row->value != VALUE_TEXT))
				fail_msg("--%s (-%c)", row->name, row->letter ? row->letter : ' ');
			assert_in_range(row->value, VALUE_NONE, VALUE_KIND_COUNT - 1);
			count++;
		}
	}
	assert_true(count > 30);
}

static void usage_tells_who_starts_commands(void **state)
{
	(void)state;
	for (size_t i = 0; i < command_count; i++) {
		bool told = false;

		for (const char *const *usage = commands[i]->usage; *usage; usage++)
			told |= strstr(*usage, "-- COMMAND") != NULL;
		assert_int_equal(told, commands[i]->starts_command);
	}
}

/* bash itself says what it has read. */
static void bash_reads_texts_as_they_are(void **state)
{
	static const char ask[] =
		"\n_profd_tables; printf '%s\\n' \"${commands[@]}\" "
		"\"${summaries[@]}\"; _profd_options evil; printf '%s\\n' "
		"\"${options[@]}\" \"${option_notes[@]}\"; _profd_value evil -l; "
		"printf '%s\\n' \"$kind\" \"${choices[@]}\"; _profd_value evil -x "
		"|| _profd_operand evil || _profd_starts_command '' || echo none; "
		"_profd_starts_command evil && _profd_operand '' && echo $kind\n";
	cleanup(bytes_fini) struct bytes script = {}, said = {}, expected = {};
	char path[] = "/tmp/profd-completion-XXXXXX", line[64];
	int fd = mkstemp(path);
	FILE *bash;

	(void)state;
	assert_true(fd >= 0);
	make(&script, "bash");
	bytes_add_str(&script, ask);
	assert_non_null(bytes_str(&script));
	assert_int_equal(write(fd, script.at, script.size), script.size);
	close(fd);
	snprintf(line, sizeof(line), "bash -u %s 2>&1", path);
	bash = popen(line, "r");
	assert_non_null(bash);
	assert_ok(fs_read_fd(&said, fileno(bash), 65536));
	assert_int_equal(pclose(bash), 0);
	unlink(path);
	bytes_add_format(&expected,
			 "evil\n%s\n--long\n--file\n%s\na file\ntext\none\ntwo\nnone\ncommand\n",
			 evil_help, evil_help);
	assert_string_equal(bytes_str(&said), bytes_str(&expected));
}

static void zsh_gets_what_its_arguments_function_reads(void **state)
{
	cleanup(bytes_fini) struct bytes script = {};

	(void)state;
	make(&script, "zsh");
	assert_true(strncmp(script.at, "#compdef profd\n", 15) == 0);
	assert_has(&script,
		   "'(-l --long)--long=[it'\\''s \\[a\\] \"b\": $(c) `d` \\\\e %s !f {g,h} ; "
		   "*]:A\\:B[,C]:(one two)'");
	assert_has(&script, "'(-l --long)-l+[");
	assert_has(&script, "'--file=[a file]:FILE:_files'");
	assert_has(&script, "'-x[a letter]'");
	assert_has(&script, "'evil:it'\\''s [a]");
	assert_has(&script, "_profd_options_evil() {\n\t_profd_started && return\n");
	assert_null(strstr(script.at, "_profd_options_() {\n\t_profd_started"));
	assert_null(strstr(script.at, "Heading"));
}

static void fish_gets_its_own_quotes(void **state)
{
	cleanup(bytes_fini) struct bytes script = {};

	(void)state;
	make(&script, "fish");
	assert_has(&script,
		   "\ncomplete -c profd -n '__profd_in evil' -s l -l long -x -a 'one two' -d "
		   "'it\\'s [a] \"b\": $(c) `d` \\\\e %s !f {g,h} ; *'\n");
	assert_has(&script, "'__profd_in evil' -l file -r -F -d 'a file'\n");
	assert_has(&script, "'__profd_in evil' -s x -d 'a letter'\n");
	assert_has(&script, "-n '__profd_behind evil' -a '(__profd_started)'\n");
	assert_null(strstr(script.at, "Heading"));
}

static void other_shells_are_not_known(void **state)
{
	cleanup(bytes_fini) struct bytes script = {};

	(void)state;
	assert_false(completion_make(&script, "tcsh", list, ARRAY_SIZE(list)));
	assert_false(completion_make(&script, "", list, ARRAY_SIZE(list)));
	assert_int_equal(script.size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_argument_is_of_a_kind),
		cmocka_unit_test(usage_tells_who_starts_commands),
		cmocka_unit_test(bash_reads_texts_as_they_are),
		cmocka_unit_test(zsh_gets_what_its_arguments_function_reads),
		cmocka_unit_test(fish_gets_its_own_quotes),
		cmocka_unit_test(other_shells_are_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
