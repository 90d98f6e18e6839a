// SPDX-License-Identifier: Apache-2.0
#include "cmd/table_options.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/parse.h"

enum { WIDTH_MIN = 40, WIDTH_MAX = 10000, ROWS_MAX = 1000000000 };

const char *const table_orders[] = { [FUNCTIONS_BY_SELF] = "self",
				     [FUNCTIONS_BY_TOTAL] = "total",
				     [FUNCTIONS_BY_NAME] = "name",
				     NULL };
const char *const table_colours[] = {
	[COLOUR_AUTO] = "auto", [COLOUR_ALWAYS] = "always", [COLOUR_NEVER] = "never", NULL
};

/* The words' place is their number. */
static int find_word(const char *const *words, const char *word)
{
	for (int i = 0; words[i]; i++)
		if (strcmp(words[i], word) == 0)
			return i;
	return -1;
}

int table_options_sort(struct table_options *options, const char *argument,
		       struct options_reason *reason)
{
	int order = find_word(table_orders, argument);

	if (order < 0)
		return options_bad(reason, "is none of self, total, name");
	options->order = (enum function_order)order;
	return 0;
}

int table_options_limit(struct table_options *options, const char *argument,
			struct options_reason *reason)
{
	uint64_t limit;

	if (parse_u64(&limit, argument, ROWS_MAX) < 0 || !limit)
		return options_bad(reason, "is no number of rows, 1 to %d", ROWS_MAX);
	options->limit = (uint32_t)limit;
	return 0;
}

int table_options_percent(struct table_options *options, const char *argument,
			  struct options_reason *reason)
{
	char *end;
	double percent = strtod(argument, &end);

	if (end == argument || (*end && strcmp(end, "%") != 0) || !(percent >= 0 && percent <= 100))
		return options_bad(reason, "is no percentage, 0 to 100");
	options->smallest = percent / 100;
	options->has_smallest = true;
	return 0;
}

int table_options_width(struct table_options *options, const char *argument,
			struct options_reason *reason)
{
	uint64_t width;

	if (parse_u64(&width, argument, WIDTH_MAX) < 0 || (width && width < WIDTH_MIN))
		return options_bad(reason, "is no number of columns, %d to %d, or 0 for no limit",
				   WIDTH_MIN, WIDTH_MAX);
	options->width = width ? width : WIDTH_MAX;
	options->has_width = true;
	return 0;
}

int table_options_colour(struct table_options *options, const char *argument,
			 struct options_reason *reason)
{
	int choice = find_word(table_colours, argument);

	if (choice < 0)
		return options_bad(reason, "is none of auto, always, never");
	options->colour = (enum colour_choice)choice;
	return 0;
}

void table_options_apply(const struct table_options *options, struct report_options *report,
			 bool lines_stay_whole)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
	bool is_terminal = isatty(STDOUT_FILENO);
	struct winsize size;

	report->order = options->order;
	report->limit = options->limit;
	report->smallest = options->has_smallest ? options->smallest : -1;
	report->width = options->width;
	if (!options->has_width && is_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 &&
	    size.ws_col)
		report->width = size.ws_col < WIDTH_MIN	  ? WIDTH_MIN
				: size.ws_col < WIDTH_MAX ? size.ws_col
							  : WIDTH_MAX;
	if (!options->has_width && !is_terminal && lines_stay_whole)
		report->width = WIDTH_MAX;
	report->has_colours =
		options->colour == COLOUR_ALWAYS ||
		(options->colour == COLOUR_AUTO && is_terminal && !(no_colour && *no_colour) &&
		 term && *term && strcmp(term, "dumb") != 0);
}
