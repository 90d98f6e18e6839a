/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The profile that a command is asked to read, of any readable format. Needs no privileges: nothing
 * but the named file is opened.
 */
#pragma once

#include "cmd/options.h"
#include "profile/profile.h"

/*
 * Reads, freezes and describes it: its title is the recording's, or the file's name; its quality
 * line is the recording's, or what was found.
 *
 * path: "-" is stdin. type: NAME or NAME/UNIT of the values to show (meta.main_type); NULL: what the
 * profile says. Returns 0, with *ret the caller's, or a negative errno, logged as one line. What is
 * missing from the profile is logged, too.
 */
int read_profile(struct profile **ret, const char *path, const char *type);

/*
 * The one word of a command line that names a profile; behind "--" there are words, too. Returns 0 or
 * OPTIONS_USAGE, logged.
 */
int read_profile_operand(const char **ret, const struct command *command,
			 const struct options_result *words);

/* The row of --type; for its apply function, which returns what this does. */
#define OPTION_ROW_TYPE(apply)                                                                     \
	{                                                                                          \
		"type", 0, "NAME",                                                                 \
			"which type of values is shown, where a profile has several, as cpu or "   \
			"alloc_space; a wrong one lists them",                                     \
			apply, VALUE_TEXT                                                          \
	}
int read_profile_type(const char **ret, const char *argument, struct options_reason *reason);
