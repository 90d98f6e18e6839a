/* SPDX-License-Identifier: Apache-2.0 */
/* A command of profd: one constant each, listed in main.c. */
#pragma once

#include "cmd/options.h"

struct command {
	const char *name;
	const char *summary;	 /* one line, for `profd --help` */
	const char *usage[4];	 /* what follows "profd NAME", a line each; NULL-terminated */
	const char *description; /* a paragraph for --help, wrapped there */
	const struct option_row *options; /* up to a row without letter, name and help */
	/* argv[0] is the command's name. Returns the exit status. */
	int (*run)(int argc, char **argv);
};

extern const struct command command_record;
extern const struct command command_doctor;
