// SPDX-License-Identifier: Apache-2.0
/*
 * The colours: by kind, by module or by heat, for light and for dark.
 *
 * Chosen so that kinds differ in more than hue, and the text (#1c1d21 on light, #eceef2 on dark) has
 * a contrast of 4.5 or more on every one of them; a test computes it.
 */
#include "output/flamegraph/flamegraph.h"

#include <stdio.h>

enum {
	SHADES = 8,   /* of each kind */
	MODULES = 16, /* as many as the script chooses from */
	HEATS = 8,
	CHANGES = 4, /* as change_class has them */
};

/* Shades run from the first hue to the last, in two lightnesses. */
static const struct palette {
	char letter;
	const char *legend;
	unsigned first_hue, last_hue;
	unsigned saturation, lightness;
	unsigned dark_saturation, dark_lightness;
} palettes[CALL_KIND_COUNT] = {
	[CALL_USER] = { 'u', "program", 16, 44, 92, 66, 60, 29 },
	[CALL_LIBRARY] = { 'l', "libraries", 188, 214, 68, 76, 48, 31 },
	[CALL_KERNEL] = { 'k', "kernel", 266, 296, 52, 80, 32, 37 },
	[CALL_JIT] = { 'j', "generated code (JIT)", 96, 136, 48, 68, 38, 25 },
	[CALL_INTERPRETED] = { 'i', "interpreted", 164, 180, 48, 66, 50, 24 },
	[CALL_NOTE] = { 'n', "not known", 40, 40, 8, 82, 5, 30 },
	[CALL_ALL] = { 'a', NULL, 220, 220, 12, 80, 10, 26 },
	[CALL_PROCESS] = { 'p', "process", 220, 220, 14, 86, 12, 30 },
	[CALL_THREAD] = { 't', "thread", 220, 220, 16, 91, 14, 34 },
};

/* From cold to hot. */
static const struct heat {
	unsigned hue, saturation, lightness, dark_saturation, dark_lightness;
} heats[HEATS] = {
	{ 220, 14, 88, 10, 24 }, { 52, 70, 88, 35, 24 }, { 50, 90, 80, 50, 25 },
	{ 45, 95, 72, 60, 27 },	 { 38, 98, 66, 70, 28 }, { 28, 98, 64, 75, 30 },
	{ 16, 98, 66, 75, 33 },	 { 4, 96, 70, 72, 38 },
};

/* FNV-1a (Fowler, Noll, Vo): short names that differ little get shades that differ. */
static unsigned shade_of(const char *name)
{
	uint32_t hash = 2166136261U;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619U;
	return (hash ^ hash >> 16) % SHADES;
}

void palette_class(char *class, size_t size, enum call_kind kind, const char *name)
{
	snprintf(class, size, "%c%u", palettes[kind].letter, shade_of(name));
}

const char *palette_legend(enum call_kind kind)
{
	return palettes[kind].legend;
}

static void write_fill(struct stream *stream, char letter, unsigned index, unsigned hue,
		       unsigned saturation, unsigned lightness)
{
	stream_format(stream, ".%c%u{fill:hsl(%u,%u%%,%u%%)}", letter, index, hue, saturation,
		      lightness);
}

/* Dearer, cheaper: four steps by the factor; and what has not changed. */
static void write_changes(struct stream *stream, bool dark)
{
	for (unsigned i = 0; i < CHANGES; i++)
		write_fill(stream, 'd', i, 8, dark ? 45 + 8 * i : 88, dark ? 25 + 4 * i : 88 - 6 * i);
	for (unsigned i = 0; i < CHANGES; i++)
		write_fill(stream, 'c', i, 212, dark ? 40 + 8 * i : 85, dark ? 25 + 4 * i : 90 - 6 * i);
	write_fill(stream, 'e', 0, 220, 8, dark ? 25 : 90);
	stream_str(stream, "\n");
}

static void write_fills(struct stream *stream, const bool kinds[CALL_KIND_COUNT], bool has_changes,
			bool dark)
{
	for (unsigned kind = 0; kind < CALL_KIND_COUNT; kind++) {
		const struct palette *p = &palettes[kind];

		for (unsigned i = 0; kinds[kind] && i < SHADES; i++) {
			unsigned lift = p->first_hue == p->last_hue ? 0 : 3 * (i % 2);

			write_fill(stream, p->letter, i,
				   p->first_hue + (p->last_hue - p->first_hue) * i / (SHADES - 1),
				   dark ? p->dark_saturation : p->saturation,
				   (dark ? p->dark_lightness : p->lightness) + lift);
		}
	}
	stream_str(stream, "\n");
	for (unsigned i = 0; i < MODULES; i++)
		write_fill(stream, 'm', i, i * 360 / MODULES, dark ? 38 : 58,
			   (dark ? 27 : 76) + 4 * (i % 2));
	stream_str(stream, "\n");
	for (unsigned i = 0; i < HEATS; i++)
		write_fill(stream, 'h', i, heats[i].hue,
			   dark ? heats[i].dark_saturation : heats[i].saturation,
			   dark ? heats[i].dark_lightness : heats[i].lightness);
	stream_str(stream, "\n");
	if (has_changes)
		write_changes(stream, dark);
}

void palette_write(struct stream *stream, const bool kinds[CALL_KIND_COUNT], bool has_changes)
{
	write_fills(stream, kinds, has_changes, false);
	stream_str(stream, "@media screen and (prefers-color-scheme: dark) {\n");
	write_fills(stream, kinds, has_changes, true);
	stream_str(stream, "}\n");
}
