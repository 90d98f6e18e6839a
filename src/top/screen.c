// SPDX-License-Identifier: Apache-2.0
#define NCURSES_WIDECHAR 1
#include "top/screen.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include <curses.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "output/escape.h"
#include "output/short_name.h"
#include "top/guard.h"
#include "top/terminfo.h"

/* A look, or a box's ground. */
struct paint {
	attr_t attributes;
	int pair; /* 0: the terminal's own colours */
};

static struct paint looks[LOOK_COUNT];
static struct paint boxes[CALL_KIND_COUNT][SCREEN_SHADES];
static SCREEN *terminal;

/* ---- colours ---- */

/*
 * For terminals of 8 and 16 colours: ANSI's numbers; the others get about the colours of the picture in
 * the browser, and boxes the same in shades.
 */
static const struct kind_color {
	short ansi;
	unsigned first_hue, last_hue, saturation, lightness;
} kind_colors[CALL_KIND_COUNT] = {
	[CALL_USER] = { COLOR_YELLOW, 16, 44, 92, 62 },
	[CALL_LIBRARY] = { COLOR_CYAN, 188, 214, 68, 72 },
	[CALL_KERNEL] = { COLOR_MAGENTA, 266, 296, 52, 76 },
	[CALL_JIT] = { COLOR_GREEN, 96, 136, 48, 66 },
	[CALL_INTERPRETED] = { COLOR_GREEN, 164, 180, 48, 64 },
	[CALL_NOTE] = { COLOR_RED, 40, 40, 8, 75 },
	[CALL_ALL] = { COLOR_WHITE, 220, 220, 12, 78 },
	[CALL_PROCESS] = { COLOR_WHITE, 220, 220, 14, 82 },
	[CALL_THREAD] = { COLOR_WHITE, 220, 220, 16, 86 },
};

/* HSL to RGB, each 0 to 255 (CSS Color Module Level 3, 4.2.4). */
static void to_rgb(unsigned hue, unsigned saturation, unsigned lightness, int rgb[3])
{
	double s = saturation / 100.0, l = lightness / 100.0;
	double a = s * (l < 0.5 ? l : 1 - l);

	for (int i = 0; i < 3; i++) {
		static const int offsets[3] = { 0, 8, 4 };
		unsigned k12 = offsets[i] * 30 + hue;
		double k = (double)(k12 % 360) / 30;
		double least = k - 3 < 9 - k ? k - 3 : 9 - k;

		least = least > 1 ? 1 : least < -1 ? -1 : least;
		rgb[i] = (int)(255 * (l - a * least) + 0.5);
	}
}

/* The terminal's number of a colour, or of its next neighbour in xterm's cube of 216 from 16 on. */
static int color_number(const int rgb[3])
{
	int cube = 16;

	if (COLORS > 256)
		return rgb[0] << 16 | rgb[1] << 8 | rgb[2];
	for (int i = 0; i < 3; i++) {
		int step = rgb[i] < 48 ? 0 : rgb[i] < 115 ? 1 : (rgb[i] - 35) / 40;

		cube += step * (i == 0 ? 36 : i == 1 ? 6 : 1);
	}
	return cube;
}

static int next_pair;

static struct paint paint_of(attr_t attributes, int foreground, int background)
{
	next_pair++;
	if (init_extended_pair(next_pair, foreground, background) == ERR)
		return (struct paint){ attributes, 0 };
	return (struct paint){ attributes, next_pair };
}

static int kind_number(enum call_kind kind, unsigned shade, bool on_ground)
{
	const struct kind_color *color = &kind_colors[kind];
	unsigned hue = color->first_hue +
		       (color->last_hue - color->first_hue) * shade / (SCREEN_SHADES - 1);
	int rgb[3];

	if (COLORS < 256)
		return color->ansi + (COLORS >= 16 && on_ground && shade % 2 ? 8 : 0);
	to_rgb(hue, color->saturation, color->lightness + (on_ground && shade % 2 ? 6 : 0), rgb);
	return color_number(rgb);
}

static void prepare_colors(void)
{
	int black = COLORS > 256 ? 0 : COLOR_BLACK;

	use_default_colors();
	looks[LOOK_STRONG] = (struct paint){ A_BOLD, 0 };
	looks[LOOK_FAINT] =
		COLORS >= 16 && COLORS <= 256 ? paint_of(0, 8, -1) : (struct paint){ A_DIM, 0 };
	looks[LOOK_BAR] = paint_of(0, COLOR_BLACK, COLOR_CYAN);
	looks[LOOK_TAB] = paint_of(A_BOLD, COLOR_WHITE, COLOR_BLUE);
	looks[LOOK_CHOSEN] = (struct paint){ A_REVERSE, 0 };
	looks[LOOK_MATCH] = paint_of(A_BOLD, COLOR_BLACK, COLOR_YELLOW);
	looks[LOOK_WARNING] = paint_of(A_BOLD, COLOR_YELLOW, -1);
	looks[LOOK_HOT] = paint_of(A_BOLD, COLOR_RED, -1);
	looks[LOOK_WARM] = paint_of(0, COLOR_YELLOW, -1);
	for (unsigned kind = 0; kind < CALL_KIND_COUNT; kind++) {
		/* A program's own functions are what is looked for: in the terminal's own colour. */
		if (kind == CALL_USER || kind == CALL_ALL || kind == CALL_PROCESS)
			looks[LOOK_KINDS + kind] =
				(struct paint){ kind == CALL_USER ? 0 : A_BOLD, 0 };
		else
			looks[LOOK_KINDS + kind] = paint_of(0, kind_colors[kind].ansi, -1);
		for (unsigned shade = 0; shade < SCREEN_SHADES; shade++)
			boxes[kind][shade] = paint_of(0, black, kind_number(kind, shade, true));
	}
}

static void prepare_plain(void)
{
	looks[LOOK_STRONG] = (struct paint){ A_BOLD, 0 };
	looks[LOOK_BAR] = looks[LOOK_CHOSEN] = (struct paint){ A_REVERSE, 0 };
	looks[LOOK_TAB] = (struct paint){ A_BOLD, 0 };
	looks[LOOK_MATCH] = (struct paint){ A_UNDERLINE, 0 };
	looks[LOOK_WARNING] = looks[LOOK_HOT] = (struct paint){ A_BOLD, 0 };
}

static void use(struct paint paint)
{
	int pair = paint.pair;

	attr_set(paint.attributes, 0, &pair);
}

/* ---- the terminal ---- */

static int refuse(const char *term, const char *why)
{
	log_error("cannot draw on terminal '%.64s': %s; try TERM=xterm-256color, or 'profd top "
		  "--once' for text",
		  term, why);
	return -ENOTTY;
}

/* The terminal's entry for 24-bit colours, where it says that it has them and there is one. */
static const char *direct_entry(const char *term, char *ret, size_t size)
{
	const char *color = getenv("COLORTERM");
	int length = (int)strcspn(term, "-");

	if (!color || (strcmp(color, "truecolor") != 0 && strcmp(color, "24bit") != 0))
		return NULL;
	snprintf(ret, size, "%.*s-direct", length, term);
	return terminfo_find(ret) == 0 ? ret : NULL;
}

int screen_check(void)
{
	const char *term = getenv("TERM");
	int r;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		log_error(
			"the live view needs a terminal, and %s is none; 'profd top --once' prints "
			"one interval as text, --json as JSON",
			isatty(STDIN_FILENO) ? "stdout" : "stdin");
		return -ENOTTY;
	}
	if (!term || !*term)
		return refuse("", "TERM is not set");
	r = terminfo_find(term);
	if (r != 0)
		return refuse(term, r == TERMINFO_NO_DATABASE ? "the terminfo database is not there"
							      : "terminfo does not know it");
	return terminfo_text("cup") ? 0 : refuse(term, "it cannot move its cursor");
}

/* What a terminal is to be sent when nobody is left who knows how it was set. */
static void arm(struct guard *guard)
{
	static const char *const names[] = { "rmkx", "sgr0", "op", "cnorm", "rmcup" };
	struct bytes restore = {};

	/* The mouse, as XM turns it off in every terminal that ncurses knows one of. */
	bytes_add_str(&restore, "\033[?1006l\033[?1000l");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *text = terminfo_text(names[i]);

		if (text)
			bytes_add_str(&restore, text);
	}
	bytes_add_str(&restore, "\r");
	if (!restore.failed)
		guard_arm(guard, restore.at, restore.size);
	bytes_fini(&restore);
}

int screen_open(struct screen *screen, struct guard *guard)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
	char direct[128];
	const char *entry = direct_entry(term, direct, sizeof(direct));
	sigset_t resized;

	/* Not the other categories: numbers in JSON have points everywhere. */
	setlocale(LC_CTYPE, "");
	*screen = (struct screen){ .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0 };
	screen->plus_minus = screen->utf8 ? "\xc2\xb1" : "+-";
	terminal = newterm(entry ? entry : term, stdout, stdin);
	if (!terminal)
		return refuse(term, "it has too few abilities");
	/* ncurses has handlers of its own, which know nothing of other threads. */
	signal(SIGTSTP, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	arm(guard);
	set_term(terminal);
	raw();
	noecho();
	nonl();
	intrflush(stdscr, FALSE);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(25);
	leaveok(stdscr, TRUE);
	(void)curs_set(0);
	mousemask(BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL);
	mouseinterval(0);
	next_pair = 0;
	memset(looks, 0, sizeof(looks));
	if ((!no_color || !*no_color) && has_colors() && start_color() == OK && COLORS >= 8) {
		screen->colors = COLORS;
		prepare_colors();
	} else {
		prepare_plain();
	}
	getmaxyx(stdscr, screen->rows, screen->columns);
	sigemptyset(&resized);
	sigaddset(&resized, SIGWINCH);
	pthread_sigmask(SIG_UNBLOCK, &resized, NULL);
	return 0;
}

void screen_close(struct screen *screen, struct guard *guard)
{
	(void)screen;
	/* A shell that has taken the terminal back has set it as it likes. */
	if (guard_is_gone(guard) && tcgetpgrp(STDIN_FILENO) != getpgrp()) {
		terminfo_send("rmcup");
		return;
	}
	(void)curs_set(1);
	endwin();
	delscreen(terminal);
	terminal = NULL;
	guard_disarm(guard);
}

void screen_suspend(struct screen *screen, const struct guard *guard)
{
	endwin();
	/* The guard, too: the shell waits for it. In this thread it has taken effect when that returns. */
	if (!guard_is_gone(guard))
		(void)kill(getppid(), SIGTSTP);
	(void)pthread_kill(pthread_self(), SIGTSTP);
	refresh();
	getmaxyx(stdscr, screen->rows, screen->columns);
	screen_redraw();
}

void screen_redraw(void)
{
	clearok(curscr, TRUE);
}

void screen_clear(void)
{
	use((struct paint){});
	erase();
}

void screen_show(void)
{
	refresh();
}

void screen_beep(void)
{
	beep();
}

/* ---- keys ---- */

static int read_mouse(struct screen_mouse *mouse)
{
	MEVENT event;

	if (getmouse(&event) != OK)
		return KEY_NONE_YET;
	*mouse = (struct screen_mouse){ .y = event.y, .x = event.x };
	if (event.bstate & BUTTON4_PRESSED)
		mouse->wheel = -1;
	else if (event.bstate & BUTTON5_PRESSED)
		mouse->wheel = 1;
	else if (!(event.bstate & BUTTON1_PRESSED))
		return KEY_NONE_YET;
	return SCREEN_MOUSE;
}

static int special_key(struct screen *screen, wint_t key, struct screen_mouse *mouse)
{
	switch (key) {
	case KEY_UP:
		return SCREEN_UP;
	case KEY_DOWN:
		return SCREEN_DOWN;
	case KEY_LEFT:
		return SCREEN_LEFT;
	case KEY_RIGHT:
		return SCREEN_RIGHT;
	case KEY_PPAGE:
		return SCREEN_PAGE_UP;
	case KEY_NPAGE:
		return SCREEN_PAGE_DOWN;
	case KEY_HOME:
		return SCREEN_HOME;
	case KEY_END:
		return SCREEN_END;
	case KEY_BACKSPACE:
		return SCREEN_BACKSPACE;
	case KEY_BTAB:
		return SCREEN_BACK_TAB;
	case KEY_ENTER:
		return '\r';
	case KEY_F(1):
		return SCREEN_F1;
	case KEY_F(3):
		return SCREEN_F3;
	case KEY_F(4):
		return SCREEN_F4;
	case KEY_F(5):
		return SCREEN_F5;
	case KEY_F(10):
		return SCREEN_F10;
	case KEY_RESIZE:
		getmaxyx(stdscr, screen->rows, screen->columns);
		return SCREEN_RESIZED;
	case KEY_MOUSE:
		return read_mouse(mouse);
	default:
		return KEY_NONE_YET;
	}
}

int screen_read(struct screen *screen, struct screen_mouse *mouse)
{
	wint_t key;
	int r = get_wch(&key);

	if (r == KEY_CODE_YES)
		return special_key(screen, key, mouse);
	if (r != OK)
		return KEY_NONE_YET;
	return key == 0x7f || key == 8 ? SCREEN_BACKSPACE : (int)key;
}

/* ---- cells ---- */

/* Puts clean text. */
static int put_clean(const struct screen *screen, int y, int x, int columns, const char *text)
{
	wchar_t wide[512];
	int count = 0, used = 0;

	if (y < 0 || y >= screen->rows || x < 0 || x >= screen->columns)
		return 0;
	if (columns > screen->columns - x)
		columns = screen->columns - x;
	while (*text && count < (int)ARRAY_SIZE(wide)) {
		uint32_t c = text_next(&text);
		int width = (int)text_char_columns(c);

		if (c >= 0x80 && !screen->utf8) {
			c = c == 0x2026 ? '~' : '?';
			width = 1;
		} else if (c >= 0x80 && wcwidth((wchar_t)c) != width) {
			/* The terminal would be out of step. */
			c = 0xfffd;
			width = 1;
		}
		/* Marks over other characters can be piled up as high as one likes. */
		if (width == 0)
			continue;
		if (used + width > columns)
			break;
		wide[count++] = (wchar_t)c;
		used += width;
	}
	(void)mvaddnwstr(y, x, wide, count);
	return used;
}

static int put(const struct screen *screen, int y, int x, int columns, const char *text, bool name)
{
	cleanup(bytes_fini) struct bytes clean = {}, cut = {};

	if (columns <= 0)
		return 0;
	escape_clean(&clean, text);
	if (!bytes_str(&clean))
		return 0;
	if (name)
		(void)short_name_add(&cut, clean.at, (size_t)columns);
	else
		(void)text_add_clipped(&cut, clean.at, (size_t)columns);
	return bytes_str(&cut) ? put_clean(screen, y, x, columns, bytes_str(&cut)) : 0;
}

int screen_put(const struct screen *screen, int y, int x, int columns, const char *text,
	       enum look look)
{
	use(looks[look]);
	return put(screen, y, x, columns, text, false);
}

int screen_put_name(const struct screen *screen, int y, int x, int columns, const char *name,
		    enum look look)
{
	use(looks[look]);
	return put(screen, y, x, columns, name, true);
}

static void fill(const struct screen *screen, int y, int x, int columns)
{
	if (y < 0 || y >= screen->rows || x < 0 || x >= screen->columns)
		return;
	if (columns > screen->columns - x)
		columns = screen->columns - x;
	(void)mvhline(y, x, ' ', columns);
}

void screen_fill(const struct screen *screen, int y, int x, int columns, enum look look)
{
	use(looks[look]);
	fill(screen, y, x, columns);
}

void screen_mark(const struct screen *screen, int y, int x, int columns, enum look look)
{
	int pair = looks[look].pair;

	if (y >= 0 && y < screen->rows)
		(void)mvchgat(y, x, columns, looks[look].attributes, (short)pair, &pair);
}

void screen_box(const struct screen *screen, int y, int x, int columns, const char *name,
		enum call_kind kind, uint64_t shade, bool chosen, bool match)
{
	struct paint paint = boxes[kind][shade % SCREEN_SHADES];

	if (match)
		paint = looks[LOOK_MATCH];
	if (chosen)
		paint = looks[LOOK_CHOSEN];
	use(paint);
	fill(screen, y, x, columns);
	if (!screen->colors || chosen || match) {
		/* Without colours of their own, boxes would run into each other. */
		(void)put_clean(screen, y, x, 1,
				columns > 1    ? "|"
				: screen->utf8 ? "\xe2\x94\x82"
					       : "|");
		x++;
		columns--;
	}
	/* An ellipsis alone says nothing. */
	if (columns > 2)
		(void)put(screen, y, x, columns - (columns > 2 && screen->colors), name, true);
}

void screen_put_level(const struct screen *screen, int y, int x, int eighths, enum look look)
{
	static const char *const blocks[] = { " ",
					      "\xe2\x96\x81",
					      "\xe2\x96\x82",
					      "\xe2\x96\x83",
					      "\xe2\x96\x84",
					      "\xe2\x96\x85",
					      "\xe2\x96\x86",
					      "\xe2\x96\x87",
					      "\xe2\x96\x88" };
	static const char plain[] = " _.-=+*%#";
	char one[2] = { plain[eighths < 0 ? 0 : eighths > 8 ? 8 : eighths], '\0' };

	use(looks[look]);
	(void)put_clean(screen, y, x, 1,
			screen->utf8 ? blocks[eighths < 0   ? 0
					      : eighths > 8 ? 8
							    : eighths]
				     : one);
}
