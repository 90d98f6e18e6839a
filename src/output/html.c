// SPDX-License-Identifier: Apache-2.0
/*
 * The report for an incident review: one page with what was recorded and how good that is, the
 * interactive flame graph, the functions with their intervals, and the heaviest stacks.
 *
 * It is one file that asks for nothing else, which its policy also forbids, and all but the picture's
 * answers works without scripts; on paper the tables are whole. The picture is the flame graph's
 * file, as an element: see flamegraph/. Every name is cleaned, then escaped.
 */
#include "output/formats.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "output/escape.h"
#include "output/function_table.h"
#include "html_data.h"

enum {
	TOP_STACKS = 20,
	STACK_LEAFWARD = 60, /* frames shown of a deep stack: this many from the leaf, */
	STACK_ROOTWARD = 20, /* and this many from the root */
};

/* Shares below that are summed up in one line. */
static const struct function_table table = { .order = FUNCTIONS_BY_SELF,
					     .limit = 200,
					     .smallest = 0.0005 };

struct report {
	struct page page; /* its `out` is a piece of clean text, until it is taken */
	struct bytes out;
};

static void report_fini_cleanup(struct report *report)
{
	page_fini(&report->page);
	bytes_fini(&report->out);
}

static void add(struct report *report, const char *html)
{
	bytes_add_str(&report->out, html);
}

/* Any text. */
static void add_text(struct report *report, const char *text)
{
	text = page_clean(&report->page, text);
	escape_xml(&report->out, text, strlen(text));
}

/* What the page has put together. */
static void take(struct report *report)
{
	struct bytes *piece = &report->page.out;

	escape_xml(&report->out, piece->at, piece->size);
	report->out.failed |= piece->failed;
	piece->size = 0;
}

static void add_paragraph(struct report *report, const char *kind, const char *text)
{
	if (!text || !*text)
		return;
	bytes_add_format(&report->out, "<p class=\"%s\">", kind);
	add_text(report, text);
	add(report, "</p>\n");
}

static bool is_text(const char *a, const char *b)
{
	return b && strcmp(a, b) == 0;
}

static void add_amount(struct report *report)
{
	add(report, "<p class=\"amount\">");
	page_amount(&report->page);
	take(report);
	add(report, "</p>\n");
}

static void add_head(struct report *report)
{
	const struct profile *profile = report->page.tree->profile;
	const struct profile_meta *meta = &profile->meta;
	const char *title = meta->title && *meta->title ? meta->title : "Profile";

	add(report, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		    "script-src 'unsafe-inline'; style-src 'unsafe-inline'\">\n"
		    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		    "<meta name=\"generator\" content=\"profd " PROFD_VERSION "\">\n<title>");
	add_text(report, title);
	add(report, "</title>\n<style>\n");
	add(report, html_css_report);
	add(report, "</style>\n</head>\n<body>\n<header>\n<h1>");
	add_text(report, title);
	add(report, "</h1>\n");
	add_paragraph(report, "subtitle", meta->subtitle);
	for (uint32_t i = 0; i < profile->comments.count; i++) {
		const char *comment = profile_text(profile, profile->comments.at[i]);

		/* A recorder repeats these for readers that know comments only. */
		if (!is_text(comment, meta->title) && !is_text(comment, meta->subtitle) &&
		    !is_text(comment, meta->quality))
			add_paragraph(report, "comment", comment);
	}
	add_paragraph(report, "quality", meta->quality);
	add_amount(report);
	add(report, "</header>\n");
}

/* The flame graph without what makes it a file. */
static int add_picture(struct report *report)
{
	struct stream stream;
	const char *begin;
	int r;

	stream_init(&stream, -1);
	r = writer_flamegraph.write(report->page.tree->profile, &stream);
	if (r == 0)
		r = stream_finish(&stream);
	if (r == 0) {
		begin = memmem(stream.buffer.at, stream.buffer.size, "<svg", strlen("<svg"));
		add(report, "<section>\n<h2>Flame graph</h2>\n<div class=\"picture\">\n");
		if (begin)
			bytes_add(&report->out, begin,
				  stream.buffer.size - (size_t)(begin - stream.buffer.at));
		add(report, "</div>\n</section>\n");
	}
	stream_fini(&stream);
	return r;
}

/* A cell with a share, and a bar as long as that. */
static void add_share(struct report *report, int64_t weight)
{
	const struct call_tree *tree = report->page.tree;
	struct share share = call_tree_share(tree, weight);

	bytes_add_format(&report->out,
			 "<td class=\"share\"><span class=\"bar\" style=\"width:%.2f%%\"></span>"
			 "%.1f %%",
			 100 * share.share, 100 * share.share);
	if (tree->is_counted)
		bytes_add_format(&report->out, " <small>± %.1f</small>", 100 * share.half);
	add(report, "</td>");
}

static void add_absolute(struct report *report, int64_t weight)
{
	const struct call_tree *tree = report->page.tree;

	if (tree->core_weight > 0) {
		bytes_add_format(&report->out, "<td>%.2f</td>", call_tree_cores(tree, weight));
	} else if (strcmp(tree->unit, "bytes") == 0) {
		add(report, "<td>");
		text_add_size(&report->out, weight);
		add(report, "</td>");
	}
}

/* The name of a function, and where it is. */
static void add_function(struct report *report, const struct call_frame *frame)
{
	const struct call_tree *tree = report->page.tree;
	const char *module = frame->kind == CALL_KERNEL ? "kernel" : call_frame_module(tree, frame);
	const char *file = call_frame_file(tree, frame);

	add(report, "<code>");
	add_text(report, call_frame_name(tree, frame));
	add(report, "</code>");
	if (frame->kind == CALL_PROCESS || frame->kind == CALL_THREAD)
		add(report, frame->kind == CALL_PROCESS ? " <small>process</small>"
							: " <small>thread</small>");
	if (*module && frame->kind != CALL_NOTE) {
		add(report, " <small>");
		add_text(report, module);
		add(report, "</small>");
	}
	if (frame->inlined)
		add(report, " <small>inlined</small>");
	if (*file) {
		add(report, " <small class=\"place\">");
		add_text(report, file);
		if (frame->line)
			bytes_add_format(&report->out, ":%" PRIu32, frame->line);
		add(report, "</small>");
	}
}

static int add_functions(struct report *report)
{
	const struct call_tree *tree = report->page.tree;
	cleanup(free) uint32_t *order = NULL;
	uint32_t count, shown;
	int64_t sum = 0, rest = 0;
	int r = function_table_rows(tree, &table, &order, &count, &shown);

	if (r < 0)
		return r;
	add(report,
	    "<section>\n<h2>Functions</h2>\n<table>\n<thead><tr><th scope=\"col\">Self</th>");
	if (tree->core_weight > 0)
		add(report, "<th scope=\"col\">Cores</th>");
	else if (strcmp(tree->unit, "bytes") == 0)
		add(report, "<th scope=\"col\">Size</th>");
	add(report, "<th scope=\"col\">Sum</th><th scope=\"col\">With callees</th>"
		    "<th scope=\"col\" class=\"name\">Function</th></tr></thead>\n<tbody>\n");
	for (uint32_t i = 0; i < shown; i++) {
		const struct call_frame *frame = &tree->frames.at[order[i]];

		sum = profile_sum(sum, frame->self);
		add(report, "<tr>");
		add_share(report, frame->self);
		add_absolute(report, frame->self);
		bytes_add_format(&report->out, "<td>%.1f %%</td>",
				 100 * call_tree_share(tree, sum).share);
		add_share(report, frame->total);
		add(report, "<td class=\"name\">");
		add_function(report, frame);
		add(report, "</td></tr>\n");
	}
	for (uint32_t i = shown; i < count; i++)
		rest = profile_sum(rest, tree->frames.at[order[i]].self);
	if (shown < count) {
		add(report, "<tr class=\"rest\">");
		add_share(report, rest);
		add_absolute(report, rest);
		bytes_add_format(&report->out,
				 "<td>%.1f %%</td><td></td><td class=\"name\">%" PRIu32
				 " more function%s</td></tr>\n",
				 100 * call_tree_share(tree, profile_sum(sum, rest)).share,
				 count - shown, count - shown == 1 ? "" : "s");
	}
	add(report, "</tbody>\n</table>\n</section>\n");
	return 0;
}

static void add_stack(struct report *report, uint32_t leaf, bool is_open)
{
	const struct call_tree *tree = report->page.tree;
	const struct call_node *nodes = tree->nodes.at;
	struct share share = call_tree_share(tree, nodes[leaf].self);
	uint32_t depth = nodes[leaf].depth, n = 0;

	bytes_add_format(&report->out, "<details%s><summary>%.1f %%", is_open ? " open" : "",
			 100 * share.share);
	if (tree->is_counted)
		bytes_add_format(&report->out, " <small>± %.1f</small>", 100 * share.half);
	add(report, " ");
	if (leaf)
		add_function(report, call_tree_frame(tree, leaf));
	else
		add(report, "no frames");
	add(report, " <small>");
	page_weight(&report->page, nodes[leaf].self);
	take(report);
	add(report, "</small></summary>\n<ol>\n");
	for (uint32_t at = leaf; at; at = nodes[at].parent, n++) {
		if (depth > STACK_LEAFWARD + STACK_ROOTWARD + 1) {
			if (n == STACK_LEAFWARD)
				bytes_add_format(&report->out,
						 "<li>… %" PRIu32 " more frames</li>\n",
						 depth - STACK_LEAFWARD - STACK_ROOTWARD);
			if (n >= STACK_LEAFWARD && n < depth - STACK_ROOTWARD)
				continue;
		}
		add(report, "<li>");
		add_function(report, call_tree_frame(tree, at));
		add(report, "</li>\n");
	}
	add(report, "</ol>\n</details>\n");
}

static int add_stacks(struct report *report)
{
	cleanup(free) uint32_t *order = NULL;
	uint32_t count;
	int r = call_tree_top_stacks(report->page.tree, &order, &count);

	if (r < 0 || !count)
		return r;
	bytes_add_format(&report->out,
			 "<section>\n<h2>Heaviest stacks</h2>\n<p>Innermost first, %" PRIu32
			 " of %" PRIu32 ".</p>\n",
			 count < TOP_STACKS ? count : TOP_STACKS, count);
	for (uint32_t i = 0; i < count && i < TOP_STACKS; i++)
		add_stack(report, order[i], i < 3);
	add(report, "</section>\n");
	return 0;
}

static int fill(struct report *report)
{
	int r;

	add_head(report);
	if (call_tree_total(report->page.tree) == 0) {
		add(report, "<p>No samples: nothing of the target ran while recording.</p>\n");
		return 0;
	}
	r = add_picture(report);
	if (r == 0)
		r = add_functions(report);
	return r ? r : add_stacks(report);
}

static int html_write(const struct profile *profile, struct stream *stream)
{
	cleanup(call_tree_free) struct call_tree *tree = NULL;
	cleanup(report_fini) struct report report = {};
	int r = call_tree_new(&tree, profile, profile->meta.main_type);

	if (r < 0)
		return r;
	report.page.tree = tree;
	r = fill(&report);
	add(&report, "</body>\n</html>\n");
	if (r == 0 && (report.out.failed || report.page.out.failed))
		r = -ENOMEM;
	if (r == 0)
		stream_write(stream, report.out.at, report.out.size);
	return r < 0 ? r : stream->error;
}

const struct writer writer_html = {
	.name = "html",
	.aliases = { NULL },
	.extensions = { ".html" },
	.description = "a report: flame graph, functions and heaviest stacks on one page",
	.write = html_write,
};
