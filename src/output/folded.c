// SPDX-License-Identifier: Apache-2.0
/*
 * Folded text: "root;...;leaf COUNT", a line for each distinct stack, as flamegraph.pl reads it and
 * stackcollapse-perf.pl --all writes it (suffixes _[k] kernel, _[j] generated code, _[i] inlined).
 *
 * The format has no escape, so a name must lose what would be read as something else: ';' separates
 * frames, a line break ends the stack, and a leaf that ends in a space and digits ("worker 3") would
 * make flamegraph.pl see two columns of counts and draw a difference.
 *
 * Names of some KiB lose their middle when the text would become larger than a GiB.
 */
#include "output/formats.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "output/escape.h"
#include "profile/call_tree.h"

/* More than that, names longer than those of people are not worth. */
#define LINES_BYTES_MAX (1ULL << 30)

static const char *suffix_of(const struct call_frame *frame)
{
	if (frame->kind == CALL_KERNEL)
		return "_[k]";
	if (frame->kind == CALL_JIT || frame->kind == CALL_INTERPRETED)
		return "_[j]";
	return frame->inlined ? "_[i]" : "";
}

/* Whether this is a space and a number, which a reader would take for a count. */
static bool ends_like_count(const char *text, size_t size)
{
	size_t i = 1;

	while (i < size && (isdigit((unsigned char)text[i]) || text[i] == '.'))
		i++;
	return size > 1 && i == size;
}

/* The name without what means something to the format. */
static const char *tame(struct bytes *scratch, const char *name)
{
	scratch->size = 0;
	for (; *name; name++) {
		unsigned char c = (unsigned char)*name;

		if (c == ';')
			bytes_add_char(scratch, ':');
		else if (c < 0x20 || c == 0x7f)
			bytes_add_char(scratch, ' '); /* the custom here, instead of \x1b */
		else if (c != '"' && c != '\'')
			bytes_add_char(scratch, *name);
	}
	return bytes_str(scratch);
}

static bool is_inside_character(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

/* Takes the middle out of what follows `start`, so that about `limit` bytes are left. */
static void cut_middle(struct bytes *line, size_t start, size_t limit)
{
	static const char mark[] = "...";
	size_t half = (limit - strlen(mark)) / 2, from = start + half, to = line->size - half;

	while (from > start && is_inside_character(line->at[from]))
		from--;
	while (to < line->size && is_inside_character(line->at[to]))
		to++;
	memcpy(line->at + from, mark, strlen(mark));
	memmove(line->at + from + strlen(mark), line->at + to, line->size - to);
	line->size -= to - from - strlen(mark);
}

/* How long the lines are when names longer than `limit` lose their middle. */
static uint64_t count_bytes(const struct call_tree *tree, const uint32_t *sizes, uint64_t *ends,
			    size_t limit)
{
	uint64_t all = 0;

	ends[0] = 0;
	for (uint32_t i = 1; i < tree->nodes.count; i++) {
		const struct call_node *node = &tree->nodes.at[i];
		uint32_t size = sizes[node->frame];

		ends[node->depth] = ends[node->depth - 1] + 1 + (size < limit ? size : limit);
		if (node->self)
			all += ends[node->depth];
	}
	return all;
}

/*
 * A name stands in every line of a stack that has it, as often as it does: where names are of some
 * KiB, and stacks deep, a recording of seconds would fill a disk. Puts the length to which names are
 * to be cut into *ret, SIZE_MAX for those of people. Returns 0 or -ENOMEM.
 */
static int choose_limit(size_t *ret, const struct call_tree *tree, uint64_t bytes)
{
	static const size_t limits[] = { SIZE_MAX, 512, 256, 128 };
	cleanup(free) uint32_t *sizes = malloc((tree->frames.count + 1ULL) * sizeof(*sizes));
	cleanup(free) uint64_t *ends = malloc((tree->max_depth + 1ULL) * sizeof(*ends));

	if (!sizes || !ends)
		return -ENOMEM;
	for (uint32_t i = 0; i < tree->frames.count; i++)
		sizes[i] = (uint32_t)strlen(call_frame_name(tree, &tree->frames.at[i]));
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		*ret = limits[i];
		if (count_bytes(tree, sizes, ends, *ret) <= bytes)
			break;
	}
	return 0;
}

struct text {
	size_t start, size; /* in names.texts; size 0: not made */
};

/* Names as they are written, each made once. */
struct names {
	struct bytes texts, scratch;
	ARRAY_OF(struct text) list; /* by frame */
	size_t limit;		    /* longer ones lose their middle */
};

static void names_fini_cleanup(struct names *names)
{
	bytes_fini(&names->texts);
	bytes_fini(&names->scratch);
	array_fini(&names->list);
}

/* Makes no suffix of what a name without one ends in. */
static void blunt_suffix(char *name, size_t size)
{
	char *end = name + size;

	if (size > 4 && end[-4] == '_' && end[-3] == '[' && strchr("kij", end[-2]) &&
	    end[-1] == ']')
		end[-3] = '(', end[-1] = ')';
}

/* Appends the name of a frame to the texts. */
static void make_name(struct names *names, const struct call_tree *tree,
		      const struct call_frame *frame)
{
	const char *name = tame(&names->scratch, call_frame_name(tree, frame));
	struct bytes *texts = &names->texts;
	size_t start = texts->size;

	if (!name) {
		texts->failed = true;
		return;
	}
	if (name[0] == '#' && (name[1] == ' ' || !name[1]))
		bytes_add_char(texts, '_'); /* at the root the line would be a comment */
	escape_clean(texts, *name ? name : "[unknown]");
	if (texts->failed)
		return;
	if (texts->size - start > names->limit)
		cut_middle(texts, start, names->limit);
	for (size_t i = start; i < texts->size; i++)
		if (texts->at[i] == ' ' &&
		    (frame->kind == CALL_PROCESS || i == start || i + 1 == texts->size ||
		     ends_like_count(texts->at + i, texts->size - i)))
			texts->at[i] = '_';
	if (!*suffix_of(frame))
		blunt_suffix(texts->at + start, texts->size - start);
	bytes_add_str(texts, suffix_of(frame));
}

static void add_name(struct bytes *line, struct names *names, const struct call_tree *tree,
		     uint32_t frame)
{
	struct text *text = &names->list.at[frame];

	if (!text->size) {
		text->start = names->texts.size;
		make_name(names, tree, &tree->frames.at[frame]);
		text->size = names->texts.size - text->start;
	}
	if (names->texts.failed)
		line->failed = true;
	else
		bytes_add(line, names->texts.at + text->start, text->size);
}

int folded_write_within(const struct profile *profile, struct stream *stream, uint64_t bytes)
{
	cleanup(call_tree_free) struct call_tree *tree = NULL;
	cleanup(bytes_fini) struct bytes line = {};
	cleanup(names_fini) struct names names = {};
	cleanup(free) size_t *ends = NULL; /* of the names of each depth in `line` */
	int r = call_tree_new(&tree, profile, profile->meta.main_type);

	if (r == 0)
		r = choose_limit(&names.limit, tree, bytes);
	if (r < 0)
		return r;
	ends = calloc(tree->max_depth + 1ULL, sizeof(*ends));
	if (!ends || !array_reserve(&names.list, tree->frames.count))
		return -ENOMEM;
	memset(names.list.at, 0, tree->frames.count * sizeof(*names.list.at));
	for (uint32_t i = 1; i < tree->nodes.count && !line.failed; i++) {
		const struct call_node *node = &tree->nodes.at[i];

		line.size = ends[node->depth - 1];
		if (line.size)
			bytes_add_char(&line, ';');
		add_name(&line, &names, tree, node->frame);
		ends[node->depth] = line.size;
		if (!node->self)
			continue;
		stream_write(stream, line.at, line.size);
		stream_format(stream, " %" PRId64 "\n", node->self);
	}
	/* Samples without any frame still count. */
	if (tree->nodes.at[0].self)
		stream_format(stream, "[unknown] %" PRId64 "\n", tree->nodes.at[0].self);
	return line.failed ? -ENOMEM : stream->error;
}

static int folded_write(const struct profile *profile, struct stream *stream)
{
	return folded_write_within(profile, stream, LINES_BYTES_MAX);
}

const struct writer writer_folded = {
	.name = "folded",
	.aliases = { "raw", "collapsed" },
	.extensions = { ".folded", ".collapsed" },
	.description = "one line for each stack, for flamegraph.pl and scripts",
	.write = folded_write,
};
