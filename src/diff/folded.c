// SPDX-License-Identifier: Apache-2.0
/*
 * Two columns, "root;...;leaf BEFORE AFTER", as difffolded.pl writes and flamegraph.pl and inferno
 * read them: millionths of the whole run, or of the unit per second, so that both columns are of the
 * same work.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diff/output.h"

/* The format has no escape: what means something to it is replaced, as in output/folded.c. */
static void add_name(struct bytes *line, const char *name, bool is_leaf)
{
	size_t begin = line->size, digits;

	for (; *name; name++) {
		unsigned char c = (unsigned char)*name;

		bytes_add_char(line, c == ';' ? ':' : c < 0x20 || c == 0x7f ? ' ' : (char)c);
	}
	if (line->failed || !is_leaf)
		return;
	/* "worker 3" would be read as a count more. */
	for (digits = line->size; digits > begin && isdigit((unsigned char)line->at[digits - 1]);)
		digits--;
	if (digits > begin && digits < line->size && line->at[digits - 1] == ' ')
		line->at[digits - 1] = '_';
}

static const char *suffix(const struct diff_frame *frame)
{
	return frame->kind == CALL_KERNEL				    ? "_[k]"
	       : frame->kind == CALL_JIT || frame->kind == CALL_INTERPRETED ? "_[j]"
	       : frame->inlined						    ? "_[i]"
									    : "";
}

static int folded_write(const struct diff *diff, struct stream *stream)
{
	cleanup(bytes_fini) struct bytes line = {};
	ARRAY_OF(uint32_t) path = {};
	int r = array_reserve(&path, diff->max_depth + 1ULL) ? 0 : -ENOMEM;

	for (uint32_t i = 1; r == 0 && i < diff->nodes.count; i++) {
		uint32_t depth = diff->nodes.at[i].depth;
		double base, new;

		path.at[depth] = i;
		diff_self(diff, i, &base, &new);
		if (!(base > 0) && !(new > 0))
			continue;
		line.size = 0;
		for (uint32_t k = 1; k <= depth; k++) {
			const struct diff_frame *frame =
				&diff->frames.at[diff->nodes.at[path.at[k]].frame];

			if (k > 1)
				bytes_add_char(&line, ';');
			add_name(&line, diff_name(diff, frame), k == depth && !*suffix(frame));
			bytes_add_str(&line, suffix(frame));
		}
		bytes_add_format(&line, " %.0f %.0f\n", round(1e6 * base), round(1e6 * new));
		if (line.failed)
			r = -ENOMEM;
		else
			stream_write(stream, line.at, line.size);
	}
	array_fini(&path);
	return r < 0 ? r : stream->error;
}

const struct diff_writer diff_writer_folded = {
	.name = "folded",
	.extensions = { ".folded", ".collapsed" },
	.write = folded_write,
};
