// SPDX-License-Identifier: Apache-2.0
/* What profd itself offers: its commands, and the options that stand in their place. */
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cmd/command.h"

const struct command *const commands[] = {
	&command_record, &command_top,	  &command_dump,    &command_report,
	&command_diff,	 &command_check,  &command_convert, &command_daemon,
	&command_query,	 &command_verify, &command_doctor,  &command_help,
};
const size_t command_count = ARRAY_SIZE(commands);

static int apply_version(void *context, const char *argument, struct options_reason *reason)
{
	(void)context;
	(void)argument;
	(void)reason;
	puts("profd " PROFD_VERSION);
	return 0;
}

const struct option_row profd_option_rows[] = {
	OPTION_ROW_HELP,
	{ "version", 'V', NULL, "print the version and exit", apply_version },
	{},
};

static int print_names(const char *prefix, char *ret, size_t size)
{
	int matches = 0;
	size_t used = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < command_count; i++) {
		int more;

		if (strncmp(commands[i]->name, prefix, strlen(prefix)) != 0)
			continue;
		more = snprintf(ret + used, size - used, "%s%s", matches++ ? ", " : "",
				commands[i]->name);
		if (more > 0 && (size_t)more < size - used)
			used += (size_t)more;
	}
	return matches;
}

const struct command *command_find(const char *name)
{
	const struct command *found = NULL;
	char names[256];

	for (size_t i = 0; i < command_count; i++) {
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
		if (name[0] && strncmp(commands[i]->name, name, strlen(name)) == 0)
			found = commands[i];
	}
	if (found && print_names(name, names, sizeof(names)) == 1)
		return found;
	if (found)
		log_error("'%.64s' could be %s; see 'profd --help'", name, names);
	else
		log_error("'%.64s' is not a command; see 'profd --help'", name);
	return NULL;
}

void command_print_usage(FILE *out)
{
	fputs("Usage: profd COMMAND [OPTION]...\n"
	      "\n"
	      "A sampling CPU and memory profiler for Linux: complete, named stacks of any\n"
	      "program, without restarting, changing or pausing it.\n"
	      "\n"
	      "Commands:\n",
	      out);
	for (size_t i = 0; i < command_count; i++)
		fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
	options_print_rows(profd_option_rows, out);
	fputs("\n"
	      "A command may be shortened as long as it stays the only one: profd rec.\n"
	      "Start here: sudo profd record -d 10 -p PID -o out.svg\n",
	      out);
}
