// SPDX-License-Identifier: Apache-2.0
/*
 * getopt_long does the scanning. It is told to hand over words in their place (a leading "-"), so
 * that a word before "--" is never taken for a part of the command behind it.
 */
#include "cmd/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cmd/command.h"

enum { HELP_COLUMNS = 80, HELP_INDENT = 28, FIRST_LONG_VALUE = 256 };

static bool is_end(const struct option_row *row)
{
	return !row->name && !row->letter && !row->help;
}

static bool is_heading(const struct option_row *row)
{
	return !row->name && !row->letter && row->help;
}

/* Which row getopt means by `value`, or NULL. */
static const struct option_row *row_of(const struct option_row *rows, int value)
{
	for (const struct option_row *row = rows; !is_end(row); row++)
		if (value >= FIRST_LONG_VALUE ? row - rows == value - FIRST_LONG_VALUE
					      : row->letter && row->letter == value)
			return row;
	return NULL;
}

struct tables {
	struct option *longs;
	char *letters;
};

static void tables_fini_cleanup(struct tables *tables)
{
	free(tables->longs);
	free(tables->letters);
}

static int make_tables(struct tables *ret, const struct option_row *rows)
{
	size_t count = 0, long_count = 0, size = 0;

	while (!is_end(&rows[count]))
		count++;
	ret->longs = calloc(count + 1, sizeof(*ret->longs));
	ret->letters = calloc(1, 2 * count + 3);
	if (!ret->longs || !ret->letters)
		return -ENOMEM;
	/* "-": words in their place; ":": missing arguments are told apart from unknown options. */
	ret->letters[size++] = '-';
	ret->letters[size++] = ':';
	for (size_t i = 0; i < count; i++) {
		if (rows[i].name)
			ret->longs[long_count++] = (struct option){
				.name = rows[i].name,
				.has_arg = rows[i].argument   ? required_argument
					   : rows[i].optional ? optional_argument
							      : no_argument,
				.val = FIRST_LONG_VALUE + (int)i,
			};
		if (rows[i].letter) {
			ret->letters[size++] = rows[i].letter;
			if (rows[i].argument)
				ret->letters[size++] = ':';
		}
	}
	return 0;
}

int options_usage_error(const struct command *command, const char *format, ...)
{
	char text[512];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	log_error("%s; see 'profd %s --help'", text, command->name);
	return OPTIONS_USAGE;
}

static void fill(struct options_reason *reason, const char *format, va_list list)
	__attribute__((format(printf, 2, 0)));
static void fill(struct options_reason *reason, const char *format, va_list list)
{
	vsnprintf(reason->text, sizeof(reason->text), format, list);
}

int options_bad(struct options_reason *reason, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	fill(reason, format, list);
	va_end(list);
	return OPTIONS_USAGE;
}

int options_refuse(struct options_reason *reason, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	fill(reason, format, list);
	va_end(list);
	return OPTIONS_REFUSED;
}

/* As the person typed it: "-p" or "--pid". */
static void spell(char *ret, size_t size, const struct option_row *row, int value)
{
	if (value >= FIRST_LONG_VALUE)
		snprintf(ret, size, "--%s", row->name);
	else
		snprintf(ret, size, "-%c", row->letter);
}

static int apply(const struct command *command, const struct option_row *row, int value,
		 void *context, const char *argument)
{
	struct options_reason reason = {};
	const char *between = !argument ? "" : row->optional ? "=" : " ";
	char spelled[64];
	int r = row->apply(context, argument, &reason);

	if (r == 0 || r == -ENOMEM)
		return r;
	spell(spelled, sizeof(spelled), row, value);
	if (r == OPTIONS_USAGE)
		return options_usage_error(command, "%s%s%.64s: %s", spelled, between,
					   argument ? argument : "", reason.text);
	log_error("%s%s%.64s: %s", spelled, between, argument ? argument : "", reason.text);
	return r;
}

/* getopt returned '?': unknown, ambiguous, or an argument for an option that takes none. */
static int unknown(const struct command *command, const char *word)
{
	const struct option_row *row;

	if (optopt == 0)
		return options_usage_error(command, "unknown option %.64s", word);
	row = row_of(command->options, optopt);
	if (row && row->name)
		return options_usage_error(command, "--%s takes no argument", row->name);
	return options_usage_error(command, "unknown option -%c", optopt);
}

int options_parse(const struct command *command, void *context, int argc, char **argv,
		  struct options_result *result)
{
	cleanup(tables_fini) struct tables tables = {};
	int kept = 1, value, before;

	*result = (struct options_result){ .words = argv + 1 };
	if (make_tables(&tables, command->options) < 0)
		return -ENOMEM;
	opterr = 0;
	optind = 0; /* glibc: forget what was scanned before */
	for (before = 1;
	     (value = getopt_long(argc, argv, tables.letters, tables.longs, NULL)) != -1;
	     before = optind) {
		const struct option_row *row = row_of(command->options, value);
		char spelled[64];
		int r;

		if (value == 1) {
			/* Behind what is scanned: nothing that is still needed is overwritten. */
			argv[kept++] = optarg;
			continue;
		}
		if (value == ':') {
			row = row_of(command->options, optopt);
			if (row)
				spell(spelled, sizeof(spelled), row, optopt);
			return options_usage_error(command, "%s needs %s", row ? spelled : "option",
						   row ? row->argument : "an argument");
		}
		if (value == '?' || !row)
			return unknown(command, argv[optind - 1]);
		if (!row->apply) { /* --help */
			options_print_help(command, stdout);
			return options_finish_stdout() == 0 ? OPTIONS_HELP : OPTIONS_REFUSED;
		}
		r = apply(command, row, value, context, optarg);
		if (r != 0)
			return r;
		if (row - command->options < 64)
			result->given |= UINT64_C(1) << (row - command->options);
	}
	result->word_count = kept - 1;
	/* The last call moved on without an option: it skipped "--". */
	if (before < optind)
		result->rest = argv + optind;
	return 0;
}

int options_exit_status(int outcome)
{
	if (outcome < 0) {
		log_error("cannot read the command line: %s", strerror(-outcome));
		return OPTIONS_REFUSED;
	}
	return outcome == OPTIONS_HELP ? 0 : outcome;
}

/* Prints words with line breaks before HELP_COLUMNS; `column` is where the cursor stands. */
static void print_wrapped(FILE *out, const char *text, size_t column, size_t indent)
{
	bool first = true;

	while (*text) {
		size_t length = strcspn(text, " ");

		if (!first && column + 1 + length > HELP_COLUMNS) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
			first = true;
		}
		if (!first) {
			fputc(' ', out);
			column++;
		}
		fprintf(out, "%.*s", (int)length, text);
		column += length;
		first = false;
		text += length;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

static void print_row(FILE *out, const struct option_row *row)
{
	char left[128];
	int size = snprintf(left, sizeof(left), "  %c%c%s%s%s%s%s%s%s%s", row->letter ? '-' : ' ',
			    row->letter ? row->letter : ' ',
			    row->letter && row->name ? ", " : (row->name ? "  " : ""),
			    row->name ? "--" : "", row->name ? row->name : "",
			    row->argument ? " " : "", row->argument ? row->argument : "",
			    row->optional ? "[=" : "", row->optional ? row->optional : "",
			    row->optional ? "]" : "");

	fputs(left, out);
	if (size >= HELP_INDENT - 1)
		fprintf(out, "\n%*s", HELP_INDENT, "");
	else
		fprintf(out, "%*s", HELP_INDENT - size, "");
	print_wrapped(out, row->help, HELP_INDENT, HELP_INDENT);
}

void options_print_rows(const struct option_row *rows, FILE *out)
{
	if (!is_heading(&rows[0]))
		fputs("\nOptions:\n", out);
	for (const struct option_row *row = rows; !is_end(row); row++) {
		if (is_heading(row))
			fprintf(out, "\n%s:\n", row->help);
		else
			print_row(out, row);
	}
}

void options_print_help(const struct command *command, FILE *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(command->usage) && command->usage[i]; i++)
		fprintf(out, "%s profd %s %s\n", i ? "      " : "Usage:", command->name,
			command->usage[i]);
	fputc('\n', out);
	print_wrapped(out, command->description, 0, 0);
	options_print_rows(command->options, out);
}

int options_finish_stdout(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	log_error("cannot write to stdout: %s", strerror(errno));
	return 1;
}
