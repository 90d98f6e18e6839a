// SPDX-License-Identifier: Apache-2.0
/*
 * Folded text: "root;...;leaf COUNT", a line for each distinct stack, as flamegraph.pl reads it and
 * stackcollapse-perf.pl --all writes it (suffixes _[k] kernel, _[j] generated code, _[i] inlined).
 *
 * The format has no escape, so a name must lose what would be read as something else: ';' separates
 * frames, a line break ends the stack, and a leaf that ends in a space and digits ("worker 3") would
 * make flamegraph.pl see two columns of counts and draw a difference.
 */
#include "output/formats.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "output/escape.h"
#include "profile/call_tree.h"

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

static void add_name(struct bytes *line, struct bytes *scratch, const struct call_tree *tree,
		     const struct call_frame *frame)
{
	const char *name = tame(scratch, call_frame_name(tree, frame));
	size_t start = line->size;

	if (!name) {
		line->failed = true;
		return;
	}
	escape_clean(line, *name ? name : "[unknown]");
	if (line->failed)
		return;
	for (size_t i = start; i < line->size; i++)
		if (line->at[i] == ' ' &&
		    (frame->kind == CALL_PROCESS || i == start || i + 1 == line->size ||
		     ends_like_count(line->at + i, line->size - i)))
			line->at[i] = '_';
	bytes_add_str(line, suffix_of(frame));
}

static int folded_write(const struct profile *profile, struct stream *stream)
{
	cleanup(call_tree_free) struct call_tree *tree = NULL;
	cleanup(bytes_fini) struct bytes line = {};
	cleanup(bytes_fini) struct bytes scratch = {};
	ARRAY_OF(size_t) ends = {}; /* of the names of each depth in `line` */
	int r = call_tree_new(&tree, profile, profile->meta.main_type);

	if (r < 0)
		return r;
	if (!array_reserve(&ends, tree->max_depth + 1ULL))
		return -ENOMEM;
	ends.at[0] = 0;
	for (uint32_t i = 1; i < tree->nodes.count; i++) {
		const struct call_node *node = &tree->nodes.at[i];

		line.size = ends.at[node->depth - 1];
		if (line.size)
			bytes_add_char(&line, ';');
		add_name(&line, &scratch, tree, call_tree_frame(tree, i));
		ends.at[node->depth] = line.size;
		if (!node->self)
			continue;
		stream_write(stream, line.at, line.size);
		stream_format(stream, " %" PRId64 "\n", node->self);
	}
	/* Samples without any frame still count. */
	if (tree->nodes.at[0].self)
		stream_format(stream, "[unknown] %" PRId64 "\n", tree->nodes.at[0].self);
	array_fini(&ends);
	return line.failed || scratch.failed ? -ENOMEM : stream->error;
}

const struct writer writer_folded = {
	.name = "folded",
	.aliases = { "raw", "collapsed" },
	.extensions = { ".folded", ".collapsed" },
	.description = "one line for each stack, for flamegraph.pl and scripts",
	.write = folded_write,
};
