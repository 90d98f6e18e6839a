// SPDX-License-Identifier: Apache-2.0
/* What is shown of all there is: the filter, and how it is typed. */
#include "top/ui.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "top/ui_keys.h"

/* For the filter in one drawing, so that keys are always answered. */
#define MATCHING_NS 100000000ULL

void ui_allow_matching(struct ui *ui)
{
	ui->match_until_ns = clock_ns(CLOCK_MONOTONIC) + MATCHING_NS;
	ui->filter_slow = false;
}

bool ui_matches(struct ui *ui, const char *name, const char *module)
{
	if (ui->module[0] && strcmp(ui->module, ui_base_name(module)) != 0)
		return false;
	if (!ui->pattern)
		return true;
	ui->filter_slow |= clock_ns(CLOCK_MONOTONIC) > ui->match_until_ns;
	if (ui->filter_slow)
		return false;
	return pattern_matches(ui->pattern, name) ||
	       (*module && pattern_matches(ui->pattern, ui_base_name(module)));
}

static void apply_filter(struct ui *ui)
{
	struct pattern_reason reason;
	struct pattern *pattern = NULL;

	ui->filter_trouble = NULL;
	if (ui->filter[0] && pattern_new(&pattern, ui->filter, true, &reason) < 0) {
		/* While it is typed, most expressions are not finished: the last good one holds. */
		ui->filter_trouble = "not a regular expression yet";
		return;
	}
	pattern_free(ui->pattern);
	ui->pattern = pattern;
}

void ui_filter_set(struct ui *ui, const char *text)
{
	snprintf(ui->filter, sizeof(ui->filter), "%s", text);
	apply_filter(ui);
}

void ui_filter_begin(struct ui *ui)
{
	ui->typing = true;
	snprintf(ui->before, sizeof(ui->before), "%s", ui->filter);
}

/* UTF-8 of one code point (RFC 3629). */
static void append(char *text, size_t size, uint32_t c)
{
	size_t at = strlen(text);
	char bytes[5] = "";

	if (c < 0x80) {
		bytes[0] = (char)c;
	} else if (c < 0x800) {
		bytes[0] = (char)(0xc0 | c >> 6);
		bytes[1] = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		bytes[0] = (char)(0xe0 | c >> 12);
		bytes[1] = (char)(0x80 | (c >> 6 & 0x3f));
		bytes[2] = (char)(0x80 | (c & 0x3f));
	} else {
		bytes[0] = (char)(0xf0 | c >> 18);
		bytes[1] = (char)(0x80 | (c >> 12 & 0x3f));
		bytes[2] = (char)(0x80 | (c >> 6 & 0x3f));
		bytes[3] = (char)(0x80 | (c & 0x3f));
	}
	if (at + strlen(bytes) < size)
		strcpy(text + at, bytes);
}

static void remove_last(char *text)
{
	size_t at = strlen(text);

	while (at && ((unsigned char)text[--at] & 0xc0) == 0x80)
		;
	text[at] = '\0';
}

bool ui_filter_key(struct ui *ui, int key)
{
	switch (key) {
	case '\r':
	case '\n':
		ui->typing = false;
		return true;
	case KEY_ESCAPE:
		ui->typing = false;
		ui_filter_set(ui, ui->before);
		return true;
	case SCREEN_BACKSPACE:
		remove_last(ui->filter);
		apply_filter(ui);
		return true;
	case KEY_CTRL_U:
		ui_filter_set(ui, "");
		return true;
	default:
		if (key < ' ' || key >= SCREEN_KEY_BASE)
			return false;
		append(ui->filter, sizeof(ui->filter), (uint32_t)key);
		apply_filter(ui);
		return true;
	}
}
