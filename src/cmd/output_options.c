// SPDX-License-Identifier: Apache-2.0
#include "cmd/output_options.h"

#include <errno.h>
#include <string.h>

#include "cmd/command.h"

static void list_formats(char *ret, size_t size)
{
	size_t used = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < writer_count && used < size; i++) {
		int more =
			snprintf(ret + used, size - used, "%s%s", i ? ", " : "", writers[i]->name);

		used += more > 0 ? (size_t)more : 0;
	}
}

int output_options_path(struct output_options *outputs, const char *argument,
			struct options_reason *reason)
{
	const char **path;

	if (!argument[0])
		return options_bad(reason, "needs the name of a file");
	for (uint32_t i = 0; i < outputs->paths.count; i++)
		if (strcmp(outputs->paths.at[i], argument) == 0)
			return options_bad(reason, "named twice");
	path = array_push(&outputs->paths);
	if (!path)
		return -ENOMEM;
	*path = argument;
	return 0;
}

int output_options_format(struct output_options *outputs, const char *argument,
			  struct options_reason *reason)
{
	const struct writer *format = writer_by_name(argument);
	char formats[160];

	if (format && outputs->format)
		return options_bad(reason, "was given already, as '%s': there can be one",
				   outputs->format->name);
	if (format) {
		outputs->format = format;
		return 0;
	}
	list_formats(formats, sizeof(formats));
	return options_bad(reason, "no such format; there are: %s", formats);
}

int output_options_complete(const struct output_options *outputs, struct config *config,
			    const struct command *command, const struct writer *for_stdout)
{
	char formats[160];

	for (uint32_t i = 0; i < outputs->paths.count; i++) {
		const char *path = outputs->paths.at[i];
		const struct writer *writer =
			outputs->format ? outputs->format : writer_by_path(path);
		struct config_output *output;

		if (!writer && strcmp(path, "-") == 0)
			writer = for_stdout;
		if (!writer) {
			list_formats(formats, sizeof(formats));
			return options_usage_error(
				command, "-o %.64s: its name says no format; choose with -f: %s",
				path, formats);
		}
		output = array_push(&config->outputs);
		if (!output)
			return -ENOMEM;
		*output = (struct config_output){ path, writer };
	}
	return 0;
}

void output_options_fini(struct output_options *outputs)
{
	array_fini(&outputs->paths);
}
