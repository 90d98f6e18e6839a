/* SPDX-License-Identifier: Apache-2.0 */
/* A command of profd: one constant each, listed in commands.c. */
#pragma once

#include "cmd/options.h"

struct command {
	const char *name;
	const char *summary;	 /* one line, for `profd --help` */
	const char *usage[4];	 /* what follows "profd NAME", a line each; NULL-terminated */
	const char *description; /* a paragraph for --help, wrapped there */
	const struct option_row *options; /* up to a row without letter, name and help */
	enum value_kind operand;	  /* what words between its options are */
	bool starts_command;		  /* what follows "--" is a command to start */
	/* argv[0] is the command's name. Returns the exit status. */
	int (*run)(int argc, char **argv);
};

extern const struct command command_record;
extern const struct command command_top;
extern const struct command command_dump;
extern const struct command command_report;
extern const struct command command_diff;
extern const struct command command_check;
extern const struct command command_convert;
extern const struct command command_daemon;
extern const struct command command_query;
extern const struct command command_verify;
extern const struct command command_doctor;
extern const struct command command_help;

/* All of them, in the order of --help, `command_count` of them. */
extern const struct command *const commands[];
extern const size_t command_count;
/* What may stand in place of a command; parsed in main.c. */
extern const struct option_row profd_option_rows[];

/*
 * By its name or a beginning that fits no other. Returns NULL, with a line logged, when there is no
 * such command or more than one.
 */
const struct command *command_find(const char *name);
/* Prints the help of profd itself: its commands and options. */
void command_print_usage(FILE *out);
