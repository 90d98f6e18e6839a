// SPDX-License-Identifier: Apache-2.0
/*
 * The still image: the root on top, siblings by name, those too narrow folded into one box behind
 * the others, "12 more", whose title says what they are worth together.
 *
 * fg:x and fg:w are places in weights as inferno's pictures have them.
 */
#include "output/flamegraph/flamegraph.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "output/escape.h"
#include "output/short_name.h"

enum {
	TEXT_PAD = 3,      /* between a frame's edge and its label */
	NAME_LIMIT = 1000, /* columns of a name in a title: C++ knows no limit */
	BOXES = 1500,      /* about as many as are drawn at once, but for those of the folded */
};

/* Of a character in the labels' fixed-width fonts at 12 px: 0.602 em in most of them. */
static const double char_width = 7.23;
static const double smallest_share = 0.001;

/* A box to be drawn, of a frame or of those folded into one. */
struct box {
	const char *class, *name, *sign;
	int64_t x, weight;
	uint32_t depth;
};

/* What lies directly above a frame. */
struct above {
	int64_t wide, narrow; /* weights of what is drawn one by one, and of the rest */
	uint32_t narrow_count;
};

const char *flame_clean(struct bytes *into, const char *text)
{
	into->size = 0;
	escape_clean(into, text ? text : "");
	return bytes_str(into) ? into->at : "";
}

void flame_add_clipped(struct bytes *line, const char *text, size_t columns)
{
	cleanup(bytes_fini) struct bytes clipped = {};

	text_add_clipped(&clipped, text, columns);
	escape_xml(line, clipped.at ? clipped.at : "", clipped.size);
	line->failed |= clipped.failed;
}

void flame_add_amount(struct bytes *line, int64_t amount, const char *unit)
{
	cleanup(bytes_fini) struct bytes text = {};

	text_add_amount(&text, amount, unit);
	if (bytes_str(&text))
		escape_xml(line, text.at, text.size);
	else
		line->failed = true;
}

static bool is_wide(const struct still *still, uint32_t node)
{
	return !node || still->tree->nodes.at[node].total >= still->smallest;
}

static struct above look_above(const struct still *still, uint32_t parent)
{
	const struct call_node *nodes = still->tree->nodes.at;
	struct above above = {};

	for (uint32_t i = parent + 1; i < nodes[parent].end; i = nodes[i].end) {
		if (is_wide(still, i)) {
			above.wide = profile_sum(above.wide, nodes[i].total);
		} else {
			above.narrow = profile_sum(above.narrow, nodes[i].total);
			above.narrow_count++;
		}
	}
	return above;
}

void still_init(struct still *still, const struct call_tree *tree,
		const struct flame_change *change, struct stream *stream)
{
	struct cutoff cutoff = {};
	uint64_t left;
	double share = smallest_share * (double)call_tree_total(tree);

	*still = (struct still){ .tree = tree, .change = change, .stream = stream };
	for (uint32_t i = 0; i < tree->nodes.count; i++)
		cutoff_add(&cutoff, tree->nodes.at[i].total, 1);
	still->smallest = cutoff_weight(&cutoff, BOXES, &left);
	if ((double)still->smallest < share)
		still->smallest = (int64_t)share + ((double)(int64_t)share < share);
	for (uint32_t i = 0; i < tree->nodes.count;) {
		const struct call_node *node = &tree->nodes.at[i];

		if (!is_wide(still, i)) {
			/* The box "N more" is a row as well. */
			if (node->depth + 1 > still->rows)
				still->rows = node->depth + 1;
			still->omitted += node->end - i;
			i = node->end;
			continue;
		}
		still->kinds[call_tree_frame(tree, i)->kind] = true;
		if (node->depth + 1 > still->rows)
			still->rows = node->depth + 1;
		i++;
	}
}

void still_fini(struct still *still)
{
	bytes_fini(&still->line);
	bytes_fini(&still->name);
	bytes_fini(&still->scratch);
}

/*
 * Adds "<g><title>name (1,234 samples, 12.34%, 0.42 cores)\n± 1.10 points", the beginning of a title;
 * cores only where they are told, an interval only where it is known.
 */
static void begin_title(struct still *still, const char *name, int64_t weight)
{
	const struct call_tree *tree = still->tree;
	struct bytes *line = &still->line;
	struct share share = call_tree_share(tree, weight);

	flame_add_clipped(line, name, NAME_LIMIT);
	bytes_add_str(line, " (");
	flame_add_amount(line, weight, tree->unit);
	bytes_add_format(line, ", %.2f%%", 100 * share.share);
	if (tree->core_weight > 0)
		bytes_add_format(line, ", %.2f cores", call_tree_cores(tree, weight));
	bytes_add_char(line, ')');
	if (tree->is_counted)
		bytes_add_format(line, "\n± %.2f points", 100 * share.half);
}

/* Adds "; self 3.20% ± 0.50; libfoo.so; foo.c:12; inlined" */
static void add_details(struct still *still, const struct call_node *node,
			const struct call_frame *frame)
{
	const struct call_tree *tree = still->tree;
	struct bytes *line = &still->line;
	struct share self = call_tree_share(tree, node->self);
	const char *text;

	if (node->self)
		bytes_add_format(line, "; self %.2f%%", 100 * self.share);
	if (node->self && tree->is_counted)
		bytes_add_format(line, " ± %.2f", 100 * self.half);
	text = flame_clean(&still->scratch, call_frame_module(tree, frame));
	if (*text) {
		bytes_add_str(line, "; ");
		flame_add_clipped(line, text, NAME_LIMIT);
	}
	text = flame_clean(&still->scratch, call_frame_file(tree, frame));
	if (*text) {
		bytes_add_str(line, "; ");
		flame_add_clipped(line, text, NAME_LIMIT);
		if (frame->line)
			bytes_add_format(line, ":%" PRIu32, frame->line);
	}
	if (frame->inlined)
		bytes_add_str(line, "; inlined");
}

/* Adds "<g><title>name 6.21% (was 3.05%: +3.16 points ± 0.82, dearer)". */
static void add_change(struct still *still, const char *name, uint32_t index)
{
	const struct flame_change *change = still->change;

	flame_add_clipped(&still->line, name, NAME_LIMIT);
	bytes_add_char(&still->line, ' ');
	change_add_text(&still->line, change, change->base->nodes.at[index].total,
			change->new->nodes.at[index].total, &change->nodes[index]);
}

/* Ends the title, and adds the rest of the element. */
static void write_box(struct still *still, const struct box *box)
{
	struct bytes *line = &still->line;
	double scale = 100 / (double)call_tree_total(still->tree);
	double columns = ((double)box->weight * scale / 100 * FLAME_INNER - 2 * TEXT_PAD) / char_width;
	unsigned y = FLAME_HEAD + box->depth * FLAME_PITCH;

	/* Percent, so that the picture takes the width it is given. */
	bytes_add_format(line,
			 "</title><rect class=\"%s\" x=\"%.4f%%\" y=\"%u\" width=\"%.4f%%\" "
			 "height=\"%d\" fg:x=\"%" PRId64 "\" fg:w=\"%" PRId64 "\"/>",
			 box->class, (double)box->x * scale, y, (double)box->weight * scale,
			 FLAME_PITCH - 1, box->x, box->weight);
	if (columns >= 3) {
		cleanup(bytes_fini) struct bytes label = {};

		bytes_add_format(line, "<text x=\"%.4f%%\" y=\"%u\">",
				 (double)box->x * scale + 100.0 * TEXT_PAD / FLAME_INNER, y + 12);
		bytes_add_str(&label, columns >= 5 ? box->sign : "");
		short_name_add(&label, box->name, (size_t)columns - 2 * (label.size > 0));
		escape_xml(line, label.at ? label.at : "", label.size);
		line->failed |= label.failed;
		bytes_add_str(line, "</text>");
	}
	bytes_add_str(line, "</g>\n");
	stream_write(still->stream, line->at, line->size);
	line->size = 0;
}

static void write_frame(struct still *still, uint32_t index, int64_t x)
{
	const struct call_tree *tree = still->tree;
	const struct call_node *node = &tree->nodes.at[index];
	const struct call_frame *frame = call_tree_frame(tree, index);
	char class[4];
	struct box box = { class, flame_clean(&still->name, call_frame_name(tree, frame)), "", x,
			   node->total, node->depth };

	bytes_add_str(&still->line, "<g><title>");
	if (still->change) {
		enum flame_mark mark = still->change->nodes[index].mark;

		change_class(class, sizeof(class), still->change->base->nodes.at[index].total,
			     node->total, mark);
		box.sign = change_sign(mark);
		add_change(still, box.name, index);
	} else {
		palette_class(class, sizeof(class), frame->kind, box.name);
		begin_title(still, box.name, node->total);
		add_details(still, node, frame);
	}
	write_box(still, &box);
}

static void write_more(struct still *still, const struct above *above, int64_t x, uint32_t depth)
{
	char name[32];
	struct box box = { "more", name, "", x, above->narrow, depth };

	snprintf(name, sizeof(name), "%" PRIu32 " more", above->narrow_count);
	bytes_add_str(&still->line, "<g class=\"more\"><title>");
	if (still->change)
		bytes_add_str(&still->line, name);
	else
		begin_title(still, name, above->narrow);
	write_box(still, &box);
}

/* Children lie side by side from their parent's left edge; the rest is its own. */
int still_write(struct still *still)
{
	const struct call_tree *tree = still->tree;
	ARRAY_OF(int64_t) next = {}; /* left edge of the next child, at each depth */

	if (call_tree_total(tree) <= 0)
		return 0;
	if (!array_reserve(&next, tree->max_depth + 2ULL))
		return -ENOMEM;
	next.at[0] = 0;
	for (uint32_t i = 0; i < tree->nodes.count;) {
		const struct call_node *node = &tree->nodes.at[i];
		struct above above;
		int64_t x;

		if (!is_wide(still, i)) {
			i = node->end; /* nothing above it is wider */
			continue;
		}
		x = next.at[node->depth];
		next.at[node->depth] = profile_sum(x, node->total);
		next.at[node->depth + 1] = x;
		write_frame(still, i, x);
		above = look_above(still, i);
		if (above.narrow >= still->smallest)
			write_more(still, &above, profile_sum(x, above.wide), node->depth + 1);
		i++;
	}
	array_fini(&next);
	return still->line.failed || still->name.failed || still->scratch.failed ? -ENOMEM : 0;
}
