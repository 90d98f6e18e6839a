// SPDX-License-Identifier: Apache-2.0
/* The variables that completion/profd.zsh uses, and a call of zsh's _arguments for each command. */
#include <string.h>

#include "base/cleanup.h"
#include "cmd/completion_parts.h"
#include "output/writer.h"

/* How a value of this kind is completed; VALUE_TEXT says it with its words. */
static const char *const actions[] = {
	[VALUE_FILE] = "_files",
	[VALUE_PROFILE] = "_profd_profiles",
	[VALUE_FORMAT] = "_profd_formats",
	[VALUE_PIDS] = "_profd_pids",
	[VALUE_TIDS] = "_profd_tids",
	[VALUE_COMM] = "_profd_comms",
	[VALUE_CGROUP] = "_profd_cgroups",
	[VALUE_USER] = "_users",
	[VALUE_COMMAND] = "_profd_commands",
};
_Static_assert(ARRAY_SIZE(actions) == VALUE_KIND_COUNT, "every kind has an action");

/* Appends text with a backslash before each of `special`, and before backslashes. */
static void add_escaped(struct bytes *ret, const char *text, const char *special)
{
	for (; *text; text++) {
		if (*text == '\\' || strchr(special, *text))
			bytes_add_char(ret, '\\');
		bytes_add_char(ret, *text);
	}
}

/* 'NAME:WHAT IT IS' for _describe. */
static void add_described(struct bytes *ret, const char *name, const char *note)
{
	cleanup(bytes_fini) struct bytes text = {};

	add_escaped(&text, name, ":");
	bytes_add_char(&text, ':');
	bytes_add_str(&text, note);
	bytes_add_str(ret, "\n\t\t");
	completion_quote(ret, bytes_str(&text) ? text.at : "");
	ret->failed |= text.failed;
}

static bool may_be_repeated(const struct option_row *row)
{
	return row->value == VALUE_PIDS || row->value == VALUE_TIDS || row->value == VALUE_PROFILE;
}

/* An argument of _arguments: "(-p --pid)--pid=[help]:PID:action". */
static void add_option(struct bytes *ret, const struct option_row *row, bool is_long)
{
	cleanup(bytes_fini) struct bytes text = {};

	if (may_be_repeated(row))
		bytes_add_char(&text, '*');
	else if (row->letter && row->name)
		bytes_add_format(&text, "(-%c --%s)", row->letter, row->name);
	if (is_long)
		bytes_add_format(&text, "--%s%s", row->name, row->argument ? "=" : "");
	else
		bytes_add_format(&text, "-%c%s", row->letter, row->argument ? "+" : "");
	bytes_add_char(&text, '[');
	add_escaped(&text, row->help, "[]");
	bytes_add_char(&text, ']');
	if (row->argument) {
		bytes_add_char(&text, ':');
		add_escaped(&text, row->argument, ":");
		bytes_add_char(&text, ':');
		if (row->value != VALUE_TEXT)
			bytes_add_str(&text, actions[row->value]);
		else if (!row->words)
			bytes_add_char(&text, ' '); /* nothing to offer */
		for (const char *const *word = row->words; word && *word; word++)
			bytes_add_format(&text, "%s%s%s", word == row->words ? "(" : " ", *word,
					 word[1] ? "" : ")");
	}
	bytes_add_str(ret, " \\\n\t\t");
	completion_quote(ret, bytes_str(&text) ? text.at : "");
	ret->failed |= text.failed;
}

static void add_command(struct bytes *ret, const struct command *command)
{
	bytes_add_format(ret, "\n_profd_options_%s() {\n", command->name);
	if (command->starts_command)
		bytes_add_str(ret, "\t_profd_started && return\n");
	bytes_add_str(ret, "\t_arguments -s -S :");
	FOR_EACH_OPTION (row, command->options) {
		if (row->letter)
			add_option(ret, row, false);
		if (row->name)
			add_option(ret, row, true);
	}
	if (command->operand)
		bytes_add_format(ret, " \\\n\t\t'1: :%s'", actions[command->operand]);
	if (!command->name[0])
		bytes_add_str(ret, " \\\n\t\t'*:: :_profd_command'");
	bytes_add_str(ret, "\n}\n");
}

void completion_zsh(struct bytes *ret, const struct command *const *list, size_t count)
{
	bytes_add_str(ret, "_profd_tables() {\n\t_profd_command_names=(");
	for (size_t i = 1; i < count; i++)
		add_described(ret, list[i]->name, list[i]->summary);
	bytes_add_str(ret, "\n\t)\n\t_profd_format_names=(");
	for (size_t i = 0; i < writer_count; i++)
		add_described(ret, writers[i]->name, writers[i]->description);
	bytes_add_str(ret, "\n\t)\n\t_profd_extensions=(");
	for (size_t i = 0; i < writer_count; i++)
		for (const char *const *extension = writers[i]->extensions; *extension; extension++)
			bytes_add_format(ret, "\n\t\t'%s'", *extension);
	bytes_add_str(ret, "\n\t)\n}\n");
	for (size_t i = 0; i < count; i++)
		add_command(ret, list[i]);
}
