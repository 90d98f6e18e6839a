// SPDX-License-Identifier: Apache-2.0
/*
 * A flame graph as one self-contained SVG, as flamegraph.h tells.
 *
 * Element ids, the titles "name (1,234 samples, 12.34%)" and fg:x, fg:w are those of FlameGraph and
 * inferno, so that tools which read their files read ours; the code is not theirs.
 */
#include "output/flamegraph/flamegraph.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "output/escape.h"
#include "output/flamegraph_data.h"
#include "output/formats.h"

enum {
	QUALITY_COLUMNS = 185, /* that fit into a line of the foot */
	TOP_FUNCTIONS = 5,
	FILE_BYTES = 4900000, /* about: 5 MB is what mail and tickets take */
};

struct picture {
	const struct profile *profile;
	const struct call_tree *tree;
	const struct flame_change *change; /* NULL: it shows none */
	struct stream *stream;
	struct bytes line, clean;
	struct still still;
	bool kinds[CALL_KIND_COUNT]; /* that the profile has */
};

static void flush_line(struct picture *picture)
{
	stream_write(picture->stream, picture->line.at, picture->line.size);
	picture->line.size = 0;
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
	bool is_time = strcmp(tree->unit, "samples") == 0 || strstr(tree->unit, "seconds");
	uint32_t count;
	int r = call_tree_top(tree, false, &order, &count);

	if (r < 0)
		return r;
	bytes_add_str(line, "<desc id=\"desc\">Flame graph of ");
	flame_add_amount(line, call_tree_total(tree), tree->unit);
	if (picture->profile->types.count > 1) {
		const struct profile_type *type =
			&picture->profile->types.at[picture->profile->meta.main_type];
		const char *name = flame_clean(&picture->clean,
					       profile_text(picture->profile, type->name));

		bytes_add_str(line, " of ");
		escape_xml(line, name, strlen(name));
	}
	bytes_add_str(line, ".");
	for (uint32_t i = 0; i < count && i < TOP_FUNCTIONS; i++) {
		const struct call_frame *frame = &tree->frames.at[order[i]];

		bytes_add_str(line, i	      ? ", "
				    : is_time ? " Most time itself: "
							: " Most by themselves: ");
		flame_add_clipped(line, flame_clean(&picture->clean, call_frame_name(tree, frame)), 120);
		bytes_add_format(line, " %.1f%%", 100 * call_tree_share(tree, frame->self).share);
	}
	bytes_add_str(line, count ? ".</desc>\n" : "</desc>\n");
	flush_line(picture);
	return 0;
}

/* The same of what changed: what is marked, the largest in NEW first. */
static int add_changes(struct picture *picture)
{
	const struct flame_change *change = picture->change;
	const struct call_tree *tree = picture->tree;
	struct bytes *line = &picture->line;
	cleanup(free) uint32_t *order = NULL;
	uint32_t count, said = 0;
	int r = call_tree_top(change->both, false, &order, &count);

	if (r < 0)
		return r;
	bytes_add_str(line, "<desc id=\"desc\">Differential flame graph.");
	for (uint32_t i = 0; i < count && said < TOP_FUNCTIONS; i++) {
		const struct call_frame *frame = &tree->frames.at[order[i]];

		if (change->selfs[order[i]].mark == FLAME_NOTHING)
			continue;
		bytes_add_str(line, said++ ? "; " : " Changed beyond noise, by themselves: ");
		flame_add_clipped(line, flame_clean(&picture->clean, call_frame_name(tree, frame)), 120);
		bytes_add_char(line, ' ');
		change_add_text(line, change, change->base->frames.at[order[i]].self, frame->self,
				&change->selfs[order[i]]);
	}
	bytes_add_str(line, said ? ".</desc>\n" : " No function changed beyond noise.</desc>\n");
	flush_line(picture);
	return 0;
}

/* An element of the head; the whole text is its tooltip where less is shown. */
static void add_head_text(struct picture *picture, const char *id, unsigned y, const char *text,
			  const struct bytes *shown)
{
	struct bytes *line = &picture->line;

	bytes_add_format(line, "<text id=\"%s\" x=\"%d\" y=\"%u\">", id, FLAME_PAD, y);
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
	const char *text = flame_clean(&picture->clean, title_of(picture->profile));
	cleanup(bytes_fini) struct bytes shown = {};

	text_add_clipped(&shown, text, columns);
	add_head_text(picture, "title", y, text, &shown);
}

/* Host, time and rate follow a command line of any length: that is what gives way. */
static void add_subtitle(struct picture *picture, unsigned y, size_t columns)
{
	const char *text = flame_clean(&picture->clean, picture->profile->meta.subtitle);
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
			 FLAME_WIDTH, height, FLAME_WIDTH, height);
	title = flame_clean(&picture->clean, title_of(picture->profile));
	escape_xml(line, title, strlen(title));
	bytes_add_str(line, "</title>\n");
	r = picture->change ? add_changes(picture) : add_description(picture);
	if (r < 0)
		return r;
	stream_str(picture->stream, "<defs><linearGradient id=\"background\" x1=\"0\" y1=\"0\" "
				    "x2=\"0\" y2=\"1\"><stop class=\"page-top\" offset=\"0\"/>"
				    "<stop class=\"page-bottom\" offset=\"1\"/></linearGradient>"
				    "</defs>\n<style>\n");
	stream_str(picture->stream, flamegraph_css);
	palette_write(picture->stream, picture->kinds, picture->change);
	stream_str(picture->stream, "</style>\n<script><![CDATA[\n");
	stream_str(picture->stream, flamegraph_js);
	stream_str(picture->stream, "]]></script>\n<rect width=\"100%\" height=\"100%\" "
				    "fill=\"url(#background)\"/>\n");
	add_title_line(picture, 27, 72);
	add_subtitle(picture, 46, 135);
	flush_line(picture);
	return 0;
}

/* What only the script brings to life; here for programs that look for it. */
static void write_controls(struct picture *picture)
{
	static const char *const ids[] = { "unzoom", "search", "ignorecase", "matched", "details" };

	stream_format(picture->stream, "<text class=\"hint\" x=\"%d\" y=\"27\" "
				       "text-anchor=\"end\">Open in a browser to zoom and search"
				       "</text>\n", FLAME_WIDTH - FLAME_PAD);
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		stream_format(picture->stream, "<text id=\"%s\" class=\"hide\"></text>\n", ids[i]);
}

/* Returns where the next one is. */
static unsigned add_legend(struct bytes *line, const char *class, const char *text, unsigned x,
			   unsigned y)
{
	bytes_add_format(line,
			 "<rect class=\"%s\" x=\"%u\" y=\"%u\" width=\"18\" height=\"11\" "
			 "rx=\"2\"/><text class=\"legend\" x=\"%u\" y=\"%u\">%s</text>",
			 class, x, y - 10, x + 23, y, text);
	return x + 23 + 6 * (unsigned)text_columns(text) + 20;
}

static void write_legend(struct picture *picture, unsigned y)
{
	static const struct {
		const char *class, *text;
	} marks[] = { { "d3", "▲ dearer" }, { "c3", "▼ cheaper" }, { "e0", "nothing beyond noise" } };
	struct bytes *line = &picture->line;
	uint32_t omitted = picture->still.omitted;
	unsigned x = FLAME_PAD;

	bytes_add_str(line, "<g id=\"legend\">");
	for (size_t i = 0; picture->change && i < ARRAY_SIZE(marks); i++)
		x = add_legend(line, marks[i].class, marks[i].text, x, y);
	for (unsigned kind = 0; !picture->change && kind < CALL_KIND_COUNT; kind++) {
		const char *text = palette_legend((enum call_kind)kind);
		char class[4];

		if (!picture->still.kinds[kind] || !text)
			continue;
		palette_class(class, sizeof(class), (enum call_kind)kind, text);
		x = add_legend(line, class, text, x, y);
	}
	if (omitted) {
		bytes_add_format(line, "<text class=\"legend\" x=\"%u\" y=\"%u\">", x, y);
		text_add_count(line, omitted);
		bytes_add_format(line, " frame%s too narrow to draw here</text>",
				 omitted == 1 ? "" : "s");
	}
	bytes_add_str(line, "</g>\n");
	flush_line(picture);
}

/* The foot's text in lines. Returns their number; adds them only when `y` is not 0. */
static unsigned add_quality(struct picture *picture, unsigned y)
{
	struct bytes *line = &picture->line;
	const char *text = flame_clean(&picture->clean, picture->profile->meta.quality);
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
			bytes_add_format(line, "<tspan x=\"%d\" y=\"%u\">", FLAME_PAD, y + lines * 15);
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
	const struct call_tree *tree = picture->tree;
	unsigned legend, quality, height;
	uint64_t written;
	int r;

	still_init(&picture->still, tree, picture->change, picture->stream);
	for (uint32_t i = 0; i < tree->frames.count; i++)
		picture->kinds[tree->frames.at[i].kind] |=
			(picture->change ? picture->change->both : tree)->frames.at[i].total > 0;
	legend = FLAME_HEAD + picture->still.rows * FLAME_PITCH + 24;
	quality = legend + 20;
	height = quality + 15 * add_quality(picture, 0);
	r = write_head(picture, height);
	if (r < 0)
		return r;
	if (call_tree_total(tree) <= 0)
		stream_format(picture->stream,
			      "<text x=\"%d\" y=\"%d\">No samples: nothing of the target ran while "
			      "recording.</text>\n", FLAME_PAD, FLAME_HEAD + 16);
	/* total_samples and fg:w count alike; fg:n is the n of the intervals, 0: it is not known. */
	stream_format(picture->stream,
		      "<svg id=\"frames\" x=\"%d\" width=\"%d\" height=\"%u\" "
		      "total_samples=\"%" PRId64 "\" fg:n=\"%.2f\">\n",
		      FLAME_PAD, FLAME_INNER, height, call_tree_total(tree),
		      tree->effective_samples);
	r = still_write(&picture->still);
	if (r < 0)
		return r;
	stream_str(picture->stream, "</svg>\n");
	write_controls(picture);
	write_legend(picture, legend);
	add_quality(picture, quality);
	flush_line(picture);
	written = picture->stream->written;
	r = table_write(picture->change ? picture->change->both : tree, picture->profile,
			picture->change, picture->stream,
			written < FILE_BYTES ? FILE_BYTES - written : 0);
	stream_str(picture->stream, "</svg>\n");
	return r;
}

static int finish(struct picture *picture)
{
	int r = write_picture(picture);

	if (r == 0 && (picture->line.failed || picture->clean.failed))
		r = -ENOMEM;
	bytes_fini(&picture->line);
	bytes_fini(&picture->clean);
	still_fini(&picture->still);
	return r < 0 ? r : picture->stream->error;
}

static int flamegraph_write(const struct profile *profile, struct stream *stream)
{
	cleanup(call_tree_free) struct call_tree *tree = NULL;
	struct picture picture = { .profile = profile, .stream = stream };
	int r = call_tree_new(&tree, profile, profile->meta.main_type);

	if (r < 0)
		return r;
	picture.tree = tree;
	return finish(&picture);
}

int flamegraph_write_change(const struct flame_change *change, struct stream *stream)
{
	struct picture picture = { .profile = change->new->profile,
				   .tree = change->new,
				   .change = change,
				   .stream = stream };

	return finish(&picture);
}

const struct writer writer_flamegraph = {
	.name = "flamegraph",
	.aliases = { "svg" },
	.extensions = { ".svg" },
	.description = "one self-contained interactive picture",
	.write = flamegraph_write,
};
