/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table of options per command drives everything that is said about them: parsing, --help, the
 * shells' completions, and what the tests compare with the manual.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct command;

/* How parsing ended. Except for OPTIONS_HELP, the number is the exit status. */
enum options_outcome {
	OPTIONS_OK = 0,
	OPTIONS_REFUSED = 1, /* understood, but it cannot be done here */
	OPTIONS_USAGE = 2,   /* not understood, or contradictory */
	OPTIONS_HELP = 3,    /* --help was asked for and printed: exit 0 */
};

/* Why an option was not taken: one line without the option's name. */
struct options_reason {
	char text[256];
};

/* What an option's argument, or a command's word, can be: what a shell completes it to. */
enum value_kind {
	VALUE_NONE = 0, /* there is none */
	VALUE_TEXT,	/* one of the row's words, or what no shell can know, as a number */
	VALUE_FILE,
	VALUE_PROFILE, /* a file that is called like one of the formats (output/writer.h) */
	VALUE_FORMAT,  /* one of the formats' names */
	VALUE_PIDS,    /* separated by commas, as are tids */
	VALUE_TIDS,
	VALUE_COMM, /* a thread's name */
	VALUE_CGROUP,
	VALUE_USER,
	VALUE_COMMAND, /* one of profd's */
	VALUE_KIND_COUNT,
};

/*
 * A row: an option, a heading of --help (only `help`), or the end (nothing).
 * apply gets the command's context and the argument (NULL when it takes none); it returns 0, or
 * OPTIONS_REFUSED or OPTIONS_USAGE with a reason, or -ENOMEM.
 */
struct option_row {
	const char *name;     /* long name, NULL: none */
	char letter;	      /* 0: none */
	const char *argument; /* the name of its argument, NULL: takes none, or see `optional` */
	const char *help;
	int (*apply)(void *context, const char *argument, struct options_reason *reason);
	enum value_kind value;	  /* what `argument` can be */
	const char *const *words; /* with VALUE_TEXT, NULL-terminated; NULL: none are known */
	/* The name of an argument that may be left out, of a long option: --NAME[=ARGUMENT]. */
	const char *optional;
	/*
	 * Of what a configuration file may set, too: the default, as it would be written there ("no" for
	 * what takes no argument); NULL: the file may not. Of a heading: its section of the file.
	 */
	const char *initial;
	bool at_start; /* what the file says of it takes effect when profd is started */
};

/* Loops over a table's options; headings are left out. */
#define FOR_EACH_OPTION(row, rows)                                                                 \
	for (const struct option_row *row = (rows); row->name || row->letter || row->help; row++)  \
		if (row->name || row->letter)

struct options_result {
	uint64_t given; /* which rows, by their place in the table: a bit for each of the first 64 */
	char **words; /* what stands between the options, `word_count` of them */
	int word_count;
	char **rest; /* what follows "--", NULL-terminated; NULL: there was no "--" */
};

/* Every command's first row. */
#define OPTION_ROW_HELP                                                                            \
	{                                                                                          \
		"help", 'h', NULL, "print this and exit", NULL                                     \
	}

/*
 * Parses argv[1..] of a command; argv is reordered. Errors are logged as one line that names the
 * option and points to --help; --help goes to stdout. result: borrowed from argv.
 * Returns an options_outcome or -ENOMEM.
 */
int options_parse(const struct command *command, void *context, int argc, char **argv,
		  struct options_result *result);
/* The exit status that follows from what options_parse returned. */
int options_exit_status(int outcome);
/* Logs what is wrong with a command line as a whole. Returns OPTIONS_USAGE. */
int options_usage_error(const struct command *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Fills `reason` and returns OPTIONS_USAGE, for apply functions. */
int options_bad(struct options_reason *reason, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The same with OPTIONS_REFUSED. */
int options_refuse(struct options_reason *reason, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Prints rows as --help shows them, at most 80 columns wide. */
void options_print_rows(const struct option_row *rows, FILE *out);
/* Prints a command's help, at most 80 columns wide. */
void options_print_help(const struct command *command, FILE *out);
/* Flushes stdout. Returns the exit status: 1, with a line logged, when it could not be written. */
int options_finish_stdout(void);
