/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scripts with which shells complete profd's command line, made from the tables that parsing and
 * --help use. What is the same in every version is in completion/profd.SHELL.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

struct command;

/*
 * Appends the script of `shell` ("bash", "zsh" or "fish") for these commands. commands[0] stands for
 * profd without a command: its name is "", its operand VALUE_COMMAND. Failure is kept in `ret`.
 * Returns whether there is such a shell.
 */
bool completion_make(struct bytes *ret, const char *shell, const struct command *const *list,
		     size_t count);

/* Prints the script for profd's own commands. Returns an exit status; errors are logged. */
int completion_print(const char *shell);
