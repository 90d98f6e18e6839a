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
 * Function 0 stands for what is left out because the file would become too large: "cut".
 */
#include "output/flamegraph/flamegraph.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "output/escape.h"
#include "output/short_name.h"

enum {
	BASE = 44,
	NAME_BYTES = 2000000, /* of names before they are shortened */
	CHUNK = 1 << 19,      /* XML parsers limit the text of an element */
	LINE = 4000,          /* some programs limit a line */
	TEXT = 1 << 16,       /* flushed from this size on */
	PAIR = 9,             /* places below are written two at a time */
};

#define UNUSED UINT32_MAX

/* A function called by another one; functions of the tree. */
struct call {
	uint32_t caller, callee;
	uint64_t count; /* nodes that are written */
	int64_t heaviest;
	uint32_t place; /* among the caller's callees */
};

struct table {
	const struct call_tree *tree;
	const struct profile *profile;
	struct stream *stream;
	struct bytes line, scratch;
	char digits[2 * BASE + 1];
	/* The text of numbers at hand. */
	char *text;
	size_t size, line_size, chunk_size;
	ARRAY_OF(struct call) calls;
	struct hash_index call_index;
	uint32_t *call_of;      /* node → call */
	uint32_t *number;       /* function of the tree → number in the file, or UNUSED */
	uint32_t *by_number;    /* and back; [0] stands for no function */
	uint32_t function_count; /* numbers given, 0 included */
	uint32_t *shared;       /* of a number's name with the one before */
	bool by_caller;         /* callees have places for each caller */
	/* Weights below are left out, but for those from `some` on among the nodes below some_end. */
	int64_t smallest, some;
	uint32_t some_end;
	size_t name_limit;      /* columns */
	uint64_t budget;        /* bytes */
	uint32_t node_count, left_out;
	int64_t left_out_weight;
};

static void table_fini_cleanup(struct table *table)
{
	bytes_fini(&table->line);
	bytes_fini(&table->scratch);
	array_fini(&table->calls);
	hash_index_fini(&table->call_index);
	free(table->text);
	free(table->call_of);
	free(table->number);
	free(table->by_number);
	free(table->shared);
}

static bool is_kept(const struct table *table, uint32_t node)
{
	int64_t weight = table->tree->nodes.at[node].total;

	return !node || weight >= table->smallest || (weight >= table->some && node < table->some_end);
}

/* ---- What is written. ---- */

/* Bytes of a function's entry: its name without what it shares with the one before, and the rest. */
static uint64_t name_cost(const struct table *table, uint32_t frame)
{
	const struct call_frame *frames = table->tree->frames.at;
	const char *name = call_frame_name(table->tree, &frames[frame]);
	const char *before = frame ? call_frame_name(table->tree, &frames[frame - 1]) : "";
	size_t size = strnlen(name, table->name_limit), same = 0;

	while (same < size && before[same] == name[same])
		same++;
	return size - same + 14;
}

static void choose_name_limit(struct table *table)
{
	static const size_t limits[] = { 4000, 1000, 300, 150, 80 };
	uint64_t bytes = 0;

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		table->name_limit = limits[i];
		bytes = 0;
		for (uint32_t frame = 0; frame < table->tree->frames.count; frame++)
			bytes += name_cost(table, frame);
		if (bytes <= NAME_BYTES)
			break;
	}
}

static bool call_equal(const void *context, uint32_t position, const void *key_)
{
	const struct table *table = context;
	const struct call *call = &table->calls.at[position], *key = key_;

	return call->caller == key->caller && call->callee == key->callee;
}

static int find_call(struct table *table, uint32_t *ret, uint32_t caller, uint32_t callee)
{
	struct call key = { .caller = caller, .callee = callee };
	uint64_t hash = hash_pair(caller, callee);
	struct call *call;

	*ret = hash_index_find(&table->call_index, hash, call_equal, table, &key);
	if (*ret != HASH_ABSENT)
		return 0;
	*ret = table->calls.count;
	call = array_push(&table->calls);
	if (!call || hash_index_add(&table->call_index, hash, *ret) < 0)
		return -ENOMEM;
	*call = key;
	return 0;
}

/* Finds the call that each node is. */
static int find_calls(struct table *table)
{
	const struct call_tree *tree = table->tree;

	table->calls.count = 0;
	hash_index_fini(&table->call_index);
	table->call_index = (struct hash_index){};
	for (uint32_t i = 0; i < tree->nodes.count; i++) {
		const struct call_node *node = &tree->nodes.at[i];
		uint32_t caller = table->by_caller && i ? tree->nodes.at[node->parent].frame : UNUSED;
		int r = find_call(table, &table->call_of[i], caller, node->frame);

		if (r < 0)
			return r;
	}
	return 0;
}

static void count_calls(struct table *table)
{
	for (uint32_t i = 0; i < table->calls.count; i++)
		table->calls.at[i].count = 0;
	for (uint32_t i = 0; i < table->tree->nodes.count; i++) {
		struct call *call = &table->calls.at[table->call_of[i]];
		int64_t weight = table->tree->nodes.at[i].total;

		call->count += is_kept(table, i);
		if (weight > call->heaviest)
			call->heaviest = weight;
	}
}

static int compare_calls(const void *a_, const void *b_, void *context)
{
	const struct table *table = context;
	const struct call *a = &table->calls.at[*(const uint32_t *)a_];
	const struct call *b = &table->calls.at[*(const uint32_t *)b_];

	if (a->caller != b->caller)
		return a->caller < b->caller ? -1 : 1;
	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return a->callee < b->callee ? -1 : a->callee > b->callee;
}

/* Calls by caller, each caller's by count, and their places; *ret is malloc'ed. */
static int sort_calls(struct table *table, uint32_t **ret)
{
	uint32_t *order = malloc((table->calls.count + 1ULL) * sizeof(*order));

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < table->calls.count; i++)
		order[i] = i;
	qsort_r(order, table->calls.count, sizeof(*order), compare_calls, table);
	for (uint32_t i = 0, place = 0; i < table->calls.count; i++) {
		struct call *call = &table->calls.at[order[i]];

		place = i && table->calls.at[order[i - 1]].caller == call->caller ? place + 1 : 0;
		call->place = place;
	}
	*ret = order;
	return 0;
}

static unsigned digits_of(uint64_t number)
{
	unsigned digits = 1;

	for (; number >= BASE; number /= BASE)
		digits++;
	return digits;
}

/* What a node costs, in half characters. */
static uint64_t node_cost(const struct table *table, uint32_t i)
{
	const struct call_node *node = &table->tree->nodes.at[i];
	uint32_t place = table->calls.at[table->call_of[i]].place;
	uint64_t cost = place < PAIR ? 1 : 2 + 2 * digits_of(place);

	return node->self ? cost + 2 * (2 + digits_of(2 * (uint64_t)node->self)) : cost;
}

/* What a call and its function's name cost. */
enum { CALL_COST = 6 };

/* From which weight on the file is small enough. */
static int choose_smallest(struct table *table)
{
	const struct call_tree *tree = table->tree;
	cleanup(free) int64_t *heaviest = calloc(tree->frames.count + 1ULL, sizeof(*heaviest));
	struct cutoff cutoff = {};
	uint64_t left;

	if (!heaviest)
		return -ENOMEM;
	for (uint32_t i = 0; i < table->calls.count; i++) {
		const struct call *call = &table->calls.at[i];

		if (call->heaviest > heaviest[call->callee])
			heaviest[call->callee] = call->heaviest;
		cutoff_add(&cutoff, call->heaviest, CALL_COST);
	}
	for (uint32_t i = 0; i < tree->frames.count; i++)
		cutoff_add(&cutoff, heaviest[i], 2 * name_cost(table, i));
	for (uint32_t i = 0; i < tree->nodes.count; i++)
		cutoff_add(&cutoff, tree->nodes.at[i].total, node_cost(table, i));
	table->smallest = table->some = cutoff_weight(&cutoff, 2 * table->budget, &left);
	if (table->smallest == 1)
		return 0;
	/* Often very many weigh the same: of these as many as there is room for. */
	table->some = cutoff_weight_below(table->smallest);
	for (uint32_t i = 0; i < tree->nodes.count; i++) {
		const struct call *call = &table->calls.at[table->call_of[i]];
		int64_t weight = tree->nodes.at[i].total;
		uint64_t cost = 0;

		if (weight >= table->smallest || weight < table->some)
			continue;
		cost = node_cost(table, i);
		if (call->heaviest < table->smallest)
			cost += CALL_COST;
		if (heaviest[call->callee] < table->smallest)
			cost += 2 * name_cost(table, call->callee);
		if (cost > left)
			break;
		left -= cost;
		table->some_end = i + 1;
	}
	return 0;
}

/* Functions have numbers in the order of their names. */
static void number_functions(struct table *table)
{
	uint32_t count = table->tree->frames.count;

	memset(table->number, 0xff, (count + 1ULL) * sizeof(*table->number));
	for (uint32_t i = 0; i < table->calls.count; i++)
		if (table->calls.at[i].count)
			table->number[table->calls.at[i].callee] = 0;
	table->function_count = 1;
	for (uint32_t i = 0; i < count; i++) {
		if (table->number[i] == UNUSED)
			continue;
		table->number[i] = table->function_count;
		table->by_number[table->function_count++] = i;
	}
}

/* *ret: see sort_calls. */
static int choose(struct table *table, uint32_t **ret)
{
	const struct call_tree *tree = table->tree;
	cleanup(free) uint32_t *order = NULL;
	int r;

	table->number = malloc((tree->frames.count + 1ULL) * sizeof(*table->number));
	table->by_number = calloc(tree->frames.count + 1ULL, sizeof(*table->by_number));
	table->call_of = malloc((tree->nodes.count + 1ULL) * sizeof(*table->call_of));
	if (!table->number || !table->by_number || !table->call_of)
		return -ENOMEM;
	choose_name_limit(table);
	table->smallest = 1;
	table->by_caller = true;
	r = find_calls(table);
	if (r == 0 && table->calls.count > 1000 && table->calls.count > tree->nodes.count / 3) {
		table->by_caller = false;
		r = find_calls(table);
	}
	if (r < 0)
		return r;
	count_calls(table);
	r = sort_calls(table, &order);
	if (r == 0)
		r = choose_smallest(table);
	if (r < 0)
		return r;
	if (table->smallest > 1) {
		free(TAKE_PTR(order));
		count_calls(table);
		r = sort_calls(table, &order);
		if (r < 0)
			return r;
	}
	number_functions(table);
	*ret = TAKE_PTR(order);
	return 0;
}

/* What is left out directly above a node that is kept. */
static int64_t left_out_above(const struct table *table, uint32_t parent, uint32_t *ret_nodes)
{
	const struct call_node *nodes = table->tree->nodes.at;
	int64_t weight = 0;

	*ret_nodes = 0;
	if (table->smallest == 1)
		return 0;
	for (uint32_t i = parent + 1; i < nodes[parent].end; i = nodes[i].end) {
		if (is_kept(table, i))
			continue;
		weight = profile_sum(weight, nodes[i].total);
		*ret_nodes += nodes[i].end - i;
	}
	return weight;
}

static void count_nodes(struct table *table)
{
	const struct call_node *nodes = table->tree->nodes.at;

	for (uint32_t i = 0; i < table->tree->nodes.count;) {
		int64_t weight;
		uint32_t left_out;

		if (!is_kept(table, i)) {
			i = nodes[i].end;
			continue;
		}
		weight = left_out_above(table, i, &left_out);
		table->node_count += 1 + (left_out > 0);
		table->left_out += left_out;
		table->left_out_weight = profile_sum(table->left_out_weight, weight);
		i++;
	}
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
	for (; number >= BASE; number /= BASE)
		add_digit(table, BASE + (unsigned)(number % BASE));
	add_digit(table, (unsigned)number);
	if (table->line_size >= LINE)
		end_line(table);
}

static void add_callees(struct table *table, const uint32_t *order)
{
	uint32_t at = 0, count;

	/* Callers come in the order of their numbers, and that of node 0, UNUSED, last. */
	for (uint32_t f = 1; table->by_caller && f < table->function_count; f++) {
		uint32_t caller = table->by_number[f];

		count = 0;
		while (at < table->calls.count && table->calls.at[order[at]].caller < caller)
			at++;
		while (at + count < table->calls.count &&
		       table->calls.at[order[at + count]].caller == caller &&
		       table->calls.at[order[at + count]].count)
			count++;
		add_number(table, count);
		for (uint32_t k = 0; k < count; k++)
			add_number(table, table->number[table->calls.at[order[at++]].callee]);
	}
	while (at < table->calls.count && table->calls.at[order[at]].caller != UNUSED)
		at++;
	count = at;
	while (count < table->calls.count && table->calls.at[order[count]].count)
		count++;
	add_number(table, count - at);
	while (at < count)
		add_number(table, table->number[table->calls.at[order[at++]].callee]);
}

/* Writes the nodes from..to, each the caller of the next one. */
static void add_frames(struct table *table, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i <= to; i++) {
		uint32_t place = table->calls.at[table->call_of[i]].place, next = 0;

		if (i < to)
			next = table->calls.at[table->call_of[i + 1]].place;
		if (place < PAIR && next < PAIR) {
			add_digit(table, PAIR * place + next);
			i++;
		} else {
			add_digit(table, PAIR * PAIR);
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

		if (!is_kept(table, i)) {
			i = from = nodes[i].end;
			continue;
		}
		cut = left_out_above(table, i, &left_out);
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
	uint32_t *number; /* string of the tree → number; UNUSED */
	ARRAY_OF(uint32_t) strings;
};

static void texts_fini_cleanup(struct texts *texts)
{
	free(texts->number);
	array_fini(&texts->strings);
}

static int texts_init(struct texts *texts, const struct call_tree *tree)
{
	uint32_t count = tree->strings.offsets.count;

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

	if (texts->number[string] != UNUSED)
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
		add_text(table, json, NULL, strtab_get(&table->tree->strings, texts->strings.at[i]));
	json_end(json);
}

/* A function's name as it is written, in `into`. */
static void put_name(struct table *table, struct bytes *into, uint32_t number)
{
	const struct call_frame *frame = &table->tree->frames.at[table->by_number[number]];

	into->size = 0;
	short_name_add(into, flame_clean(&table->scratch, call_frame_name(table->tree, frame)),
		       table->name_limit);
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

	table->shared = calloc(table->function_count + 1ULL, sizeof(*table->shared));
	if (!table->shared)
		return -ENOMEM;
	json_array(json, "names");
	add_text(table, json, NULL, "[left out: too small for this file]");
	for (uint32_t i = 1; i < table->function_count; i++) {
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
	for (uint32_t i = 1; i < table->function_count; i++) {
		const struct call_frame *frame = &table->tree->frames.at[table->by_number[i]];

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
	for (uint32_t i = 1; r == 0 && i < table->function_count; i++) {
		const struct call_frame *frame = &table->tree->frames.at[table->by_number[i]];

		r = texts_number(modules, frame->module);
		if (r == 0)
			r = texts_number(files, frame->file);
	}
	return r;
}

static int write_head(struct table *table, const struct texts *modules, const struct texts *files)
{
	const struct profile *profile = table->profile;
	const struct call_tree *tree = table->tree;
	struct json json = json_to(&table->line);
	int r;

	stream_str(table->stream, "<metadata id=\"profile\">\n");
	json_object(&json, NULL);
	json_string(&json, "digits", table->digits);
	json_u64(&json, "nodes", table->node_count);
	json_bool(&json, "by_caller", table->by_caller);
	json_double(&json, "effective", tree->effective_samples);
	add_text(table, &json, "unit", tree->unit);
	add_text(table, &json, "event",
		 profile_text(profile, profile->types.at[profile->meta.main_type].name));
	json_i64(&json, "duration_ns", profile->meta.duration_ns);
	json_u64(&json, "left_out", table->left_out);
	json_i64(&json, "left_out_weight", table->left_out_weight);
	json_i64(&json, "smallest", table->smallest);
	add_text(table, &json, "title", profile->meta.title);
	add_text(table, &json, "subtitle", profile->meta.subtitle);
	add_text(table, &json, "quality", profile->meta.quality);
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
		struct stream *stream, uint64_t budget)
{
	cleanup(table_fini) struct table table = { .tree = tree, .profile = profile,
						   .stream = stream, .budget = budget };
	cleanup(texts_fini) struct texts modules = {}, files = {};
	cleanup(free) uint32_t *order = NULL;
	unsigned count = 0;
	int r;

	for (char c = '!'; c <= '~'; c++)
		if (!strchr("\"&'<>\\", c))
			table.digits[count++] = c;
	table.text = malloc(TEXT + 2 * LINE);
	if (!table.text)
		return -ENOMEM;
	r = choose(&table, &order);
	if (r == 0)
		r = number_texts(&table, &modules, &files);
	if (r < 0)
		return r;
	count_nodes(&table);
	r = write_head(&table, &modules, &files);
	if (r < 0)
		return r;
	begin_chunk(&table);
	add_functions(&table, &modules, &files);
	add_callees(&table, order);
	add_stacks(&table);
	end_chunk(&table);
	return table.line.failed || table.scratch.failed ? -ENOMEM : 0;
}
