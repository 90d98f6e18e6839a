// SPDX-License-Identifier: Apache-2.0
#include "cmd/completion.h"

#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "cmd/completion_parts.h"
#include "completion_data.h"

static const struct {
	const char *name;
	const char *first_line; /* zsh looks there */
	void (*add_tables)(struct bytes *ret, const struct command *const *list, size_t count);
	const char *rest;
} shells[] = {
	{ "bash", "", completion_bash, completion_data_bash },
	{ "zsh", "#compdef profd\n", completion_zsh, completion_data_zsh },
	{ "fish", "", completion_fish, completion_data_fish },
};

void completion_quote(struct bytes *ret, const char *text)
{
	bytes_add_char(ret, '\'');
	for (; *text; text++) {
		if (*text == '\'')
			bytes_add_str(ret, "'\\'");
		bytes_add_char(ret, *text);
	}
	bytes_add_char(ret, '\'');
}

bool completion_make(struct bytes *ret, const char *shell, const struct command *const *list,
		     size_t count)
{
	for (size_t i = 0; i < ARRAY_SIZE(shells); i++) {
		if (strcmp(shells[i].name, shell) != 0)
			continue;
		bytes_add_format(ret,
				 "%s# SPDX-License-Identifier: Apache-2.0\n"
				 "# How %s completes profd's command line; made by 'profd "
				 "_completion %s'.\n\n",
				 shells[i].first_line, shell, shell);
		shells[i].add_tables(ret, list, count);
		bytes_add_str(ret, shells[i].rest);
		return true;
	}
	return false;
}

int completion_print(const char *shell)
{
	const struct command top = {
		.name = "",
		.options = profd_option_rows,
		.operand = VALUE_COMMAND,
	};
	ARRAY_OF(const struct command *) list = {};
	cleanup(bytes_fini) struct bytes script = {};
	bool known = true;

	for (size_t i = 0; i <= command_count; i++) {
		const struct command **added = array_push(&list);

		script.failed |= !added;
		if (added)
			*added = i ? commands[i - 1] : &top;
	}
	if (!script.failed)
		known = completion_make(&script, shell, list.at, list.count);
	array_fini(&list);
	if (!known) {
		log_error("'%.64s' is not a shell that profd knows: bash, zsh, fish", shell);
		return OPTIONS_USAGE;
	}
	if (!bytes_str(&script)) {
		log_error("out of memory");
		return 1;
	}
	fputs(script.at, stdout);
	return options_finish_stdout();
}
