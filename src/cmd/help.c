// SPDX-License-Identifier: Apache-2.0
#include "cmd/command.h"

static const struct option_row rows[] = {
	OPTION_ROW_HELP,
	{},
};

static int run(int argc, char **argv)
{
	const struct command *command;
	struct options_result words;
	int r = options_parse(&command_help, NULL, argc, argv, &words);

	if (r != 0)
		return options_exit_status(r);
	if (words.word_count > 1 || words.rest)
		return options_usage_error(&command_help, "help takes one command");
	if (words.word_count == 0) {
		command_print_usage(stdout);
		return options_finish_stdout();
	}
	command = command_find(words.words[0]);
	if (!command)
		return OPTIONS_USAGE;
	options_print_help(command, stdout);
	return options_finish_stdout();
}

const struct command command_help = {
	.name = "help",
	.summary = "explain a command: profd help record",
	.usage = { "[COMMAND]", NULL },
	.description = "Prints the usage of a command, or, without one, the list of commands.",
	.options = rows,
	.operand = VALUE_COMMAND,
	.run = run,
};
