// SPDX-License-Identifier: Apache-2.0
/*
 * A flame graph as one self-contained SVG: root at the bottom, siblings by name, colour by kind.
 *
 * It is complete as a still image: places, labels clipped to their boxes, tooltips, colours for
 * light and dark and the legend are written here. flamegraph.js, embedded like flamegraph.css, only
 * adds what moves. Element ids, the titles "name (1,234 samples, 12.34%)" and fg:x, fg:w are those
 * of FlameGraph and inferno, so that tools which read their files read ours; the code is not theirs.
 *
 * Frames narrower than 0.1 px at the default width are left out, and counted.
 */
#include "output/formats.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "output/escape.h"
#include "output/flamegraph_data.h"
#include "profile/call_tree.h"

enum {
	WIDTH = 1200,
	PAD = 10,
	INNER = WIDTH - 2 * PAD,
	HEAD = 60,       /* above the topmost frame: title, subtitle */
	PITCH = 17,      /* from row to row; a frame is one less */
	TEXT_PAD = 3,    /* between a frame's edge and its label */
	NAME_LIMIT = 1000, /* columns of a name in a tooltip: C++ knows no limit */
	QUALITY_COLUMNS = 185, /* that fit into a line of the foot */
	SHADES = 8,
	TOP_FUNCTIONS = 5,
};

/* Of a character in the labels' fixed-width fonts at 12 px: 0.602 em in most of them. */
static const double char_width = 7.23;
static const double smallest_px = 0.1;

/*
 * Colours of each kind: shades run from the first hue to the last, in two lightnesses. Chosen so
 * that kinds differ in more than hue, and the text (#1c1d21 on light, #eceef2 on dark) has a
 * contrast of 4.5 or more on every shade; a test computes it.
 */
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

struct picture {
	const struct profile *profile;
	const struct call_tree *tree;
	struct stream *stream;
	struct bytes line, clean, module;
	bool drawn_kinds[CALL_KIND_COUNT];
	uint32_t rows;    /* frames on top of each other, the lowest one included */
	uint32_t omitted; /* frames too narrow to draw */
	unsigned base;    /* y of the lowest row */
};

static double px(const struct picture *picture, int64_t weight)
{
	return (double)weight / (double)call_tree_total(picture->tree) * INNER;
}

static bool is_drawn(const struct picture *picture, const struct call_node *node)
{
	return node->total > 0 && px(picture, node->total) >= smallest_px;
}

/* FNV-1a (Fowler, Noll, Vo): short names that differ little get shades that differ. */
static unsigned shade_of(const char *name)
{
	uint32_t hash = 2166136261U;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619U;
	return (hash ^ hash >> 16) % SHADES;
}

static const char *clean(struct bytes *into, const char *text)
{
	into->size = 0;
	escape_clean(into, text ? text : "");
	return bytes_str(into) ? into->at : "";
}

/* Adds clean text clipped to `columns` and escaped. */
static void add_clipped(struct bytes *line, const char *text, size_t columns)
{
	cleanup(bytes_fini) struct bytes clipped = {};

	text_add_clipped(&clipped, text, columns);
	escape_xml(line, clipped.at ? clipped.at : "", clipped.size);
	line->failed |= clipped.failed;
}

static void flush_line(struct picture *picture)
{
	stream_write(picture->stream, picture->line.at, picture->line.size);
	picture->line.size = 0;
}

static void write_palette(struct picture *picture, bool dark)
{
	for (unsigned kind = 0; kind < CALL_KIND_COUNT; kind++) {
		const struct palette *p = &palettes[kind];

		for (unsigned i = 0; picture->drawn_kinds[kind] && i < SHADES; i++) {
			unsigned hue = p->first_hue + (p->last_hue - p->first_hue) * i / (SHADES - 1);
			unsigned lift = p->first_hue == p->last_hue ? 0 : 3 * (i % 2);

			stream_format(picture->stream, ".%c%u{fill:hsl(%u,%u%%,%u%%)}%s",
				      p->letter, i, hue, dark ? p->dark_saturation : p->saturation,
				      (dark ? p->dark_lightness : p->lightness) + lift,
				      i + 1 < SHADES ? "" : "\n");
		}
	}
}

/* Adds " ± 1.10 points; self 3.20%; libfoo.so" after the line that FlameGraph's titles have. */
static void add_title(struct picture *picture, const struct call_node *node,
		      const struct call_frame *frame, const char *name)
{
	const struct call_tree *tree = picture->tree;
	struct bytes *line = &picture->line;
	struct share share = call_tree_share(tree, node->total);
	const char *module = clean(&picture->module, call_frame_module(tree, frame));

	bytes_add_str(line, "<g><title>");
	add_clipped(line, name, NAME_LIMIT);
	bytes_add_str(line, " (");
	text_add_count(line, node->total);
	bytes_add_char(line, ' ');
	if (node->total == 1 && strcmp(tree->unit, "samples") == 0)
		bytes_add_str(line, "sample");
	else
		escape_xml(line, tree->unit, strlen(tree->unit));
	bytes_add_format(line, ", %.2f%%)\n± %.2f points", 100 * share.share, 100 * share.half);
	if (node->self)
		bytes_add_format(line, "; self %.2f%%",
				 100 * call_tree_share(tree, node->self).share);
	if (*module) {
		bytes_add_str(line, "; ");
		add_clipped(line, module, NAME_LIMIT);
	}
	if (frame->inlined)
		bytes_add_str(line, "; inlined");
	bytes_add_str(line, "</title>");
}

static void write_frame(struct picture *picture, uint32_t index, int64_t x)
{
	const struct call_tree *tree = picture->tree;
	const struct call_node *node = &tree->nodes.at[index];
	const struct call_frame *frame = call_tree_frame(tree, index);
	const char *name = clean(&picture->clean, call_frame_name(tree, frame));
	struct bytes *line = &picture->line;
	double left = px(picture, x), wide = px(picture, node->total);
	unsigned y = picture->base - node->depth * PITCH;
	double columns = (wide - 2 * TEXT_PAD) / char_width;

	add_title(picture, node, frame, name);
	/* Percent, so that the picture takes the width it is given. */
	bytes_add_format(line,
			 "<rect class=\"%c%u\" x=\"%.4f%%\" y=\"%u\" width=\"%.4f%%\" "
			 "height=\"%d\" fg:x=\"%" PRId64 "\" fg:w=\"%" PRId64 "\"/>",
			 palettes[frame->kind].letter, shade_of(name), left / INNER * 100, y,
			 wide / INNER * 100, PITCH - 1, x, node->total);
	if (columns >= 3) {
		bytes_add_format(line, "<text x=\"%.4f%%\" y=\"%u\">",
				 (left + TEXT_PAD) / INNER * 100, y + 12);
		add_clipped(line, name, (size_t)columns);
		bytes_add_str(line, "</text>");
	}
	bytes_add_str(line, "</g>\n");
	flush_line(picture);
}

/* Children lie side by side from their parent's left edge; the rest is its own. */
static int write_frames(struct picture *picture)
{
	const struct call_tree *tree = picture->tree;
	ARRAY_OF(int64_t) next = {}; /* left edge of the next child, at each depth */

	if (!array_reserve(&next, tree->max_depth + 2ULL))
		return -ENOMEM;
	next.at[0] = 0;
	for (uint32_t i = 0; i < tree->nodes.count;) {
		const struct call_node *node = &tree->nodes.at[i];
		int64_t x = next.at[node->depth];

		next.at[node->depth] = profile_sum(x, node->total);
		if (!is_drawn(picture, node)) {
			i = node->end; /* nothing above it is wider */
			continue;
		}
		next.at[node->depth + 1] = x;
		write_frame(picture, i++, x);
	}
	array_fini(&next);
	return 0;
}

/* What the head of the file needs to know before the first frame is written. */
static void survey(struct picture *picture)
{
	const struct call_tree *tree = picture->tree;

	for (uint32_t i = 0; i < tree->nodes.count;) {
		const struct call_node *node = &tree->nodes.at[i];

		if (!is_drawn(picture, node)) {
			picture->omitted += node->total > 0 ? node->end - i : 0;
			i = node->end;
			continue;
		}
		picture->drawn_kinds[call_tree_frame(tree, i)->kind] = true;
		if (node->depth + 1 > picture->rows)
			picture->rows = node->depth + 1;
		i++;
	}
	picture->base = HEAD + (picture->rows ? picture->rows - 1 : 0) * PITCH;
}

static const char *title_of(const struct profile *profile)
{
	return profile->meta.title && *profile->meta.title ? profile->meta.title : "Flame graph";
}

/* For those who cannot see the picture: what it is and its five heaviest functions. */
static int add_description(struct picture *picture)
{
	const struct call_tree *tree = picture->tree;
	struct bytes *line = &picture->line;
	cleanup(free) uint32_t *order = NULL;
	uint32_t count;
	int r = call_tree_top(tree, false, &order, &count);

	if (r < 0)
		return r;
	bytes_add_str(line, "<desc id=\"desc\">Flame graph of ");
	text_add_count(line, call_tree_total(tree));
	bytes_add_char(line, ' ');
	escape_xml(line, tree->unit, strlen(tree->unit));
	bytes_add_str(line, ".");
	for (uint32_t i = 0; i < count && i < TOP_FUNCTIONS; i++) {
		const struct call_frame *frame = &tree->frames.at[order[i]];

		bytes_add_str(line, i ? ", " : " Most time itself: ");
		add_clipped(line, clean(&picture->clean, call_frame_name(tree, frame)), 120);
		bytes_add_format(line, " %.1f%%", 100 * call_tree_share(tree, frame->self).share);
	}
	bytes_add_str(line, count ? ".</desc>\n" : "</desc>\n");
	flush_line(picture);
	return 0;
}

/* An element of the head; the whole text is its tooltip where less is shown. */
static void add_head_text(struct picture *picture, const char *id, unsigned y, const char *text,
			  const struct bytes *shown)
{
	struct bytes *line = &picture->line;

	bytes_add_format(line, "<text id=\"%s\" x=\"%d\" y=\"%u\">", id, PAD, y);
	if (shown->size != strlen(text) || memcmp(shown->at, text, shown->size) != 0) {
		bytes_add_str(line, "<title>");
		escape_xml(line, text, strlen(text));
		bytes_add_str(line, "</title>");
	}
	escape_xml(line, shown->at ? shown->at : "", shown->size);
	bytes_add_str(line, "</text>\n");
	line->failed |= shown->failed;
}

static void add_title_line(struct picture *picture, unsigned y, size_t columns)
{
	const char *text = clean(&picture->clean, title_of(picture->profile));
	cleanup(bytes_fini) struct bytes shown = {};

	text_add_clipped(&shown, text, columns);
	add_head_text(picture, "title", y, text, &shown);
}

/* Host, time and rate follow a command line of any length: that is what gives way. */
static void add_subtitle(struct picture *picture, unsigned y, size_t columns)
{
	const char *text = clean(&picture->clean, picture->profile->meta.subtitle);
	const char *rest = strstr(text, " · ");
	cleanup(bytes_fini) struct bytes shown = {};

	if (rest && text_columns(text) > columns && text_columns(rest) + 20 < columns) {
		cleanup(bytes_fini) struct bytes command = {};

		bytes_add(&command, text, (size_t)(rest - text));
		if (bytes_str(&command))
			text_add_clipped(&shown, command.at, columns - text_columns(rest));
		bytes_add_str(&shown, rest);
	} else {
		text_add_clipped(&shown, text, columns);
	}
	add_head_text(picture, "subtitle", y, text, &shown);
}

static int write_head(struct picture *picture, unsigned height)
{
	struct bytes *line = &picture->line;
	const char *title;
	int r;

	bytes_add_format(line,
			 "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>\n"
			 "<svg version=\"1.1\" width=\"%d\" height=\"%u\" viewBox=\"0 0 %d %u\" "
			 "onload=\"init(evt)\" role=\"img\" aria-labelledby=\"name desc\" "
			 "xmlns=\"http://www.w3.org/2000/svg\" "
			 "xmlns:xlink=\"http://www.w3.org/1999/xlink\" "
			 "xmlns:fg=\"http://github.com/jonhoo/inferno\">\n"
			 "<!-- profd " PROFD_VERSION " -->\n<title id=\"name\">",
			 WIDTH, height, WIDTH, height);
	title = clean(&picture->clean, title_of(picture->profile));
	escape_xml(line, title, strlen(title));
	bytes_add_str(line, "</title>\n");
	r = add_description(picture);
	if (r < 0)
		return r;
	stream_str(picture->stream, "<defs><linearGradient id=\"background\" x1=\"0\" y1=\"0\" "
				    "x2=\"0\" y2=\"1\"><stop class=\"page-top\" offset=\"0\"/>"
				    "<stop class=\"page-bottom\" offset=\"1\"/></linearGradient>"
				    "</defs>\n<style>\n");
	stream_str(picture->stream, flamegraph_css);
	write_palette(picture, false);
	stream_str(picture->stream, "@media (prefers-color-scheme: dark) {\n");
	write_palette(picture, true);
	stream_str(picture->stream, "}\n</style>\n<script><![CDATA[\n");
	stream_str(picture->stream, flamegraph_js);
	stream_str(picture->stream, "]]></script>\n<rect width=\"100%\" height=\"100%\" "
				    "fill=\"url(#background)\"/>\n");
	add_title_line(picture, 27, 72);
	add_subtitle(picture, 46, 135);
	flush_line(picture);
	return 0;
}

/* What the script brings to life; without it these are not shown. */
static void write_controls(struct picture *picture)
{
	stream_format(picture->stream,
		      "<g id=\"controls\"><rect class=\"bar hide\" x=\"0\" y=\"-1\" width=\"%d\" "
		      "height=\"54\"/>\n"
		      "<text id=\"unzoom\" class=\"hide\" x=\"%d\" y=\"26\" "
		      "text-anchor=\"end\">Reset zoom</text>\n"
		      "<text id=\"ignorecase\" x=\"%d\" y=\"26\" text-anchor=\"end\">"
		      "Ignore case</text>\n"
		      "<text id=\"search\" x=\"%d\" y=\"26\" text-anchor=\"end\">Search</text>\n"
		      "<text id=\"matched\" x=\"%d\" y=\"48\" text-anchor=\"end\" "
		      "aria-live=\"polite\"></text></g>\n",
		      WIDTH, WIDTH - PAD - 380, WIDTH - PAD - 295, WIDTH - PAD - 240, WIDTH - PAD);
}

static void write_legend(struct picture *picture, unsigned y)
{
	struct bytes *line = &picture->line;
	unsigned x = PAD;

	bytes_add_str(line, "<g id=\"legend\">");
	for (unsigned kind = 0; kind < CALL_KIND_COUNT; kind++) {
		const struct palette *p = &palettes[kind];

		if (!picture->drawn_kinds[kind] || !p->legend)
			continue;
		bytes_add_format(line,
				 "<rect class=\"%c2\" x=\"%u\" y=\"%u\" width=\"18\" height=\"11\" "
				 "rx=\"2\"/><text class=\"legend\" x=\"%u\" y=\"%u\">%s</text>",
				 p->letter, x, y - 10, x + 23, y, p->legend);
		x += 23 + 6 * (unsigned)strlen(p->legend) + 20;
	}
	if (picture->omitted) {
		bytes_add_format(line, "<text class=\"legend\" x=\"%u\" y=\"%u\">", x, y);
		text_add_count(line, picture->omitted);
		bytes_add_format(line, " frame%s narrower than 0.1 px not drawn</text>",
				 picture->omitted == 1 ? "" : "s");
	}
	bytes_add_str(line, "</g>\n");
	flush_line(picture);
}

/* The foot's text in lines. Returns their number; adds them only when `y` is not 0. */
static unsigned add_quality(struct picture *picture, unsigned y)
{
	struct bytes *line = &picture->line;
	const char *text = clean(&picture->clean, picture->profile->meta.quality);
	unsigned lines = 0;

	if (!*text)
		return 0;
	if (y)
		bytes_add_str(line, "<text id=\"quality\">");
	for (; *text && lines < 20; lines++) {
		size_t size = text_fit(text, QUALITY_COLUMNS);
		const char *space = text[size] ? memrchr(text, ' ', size) : NULL;

		if (space && space > text)
			size = (size_t)(space - text);
		if (y) {
			bytes_add_format(line, "<tspan x=\"%d\" y=\"%u\">", PAD, y + lines * 15);
			escape_xml(line, text, size);
			bytes_add_str(line, "</tspan>");
		}
		text += size;
		text += strspn(text, " ");
	}
	if (y)
		bytes_add_str(line, "</text>\n");
	return lines;
}

static int write_picture(struct picture *picture)
{
	unsigned details, legend, quality, height;
	int r;

	survey(picture);
	details = picture->base + PITCH + 20;
	legend = details + 24;
	quality = legend + 20;
	height = quality + 15 * add_quality(picture, 0);
	r = write_head(picture, height);
	if (r < 0)
		return r;
	if (call_tree_total(picture->tree) <= 0)
		stream_format(picture->stream,
			      "<text x=\"%d\" y=\"%u\">No samples: nothing of the target ran while "
			      "recording.</text>\n", PAD, details);
	/* total_samples and fg:w count alike; fg:n is the n of the intervals. */
	stream_format(picture->stream,
		      "<svg id=\"frames\" x=\"%d\" width=\"%d\" height=\"%u\" "
		      "total_samples=\"%" PRId64 "\" fg:n=\"%.2f\">\n",
		      PAD, INNER, height, call_tree_total(picture->tree),
		      picture->tree->effective_samples);
	r = write_frames(picture);
	if (r < 0)
		return r;
	stream_str(picture->stream, "</svg>\n");
	write_controls(picture);
	write_legend(picture, legend);
	add_quality(picture, quality);
	bytes_add_format(&picture->line,
			 "<g id=\"status\" data-y=\"%u\"><rect class=\"bar hide\" x=\"0\" y=\"%u\" "
			 "width=\"%d\" height=\"26\"/><text id=\"details\" x=\"%d\" y=\"%u\" "
			 "aria-live=\"polite\"> </text></g>\n</svg>\n",
			 details - 17, details - 17, WIDTH, PAD, details);
	flush_line(picture);
	return 0;
}

static int flamegraph_write(const struct profile *profile, struct stream *stream)
{
	cleanup(call_tree_free) struct call_tree *tree = NULL;
	struct picture picture = { .profile = profile, .stream = stream };
	int r = call_tree_new(&tree, profile, profile->meta.main_type);

	if (r < 0)
		return r;
	picture.tree = tree;
	r = write_picture(&picture);
	if (r == 0 && (picture.line.failed || picture.clean.failed || picture.module.failed))
		r = -ENOMEM;
	bytes_fini(&picture.line);
	bytes_fini(&picture.clean);
	bytes_fini(&picture.module);
	return r < 0 ? r : stream->error;
}

const struct writer writer_flamegraph = {
	.name = "flamegraph",
	.aliases = { "svg" },
	.extensions = { ".svg" },
	.description = "one self-contained interactive picture",
	.write = flamegraph_write,
};
