// SPDX-License-Identifier: Apache-2.0
#include "output/page.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "output/escape.h"
#include "output/short_name.h"
#include "profile/weights.h"

enum { CORES_COLUMNS = 8, BYTES_COLUMNS = 12 };

void page_fini(struct page *page)
{
	bytes_fini(&page->out);
	bytes_fini(&page->scratch);
}

const char *page_clean(struct page *page, const char *text)
{
	const char *ret;

	page->scratch.size = 0;
	escape_clean(&page->scratch, text);
	ret = bytes_str(&page->scratch);
	if (ret)
		return ret;
	page->out.failed = true;
	return "";
}

void page_colour(struct page *page, enum page_colour colour)
{
	/* Of the sixteen that every terminal has, and its user has chosen. */
	static const char *const codes[] = {
		[PAGE_PLAIN] = "\033[0m", [PAGE_HOT] = "\033[31;1m", [PAGE_WARM] = "\033[33m",
		[PAGE_COOL] = "\033[32m", [PAGE_FAINT] = "\033[2m",  [PAGE_BOLD] = "\033[1m",
	};

	if (page->has_colours)
		bytes_add_str(&page->out, codes[colour]);
}

enum page_colour page_colour_of(const struct page *page, int64_t weight)
{
	double share = call_tree_share(page->tree, weight).share;

	return share >= 0.2    ? PAGE_HOT
	       : share >= 0.05 ? PAGE_WARM
	       : share >= 0.01 ? PAGE_COOL
			       : PAGE_FAINT;
}

void page_paragraph(struct page *page, const char *text)
{
	if (!text || !*text)
		return;
	text = page_clean(page, text);
	while (*text) {
		size_t size = text_fit(text, page_width(page));

		if (text[size] && text[size] != ' ') {
			const char *space = memrchr(text, ' ', size);

			if (space && space > text)
				size = (size_t)(space - text);
		}
		if (!size) /* a character wider than the page cannot be, but must not hang */
			break;
		bytes_add(&page->out, text, size);
		bytes_add_char(&page->out, '\n');
		text += size;
		text += strspn(text, " ");
	}
}

void page_heading(struct page *page, const char *format, ...)
{
	char names[PAGE_WIDTH + 1];
	va_list list;

	va_start(list, format);
	vsnprintf(names, sizeof(names), format, list);
	va_end(list);
	bytes_add_char(&page->out, '\n');
	page_colour(page, PAGE_BOLD);
	text_add_clipped(&page->out, names, page_width(page));
	page_colour(page, PAGE_PLAIN);
	bytes_add_char(&page->out, '\n');
}

void page_end_row(struct page *page)
{
	while (page->out.size && page->out.at[page->out.size - 1] == ' ')
		page->out.size--;
	bytes_add_char(&page->out, '\n');
}

void page_share(struct page *page, int64_t weight)
{
	struct share share = call_tree_share(page->tree, weight);

	page_colour(page, page_colour_of(page, weight));
	if (page->tree->is_counted)
		bytes_add_format(&page->out, "%5.1f %% ±%4.1f", 100 * share.share,
				 100 * share.half);
	else
		bytes_add_format(&page->out, "%5.1f %%      ", 100 * share.share);
	page_colour(page, PAGE_PLAIN);
}

static bool has_cores(const struct page *page)
{
	return page->tree->core_weight > 0;
}

static bool has_bytes(const struct page *page)
{
	return strcmp(page->tree->unit, "bytes") == 0;
}

size_t page_absolute_columns(const struct page *page)
{
	if (page_is_narrow(page))
		return 0;
	return has_cores(page) ? CORES_COLUMNS : has_bytes(page) ? BYTES_COLUMNS : 0;
}

const char *page_absolute_heading(const struct page *page)
{
	if (!page_absolute_columns(page))
		return "";
	return has_cores(page) ? "   CORES" : "        SIZE";
}

void page_absolute(struct page *page, int64_t weight)
{
	cleanup(bytes_fini) struct bytes size = {};

	if (!page_absolute_columns(page))
		return;
	if (has_cores(page)) {
		bytes_add_format(&page->out, "  %6.2f", call_tree_cores(page->tree, weight));
		return;
	}
	text_add_size(&size, weight);
	bytes_add_format(&page->out, "  %*s", BYTES_COLUMNS - 2, bytes_str(&size) ? size.at : "");
}

/* "libfoo.so.1+0x1234" says already where it is. */
static bool names_module(const char *name, const char *module)
{
	size_t size = strlen(module);

	return strncmp(name, module, size) == 0 && strncmp(name + size, "+0x", 3) == 0;
}

/* "json.c:120". */
static void add_place(struct page *page, const struct call_frame *frame, size_t columns)
{
	cleanup(bytes_fini) struct bytes place = {};
	const char *file = call_frame_file(page->tree, frame), *slash = strrchr(file, '/');

	if (!*file)
		return;
	escape_clean(&place, slash && slash[1] ? slash + 1 : file);
	if (frame->line)
		bytes_add_format(&place, ":%" PRIu32, frame->line);
	if (!bytes_str(&place))
		page->out.failed = true;
	else if (text_columns(place.at) + 2 <= columns)
		bytes_add_format(&page->out, "  %s", place.at);
}

void page_function_part(struct page *page, const struct call_frame *frame, size_t columns,
			bool with_place)
{
	size_t name_columns, module_columns;
	const char *module =
		frame->kind == CALL_KERNEL ? "kernel" : call_frame_module(page->tree, frame);
	cleanup(bytes_fini) struct bytes module_clean = {};
	const char *name;

	escape_clean(&module_clean, module);
	module = bytes_str(&module_clean);
	if (!module) {
		page->out.failed = true;
		return;
	}
	name = page_clean(page, call_frame_name(page->tree, frame));
	name_columns = short_name_add(&page->out, name, columns);
	page_colour(page, PAGE_FAINT);
	/* Special mappings are called "[vdso]" and so on: one pair of brackets is enough. */
	module_columns = text_columns(module) + (*module == '[' ? 2 : 4);
	if (*module && frame->kind != CALL_NOTE && !names_module(name, module) &&
	    name_columns + module_columns <= columns)
		bytes_add_format(&page->out, *module == '[' ? "  %s" : "  [%s]", module);
	else
		module_columns = 0;
	columns -= name_columns + module_columns;
	if (frame->inlined && columns >= 10) {
		bytes_add_str(&page->out, " (inlined)");
		columns -= 10;
	}
	if (with_place)
		add_place(page, frame, columns);
	page_colour(page, PAGE_PLAIN);
}

void page_function(struct page *page, const struct call_frame *frame, size_t columns)
{
	page_function_part(page, frame, columns, false);
	page_end_row(page);
}

void page_path(struct page *page, const char *path, size_t columns)
{
	size_t used;

	path = page_clean(page, path);
	used = text_columns(path);
	if (used <= columns || *path != '/') {
		text_add_clipped(&page->out, path, columns);
		return;
	}
	while (*path && used + 1 > columns)
		used -= text_char_columns(text_next(&path));
	bytes_add_str(&page->out, "…");
	bytes_add_str(&page->out, path);
}

void page_value(struct page *page, int64_t value, const char *unit)
{
	if (strcmp(unit, "nanoseconds") == 0) {
		bytes_add_format(&page->out, "%.2f s", (double)value / 1e9);
		return;
	}
	if (strcmp(unit, "bytes") == 0) {
		text_add_size(&page->out, value);
		return;
	}
	text_add_count(&page->out, value);
	if (!*unit || strcmp(unit, "count") == 0)
		return;
	bytes_add_char(&page->out, ' ');
	bytes_add_str(&page->out, page_clean(page, unit));
}

void page_weight(struct page *page, int64_t weight)
{
	if (weight == 1 && strcmp(page->tree->unit, "samples") == 0)
		bytes_add_str(&page->out, "1 sample");
	else
		page_value(page, weight, page->tree->unit);
}

static bool is_text(const char *a, const char *b)
{
	return b && strcmp(a, b) == 0;
}

void page_amount(struct page *page)
{
	const struct profile *profile = page->tree->profile;
	const struct profile_meta *meta = &profile->meta;
	const struct profile_type *type = &profile->types.at[meta->main_type];
	uint64_t below;
	int64_t value = weights_values(profile, meta->main_type, &below);

	if (page->tree->is_counted) {
		text_add_count(&page->out, page->tree->nodes.at[0].total_count);
		bytes_add_str(&page->out,
			      page->tree->nodes.at[0].total_count == 1 ? " sample" : " samples");
	}
	if (!page->tree->is_counted || meta->main_type != meta->count_type) {
		bytes_add_str(&page->out, page->tree->is_counted ? " of " : "");
		bytes_add_str(&page->out, page_clean(page, profile_text(profile, type->name)));
		bytes_add_str(&page->out, ": ");
		page_value(page, value, profile_text(profile, type->unit));
	}
	if (has_cores(page))
		bytes_add_format(&page->out, ", %.2f cores on average",
				 call_tree_cores(page->tree, call_tree_total(page->tree)));
	if (call_tree_total(page->tree) != page->tree->whole)
		bytes_add_format(
			&page->out, ", %.1f %% of all",
			100 * call_tree_share(page->tree, call_tree_total(page->tree)).share);
	if (below)
		bytes_add_format(&page->out, ", without %" PRIu64 " value%s below 0", below,
				 below == 1 ? "" : "s");
	bytes_add_str(&page->out, page->tree->is_counted ? "; ± is the 95 % interval" : "");
}

void page_head(struct page *page)
{
	const struct profile *profile = page->tree->profile;
	const struct profile_meta *meta = &profile->meta;
	cleanup(bytes_fini) struct bytes amount = {};
	size_t before;

	page_paragraph(page, meta->title);
	page_paragraph(page, meta->subtitle);
	for (uint32_t i = 0; i < profile->comments.count; i++) {
		const char *comment = profile_text(profile, profile->comments.at[i]);

		/* A recorder repeats these for readers that know comments only. */
		if (!is_text(comment, meta->title) && !is_text(comment, meta->subtitle) &&
		    !is_text(comment, meta->quality))
			page_paragraph(page, comment);
	}
	page_paragraph(page, meta->quality);
	if (page->out.size)
		bytes_add_char(&page->out, '\n');
	/* Types may have long names. */
	before = page->out.size;
	page_amount(page);
	bytes_add(&amount, page->out.at + before, page->out.size - before);
	page->out.size = before;
	page->out.failed |= !bytes_str(&amount);
	if (!page->out.failed)
		page_paragraph(page, amount.at);
}
