// SPDX-License-Identifier: Apache-2.0
/*
 * The whole profile as text: a JSON object with its texts, then everything else as numbers.
 *
 * Names are in order, each without the characters that it shares with the one before.
 *
 * Numbers have a base of 44, least digit first: of the 88 printable characters that neither XML,
 * HTML nor JSON care about those from 44 on are the digits that more follow, the others the last
 * ones. They are, in this order:
 *
 *     function = shared module file line kind*2+inlined  of each but function 0
 *     callees  = count function...                       of each function, then 0; most frequent first
 *     stack    = left entered frame... weight*2+cut [cut weight]
 *
 * Stacks are listed in preorder, each as its difference to the one before: how many frames are left
 * and how many entered. A frame is its place among the callees of the frame before it, for these are
 * few: two places below 9 are one character, 9 times the first plus the second; 81 comes before any
 * other place, which is a number. Where functions call nearly everything (made-up profiles do), all
 * have one list of callees, function 0's.
 *
 * A picture of what changed has the sums of both sides as weights, and then
 *
 *     new      = weight             of each node itself, in NEW
 *     node     = verdict            of each node: (half + 1)*3 + mark, half -1 where it is not known
 *     function = verdict verdict    of each but function 0: by itself, with what it called
 *
 * where cuts are nodes, too, each behind the one that it was cut off from.
 *
 * Function 0 stands for what is left out because the file would become too large: "cut".
 */
#include "output/flamegraph/choice.h"
#include "output/flamegraph/flamegraph.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "output/escape.h"
#include "output/short_name.h"

enum {
	CHUNK = 1 << 19,      /* XML parsers limit the text of an element */
	LINE = 4000,          /* some programs limit a line */
	TEXT = 1 << 16,       /* flushed from this size on */
};

struct table {
	const struct call_tree *tree;
	const struct profile *profile;
	const struct flame_change *change;
	struct stream *stream;
	struct choice choice;
	struct bytes line, scratch;
	char digits[2 * CHOICE_BASE + 1];
	/* The text of numbers at hand. */
	char *text;
	size_t size, line_size, chunk_size;
	uint32_t *shared; /* of a function's name with the one before, by number */
};

static void table_fini_cleanup(struct table *table)
{
	choice_fini(&table->choice);
	bytes_fini(&table->line);
	bytes_fini(&table->scratch);
	free(table->text);
	free(table->shared);
}

/* ---- Numbers. ---- */

static void flush(struct table *table)
{
	stream_write(table->stream, table->text, table->size);
	table->size = 0;
}

static void begin_chunk(struct table *table)
{
	static const char tag[] = "<metadata class=\"numbers\">\n";

	memcpy(table->text + table->size, tag, sizeof(tag) - 1);
	table->size += sizeof(tag) - 1;
	table->line_size = table->chunk_size = 0;
}

static void end_chunk(struct table *table)
{
	static const char tag[] = "\n</metadata>\n";

	memcpy(table->text + table->size, tag, sizeof(tag) - 1);
	table->size += sizeof(tag) - 1;
	flush(table);
}

/* Room for a line, and what may follow it, is always left in the text. */
static void end_line(struct table *table)
{
	table->chunk_size += table->line_size;
	table->text[table->size++] = '\n';
	table->line_size = 0;
	if (table->chunk_size >= CHUNK) {
		end_chunk(table);
		begin_chunk(table);
	} else if (table->size >= TEXT) {
		flush(table);
	}
}

static void add_digit(struct table *table, unsigned digit)
{
	table->text[table->size++] = table->digits[digit];
	table->line_size++;
}

static void add_number(struct table *table, uint64_t number)
{
	for (; number >= CHOICE_BASE; number /= CHOICE_BASE)
		add_digit(table, CHOICE_BASE + (unsigned)(number % CHOICE_BASE));
	add_digit(table, (unsigned)number);
	if (table->line_size >= LINE)
		end_line(table);
}

static void add_callees(struct table *table)
{
	const struct choice *choice = &table->choice;
	const uint32_t *order = choice->order;
	uint32_t at = 0, count;

	/* Callers come in the order of their numbers, and that of node 0, CHOICE_NONE, last. */
	for (uint32_t f = 1; choice->by_caller && f < choice->function_count; f++) {
		uint32_t caller = choice->by_number[f];

		count = 0;
		while (at < choice->calls.count && choice->calls.at[order[at]].caller < caller)
			at++;
		while (at + count < choice->calls.count &&
		       choice->calls.at[order[at + count]].caller == caller &&
		       choice->calls.at[order[at + count]].count)
			count++;
		add_number(table, count);
		for (uint32_t k = 0; k < count; k++)
			add_number(table, choice->number[choice->calls.at[order[at++]].callee]);
	}
	while (at < choice->calls.count && choice->calls.at[order[at]].caller != CHOICE_NONE)
		at++;
	count = at;
	while (count < choice->calls.count && choice->calls.at[order[count]].count)
		count++;
	add_number(table, count - at);
	while (at < count)
		add_number(table, choice->number[choice->calls.at[order[at++]].callee]);
}

/* Writes the nodes from..to, each the caller of the next one. */
static void add_frames(struct table *table, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i <= to; i++) {
		uint32_t place = choice_call(&table->choice, i)->place, next = 0;

		if (i < to)
			next = choice_call(&table->choice, i + 1)->place;
		if (place < CHOICE_PAIR && next < CHOICE_PAIR) {
			add_digit(table, CHOICE_PAIR * place + next);
			i++;
		} else {
			add_digit(table, CHOICE_PAIR * CHOICE_PAIR);
			add_number(table, place);
		}
	}
}

static void add_stacks(struct table *table)
{
	const struct call_node *nodes = table->tree->nodes.at;
	uint32_t depth = 0; /* frames of the stack written last */
	uint32_t from = 0;

	for (uint32_t i = 0; i < table->tree->nodes.count;) {
		uint32_t left_out, next = i + 1;
		int64_t cut;

		if (!choice_keeps(&table->choice, i)) {
			i = from = nodes[i].end;
			continue;
		}
		cut = choice_cut_above(&table->choice, i, &left_out);
		/* It goes on with a callee that follows at once, and is written. */
		if (!nodes[i].self && !left_out && next < nodes[i].end) {
			i = next;
			continue;
		}
		add_number(table, depth - nodes[from].depth);
		add_number(table, i - from + 1);
		add_frames(table, from, i);
		add_number(table, 2 * (uint64_t)nodes[i].self + (left_out > 0));
		if (left_out)
			add_number(table, (uint64_t)cut);
		depth = nodes[i].depth + 1;
		i = from = next;
	}
}

/* NEW's part of what is left out directly above a node that is kept. */
static int64_t new_cut_above(const struct table *table, uint32_t parent)
{
	const struct call_node *nodes = table->change->new->nodes.at;
	int64_t sum = 0;

	for (uint32_t i = parent + 1; i < nodes[parent].end; i = nodes[i].end)
		if (!choice_keeps(&table->choice, i))
			sum = profile_sum(sum, nodes[i].total);
	return sum;
}

static void add_verdict(struct table *table, const struct flame_verdict *verdict)
{
	add_number(table, 3 * (uint64_t)(verdict->half < 0 ? 0 : verdict->half + 1) + verdict->mark);
}

static void add_changes(struct table *table)
{
	static const struct flame_verdict unknown = { FLAME_NOTHING, -1 };
	const struct flame_change *change = table->change;

	for (int verdicts = 0; verdicts < 2; verdicts++) {
		for (uint32_t i = 0; i < table->tree->nodes.count;) {
			uint32_t left_out;

			if (!choice_keeps(&table->choice, i)) {
				i = table->tree->nodes.at[i].end;
				continue;
			}
			choice_cut_above(&table->choice, i, &left_out);
			if (verdicts)
				add_verdict(table, &change->nodes[i]);
			else
				add_number(table, (uint64_t)change->new->nodes.at[i].self);
			if (left_out && verdicts)
				add_verdict(table, &unknown);
			else if (left_out)
				add_number(table, (uint64_t)new_cut_above(table, i));
			i++;
		}
	}
	for (uint32_t f = 1; f < table->choice.function_count; f++) {
		add_verdict(table, &change->selfs[table->choice.by_number[f]]);
		add_verdict(table, &change->totals[table->choice.by_number[f]]);
	}
}

/* ---- What the numbers stand for. ---- */

/* Inside of texts only, JSON knows other ways to write the characters that XML and HTML know. */
static void write_json(struct table *table)
{
	struct bytes *line = &table->line;
	const char *plain = line->at, *end = line->at + line->size;

	for (const char *at = plain; at < end; at++) {
		if (*at != '<' && *at != '>' && *at != '&')
			continue;
		stream_write(table->stream, plain, (size_t)(at - plain));
		stream_format(table->stream, "\\u%04x", (unsigned)*at);
		plain = at + 1;
	}
	if (end > plain)
		stream_write(table->stream, plain, (size_t)(end - plain));
	line->size = 0;
}

static void add_text(struct table *table, struct json *json, const char *key, const char *text)
{
	json_string(json, key, flame_clean(&table->scratch, text));
	write_json(table);
}

/* Texts as numbers, in the order of their first use; number 0 is "". */
struct texts {
	uint32_t *number; /* string of the profile → number; CHOICE_NONE */
	ARRAY_OF(uint32_t) strings;
};

static void texts_fini_cleanup(struct texts *texts)
{
	free(texts->number);
	array_fini(&texts->strings);
}

static int texts_init(struct texts *texts, const struct call_tree *tree)
{
	uint32_t count = tree->profile->strings.offsets.count;

	texts->number = malloc((count + 1ULL) * sizeof(*texts->number));
	if (!texts->number || !array_push(&texts->strings))
		return -ENOMEM;
	memset(texts->number, 0xff, (count + 1ULL) * sizeof(*texts->number));
	texts->number[0] = 0;
	return 0;
}

static int texts_number(struct texts *texts, uint32_t string)
{
	uint32_t *added;

	if (texts->number[string] != CHOICE_NONE)
		return 0;
	added = array_push(&texts->strings);
	if (!added)
		return -ENOMEM;
	*added = string;
	texts->number[string] = texts->strings.count - 1;
	return 0;
}

static void add_texts(struct table *table, struct json *json, const char *key,
		      const struct texts *texts)
{
	json_array(json, key);
	for (uint32_t i = 0; i < texts->strings.count; i++)
		add_text(table, json, NULL, profile_text(table->profile, texts->strings.at[i]));
	json_end(json);
}

/* A function's name as it is written, in `into`. */
static void put_name(struct table *table, struct bytes *into, uint32_t number)
{
	const struct call_frame *frame = &table->tree->frames.at[table->choice.by_number[number]];

	into->size = 0;
	short_name_add(into, flame_clean(&table->scratch, call_frame_name(table->tree, frame)),
		       table->choice.name_limit);
	if (!bytes_str(into))
		table->line.failed = true;
}

/* How many UTF-16 units, as JavaScript counts, two texts begin with alike; *ret: as many bytes. */
static uint32_t shared(const struct bytes *a, const struct bytes *b, size_t *ret)
{
	const char *at = a->at ? a->at : "", *other = b->at ? b->at : "";
	const char *begin = other;
	uint32_t units = 0, c;

	for (;;) {
		const char *next = at, *other_next = other;

		c = text_next(&next);
		if (!c || text_next(&other_next) != c)
			break;
		units += c >= 0x10000 ? 2 : 1;
		at = next;
		other = other_next;
	}
	*ret = (size_t)(other - begin);
	return units;
}

static int add_names(struct table *table, struct json *json)
{
	cleanup(bytes_fini) struct bytes even = {}, odd = {};
	struct bytes *const names[] = { &even, &odd };

	table->shared = calloc(table->choice.function_count + 1ULL, sizeof(*table->shared));
	if (!table->shared)
		return -ENOMEM;
	json_array(json, "names");
	add_text(table, json, NULL, "[left out: too small for this file]");
	for (uint32_t i = 1; i < table->choice.function_count; i++) {
		struct bytes *name = names[i % 2];
		size_t same = 0;

		put_name(table, name, i);
		if (i > 1)
			table->shared[i] = shared(names[(i + 1) % 2], name, &same);
		json_string(json, NULL, name->at ? name->at + same : "");
		write_json(table);
	}
	json_end(json);
	return 0;
}

static void add_functions(struct table *table, const struct texts *modules,
			  const struct texts *files)
{
	for (uint32_t i = 1; i < table->choice.function_count; i++) {
		const struct call_frame *frame = &table->tree->frames.at[table->choice.by_number[i]];

		add_number(table, table->shared[i]);
		add_number(table, modules->number[frame->module]);
		add_number(table, files->number[frame->file]);
		add_number(table, frame->line);
		add_number(table, frame->kind * 2U + frame->inlined);
	}
}

/* Numbers modules and files as they are met. */
static int number_texts(const struct table *table, struct texts *modules, struct texts *files)
{
	int r = texts_init(modules, table->tree);

	if (r == 0)
		r = texts_init(files, table->tree);
	for (uint32_t i = 1; r == 0 && i < table->choice.function_count; i++) {
		const struct call_frame *frame = &table->tree->frames.at[table->choice.by_number[i]];

		r = texts_number(modules, frame->module);
		if (r == 0)
			r = texts_number(files, frame->file);
	}
	return r;
}

static void add_change(struct table *table, struct json *json)
{
	const struct flame_change *change = table->change;

	json_object(json, "change");
	json_double(json, "scale", change->scale);
	json_u64(json, "digits", change->digits);
	add_text(table, json, "unit", change->unit);
	add_text(table, json, "step", change->step_unit);
	add_text(table, json, "base", change->base_name);
	add_text(table, json, "new", change->new_name);
	json_end(json);
}

static int write_head(struct table *table, const struct texts *modules, const struct texts *files)
{
	const struct profile *profile = table->profile;
	const struct choice *choice = &table->choice;
	struct json json = json_to(&table->line);
	int r;

	stream_str(table->stream, "<metadata id=\"profile\">\n");
	json_object(&json, NULL);
	json_string(&json, "digits", table->digits);
	json_u64(&json, "nodes", choice->node_count);
	json_bool(&json, "by_caller", choice->by_caller);
	json_double(&json, "effective", table->tree->effective_samples);
	add_text(table, &json, "unit", table->tree->unit);
	add_text(table, &json, "event",
		 profile_text(profile, profile->types.at[profile->meta.main_type].name));
	json_i64(&json, "duration_ns", profile->meta.duration_ns);
	if (table->tree->core_weight > 0)
		json_double(&json, "core_weight", table->tree->core_weight);
	json_u64(&json, "left_out", choice->left_out);
	json_i64(&json, "left_out_weight", choice->left_out_weight);
	json_i64(&json, "smallest", choice->smallest);
	add_text(table, &json, "title", profile->meta.title);
	add_text(table, &json, "subtitle", profile->meta.subtitle);
	add_text(table, &json, "quality", profile->meta.quality);
	if (table->change)
		add_change(table, &json);
	json_array(&json, "kinds");
	for (unsigned kind = 0; kind < CALL_KIND_COUNT; kind++) {
		const char *legend = palette_legend((enum call_kind)kind);

		json_string(&json, NULL, legend ? legend : "");
	}
	json_end(&json);
	r = add_names(table, &json);
	if (r < 0)
		return r;
	add_texts(table, &json, "modules", modules);
	add_texts(table, &json, "files", files);
	json_end(&json);
	write_json(table);
	stream_str(table->stream, "</metadata>\n");
	return 0;
}

int table_write(const struct call_tree *tree, const struct profile *profile,
		const struct flame_change *change, struct stream *stream, uint64_t budget)
{
	cleanup(table_fini) struct table table = { .tree = tree, .profile = profile,
						   .change = change, .stream = stream };
	cleanup(texts_fini) struct texts modules = {}, files = {};
	unsigned count = 0;
	int r;

	for (char c = '!'; c <= '~'; c++)
		if (!strchr("\"&'<>\\", c))
			table.digits[count++] = c;
	table.text = malloc(TEXT + 2 * LINE);
	if (!table.text)
		return -ENOMEM;
	/* What changed takes about twice as much. */
	r = choice_make(&table.choice, tree, change ? budget * 3 / 10 : budget);
	if (r == 0)
		r = number_texts(&table, &modules, &files);
	if (r < 0)
		return r;
	r = write_head(&table, &modules, &files);
	if (r < 0)
		return r;
	begin_chunk(&table);
	add_functions(&table, &modules, &files);
	add_callees(&table);
	add_stacks(&table);
	if (change)
		add_changes(&table);
	end_chunk(&table);
	return table.line.failed || table.scratch.failed ? -ENOMEM : 0;
}
