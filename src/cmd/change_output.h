/* SPDX-License-Identifier: Apache-2.0 */
/* Where a comparison is written, and as what: for every command that makes one. */
#pragma once

#include "cmd/options.h"
#include "diff/output.h"

/* Adds their names: "text, json, ...". */
void change_output_formats(struct bytes *ret);
/*
 * Whether it is known as what this output is to be written. format: -f, NULL: the name says it, and
 * stdout gets text. Returns 0, or OPTIONS_USAGE, logged.
 */
int change_output_check(const struct command *command, const struct diff_writer *format,
			const char *path);
/*
 * Writes it, whole or not at all. heading: lines that text begins with; NULL: none.
 * Returns 0, also where nobody reads on, or a negative errno, logged.
 */
int change_output_write(const struct diff *diff, const struct diff_writer *format, const char *path,
			const char *heading);
