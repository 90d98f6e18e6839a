// SPDX-License-Identifier: Apache-2.0
/* A line for each option, and the lists that completion/profd.fish uses. */
#include "base/cleanup.h"
#include "cmd/completion_parts.h"
#include "output/writer.h"

/* How a value of this kind is completed; VALUE_TEXT says it with its words. */
static const char *const actions[] = {
	[VALUE_FILE] = "",
	[VALUE_PROFILE] = " -a '(__profd_profiles)'",
	[VALUE_FORMAT] = " -a '(__profd_formats)'",
	[VALUE_PIDS] = " -a '(__profd_pids)'",
	[VALUE_TIDS] = " -a '(__profd_tids)'",
	[VALUE_COMM] = " -a '(__profd_comms)'",
	[VALUE_CGROUP] = " -a '(__profd_cgroups)'",
	[VALUE_USER] = " -a '(__fish_complete_users)'",
	[VALUE_COMMAND] = " -a '(__profd_commands)'",
};
_Static_assert(ARRAY_SIZE(actions) == VALUE_KIND_COUNT, "every kind has an action");

static void add_quoted(struct bytes *ret, const char *text)
{
	bytes_add_char(ret, '\'');
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			bytes_add_char(ret, '\\');
		bytes_add_char(ret, *text);
	}
	bytes_add_char(ret, '\'');
}

static void add_described(struct bytes *ret, const char *name, const char *note)
{
	bytes_add_str(ret, " \\\n\t\t");
	add_quoted(ret, name);
	bytes_add_char(ret, ' ');
	add_quoted(ret, note);
}

static void add_option(struct bytes *ret, const struct command *command,
		       const struct option_row *row)
{
	if (command->name[0])
		bytes_add_format(ret, "complete -c profd -n '__profd_in %s'", command->name);
	else
		bytes_add_str(ret, "complete -c profd -n __profd_without_command");
	if (row->letter)
		bytes_add_format(ret, " -s %c", row->letter);
	if (row->name)
		bytes_add_format(ret, " -l %s", row->name);
	if (row->argument)
		bytes_add_str(ret, row->value == VALUE_FILE ? " -r -F" : " -x");
	if (row->argument && row->value != VALUE_TEXT)
		bytes_add_str(ret, actions[row->value]);
	for (const char *const *word = row->words; word && *word; word++)
		bytes_add_format(ret, "%s%s%s", word == row->words ? " -a '" : " ", *word,
				 word[1] ? "" : "'");
	bytes_add_str(ret, " -d ");
	add_quoted(ret, row->help);
	bytes_add_char(ret, '\n');
}

void completion_fish(struct bytes *ret, const struct command *const *list, size_t count)
{
	bytes_add_str(ret, "function __profd_commands\n\tprintf '%s\\t%s\\n'");
	for (size_t i = 1; i < count; i++)
		add_described(ret, list[i]->name, list[i]->summary);
	bytes_add_str(ret, "\nend\n\nfunction __profd_formats\n\tprintf '%s\\t%s\\n'");
	for (size_t i = 0; i < writer_count; i++)
		add_described(ret, writers[i]->name, writers[i]->description);
	bytes_add_str(ret, "\nend\n\nfunction __profd_extensions\n\tprintf '%s\\n'");
	for (size_t i = 0; i < writer_count; i++)
		for (const char *const *extension = writers[i]->extensions; *extension; extension++)
			bytes_add_format(ret, " %s", *extension);
	bytes_add_str(ret, "\nend\n\ncomplete -c profd -f\n");
	for (size_t i = 0; i < count; i++) {
		const struct command *command = list[i];

		FOR_EACH_OPTION (row, command->options)
			add_option(ret, command, row);
		if (command->operand && command->name[0])
			bytes_add_format(ret, "complete -c profd -n '__profd_in %s'%s\n",
					 command->name, actions[command->operand]);
		else if (command->operand)
			bytes_add_format(ret, "complete -c profd -n __profd_without_command%s\n",
					 actions[command->operand]);
		if (command->starts_command)
			bytes_add_format(ret,
					 "complete -c profd -n '__profd_behind %s' -a "
					 "'(__profd_started)'\n",
					 command->name);
	}
}
