// SPDX-License-Identifier: Apache-2.0
/* The variables that completion/profd.bash uses, and functions that look a command up. */
#include "base/cleanup.h"
#include "cmd/completion_parts.h"
#include "output/writer.h"

static const char *const kinds[] = {
	[VALUE_TEXT] = "text",	     [VALUE_FILE] = "file",	[VALUE_PROFILE] = "profile",
	[VALUE_FORMAT] = "format",   [VALUE_PIDS] = "pids",	[VALUE_TIDS] = "tids",
	[VALUE_COMM] = "comm",	     [VALUE_CGROUP] = "cgroup", [VALUE_USER] = "user",
	[VALUE_COMMAND] = "command",
};
_Static_assert(ARRAY_SIZE(kinds) == VALUE_KIND_COUNT, "every kind has a name");

static void add_element(struct bytes *ret, const char *text)
{
	bytes_add_str(ret, "\n\t\t");
	completion_quote(ret, text);
}

static void add_lists(struct bytes *ret, const struct command *const *list, size_t count)
{
	bytes_add_str(ret, "_profd_tables() {\n\tcommands=(");
	for (size_t i = 1; i < count; i++)
		add_element(ret, list[i]->name);
	bytes_add_str(ret, "\n\t)\n\tsummaries=(");
	for (size_t i = 1; i < count; i++)
		add_element(ret, list[i]->summary);
	bytes_add_str(ret, "\n\t)\n\tformats=(");
	for (size_t i = 0; i < writer_count; i++)
		add_element(ret, writers[i]->name);
	bytes_add_str(ret, "\n\t)\n\tformat_notes=(");
	for (size_t i = 0; i < writer_count; i++)
		add_element(ret, writers[i]->description);
	bytes_add_str(ret, "\n\t)\n\textensions=(");
	for (size_t i = 0; i < writer_count; i++)
		for (const char *const *extension = writers[i]->extensions; *extension; extension++)
			add_element(ret, *extension);
	bytes_add_str(ret, "\n\t)\n}\n\n");
}

static void add_options(struct bytes *ret, const struct command *command)
{
	bytes_add_str(ret, "\t");
	completion_quote(ret, command->name);
	bytes_add_str(ret, ")\n\t\toptions=(");
	FOR_EACH_OPTION (row, command->options)
		if (row->name)
			bytes_add_format(ret, "\n\t\t\t--%s", row->name);
	bytes_add_str(ret, "\n\t\t)\n\t\toption_notes=(");
	FOR_EACH_OPTION (row, command->options) {
		if (!row->name)
			continue;
		bytes_add_str(ret, "\n\t\t\t");
		completion_quote(ret, row->help);
	}
	bytes_add_str(ret, "\n\t\t)\n\t\t;;\n");
}

static void add_value(struct bytes *ret, const struct command *command,
		      const struct option_row *row)
{
	bytes_add_str(ret, "\t");
	if (row->letter)
		bytes_add_format(ret, "'%s -%c'", command->name, row->letter);
	if (row->letter && row->name)
		bytes_add_str(ret, " | ");
	if (row->name)
		bytes_add_format(ret, "'%s --%s'", command->name, row->name);
	bytes_add_format(ret, ") kind=%s choices=(", kinds[row->value]);
	for (const char *const *word = row->words; word && *word; word++) {
		bytes_add_str(ret, word == row->words ? "" : " ");
		completion_quote(ret, *word);
	}
	bytes_add_str(ret, ") ;;\n");
}

void completion_bash(struct bytes *ret, const struct command *const *list, size_t count)
{
	add_lists(ret, list, count);
	bytes_add_str(ret, "# The long options of a command.\n"
			   "_profd_options() {\n\tcase $1 in\n");
	for (size_t i = 0; i < count; i++)
		add_options(ret, list[i]);
	bytes_add_str(ret, "\tesac\n}\n\n"
			   "# COMMAND OPTION: what its argument is; fails when it takes none.\n"
			   "_profd_value() {\n\tcase \"$1 $2\" in\n");
	for (size_t i = 0; i < count; i++)
		FOR_EACH_OPTION (row, list[i]->options)
			if (row->argument)
				add_value(ret, list[i], row);
	bytes_add_str(ret, "\t*) return 1 ;;\n\tesac\n}\n\n"
			   "# What a command's words are; fails when it takes none.\n"
			   "_profd_operand() {\n\tcase $1 in\n");
	for (size_t i = 0; i < count; i++)
		if (list[i]->operand)
			bytes_add_format(ret, "\t'%s') kind=%s ;;\n", list[i]->name,
					 kinds[list[i]->operand]);
	bytes_add_str(ret, "\t*) return 1 ;;\n\tesac\n}\n\n"
			   "_profd_starts_command() {\n\tcase $1 in\n");
	for (size_t i = 0; i < count; i++)
		if (list[i]->starts_command)
			bytes_add_format(ret, "\t'%s') ;;\n", list[i]->name);
	bytes_add_str(ret, "\t*) return 1 ;;\n\tesac\n}\n");
}
