// SPDX-License-Identifier: Apache-2.0
#include "store/codec.h"

#include <errno.h>
#include <inttypes.h>

int tree_init(struct tree *tree)
{
	*tree = (struct tree){};
	return array_push(&tree->nodes) && array_push(&tree->depths) ? 0 : -ENOMEM;
}

void tree_fini(struct tree *tree)
{
	array_fini(&tree->nodes);
	array_fini(&tree->depths);
	array_fini(&tree->frames);
	array_fini(&tree->processes);
}

/* ---- Writing. ---- */

static void add_number(struct bytes *bytes, int64_t number)
{
	char digits[24];
	size_t at = sizeof(digits);
	uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

	do
		digits[--at] = (char)('0' + rest % 10);
	while (rest /= 10);
	if (number < 0)
		digits[--at] = '-';
	bytes_add(bytes, digits + at, sizeof(digits) - at);
}

static void next_number(struct bytes *bytes, bool *begun, int64_t number)
{
	bytes_add_char(bytes, *begun ? ',' : '[');
	*begun = true;
	add_number(bytes, number);
}

void frames_encode(struct frames_encoder *encoder, uint32_t id)
{
	next_number(encoder->bytes, &encoder->begun, (int64_t)id - encoder->last);
	encoder->last = id;
}

void frames_end(struct frames_encoder *encoder)
{
	if (encoder->begun)
		bytes_add_char(encoder->bytes, ']');
}

void paths_encode(struct paths_encoder *encoder, uint32_t parent, uint32_t frame)
{
	if (parent + 1 != encoder->next)
		next_number(encoder->bytes, &encoder->begun, (int64_t)parent - encoder->next);
	next_number(encoder->bytes, &encoder->begun, frame);
	encoder->next++;
}

void paths_end(struct paths_encoder *encoder)
{
	if (encoder->begun)
		bytes_add_char(encoder->bytes, ']');
}

void process_encode(struct bytes *bytes, int64_t pid, uint32_t program)
{
	bytes_add_char(bytes, bytes->size ? ',' : '[');
	if (pid < 0)
		bytes_add_str(bytes, "null");
	else
		add_number(bytes, pid);
	bytes_add_char(bytes, ',');
	add_number(bytes, program);
}

void processes_end(struct bytes *bytes)
{
	if (bytes->size)
		bytes_add_char(bytes, ']');
}

void entries_encode(struct bytes *bytes, const struct entry *entries, uint32_t count,
		    int64_t weight_ns)
{
	uint32_t path = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct entry *entry = &entries[i];
		int64_t nominal;

		if (!i || entry->process != entries[i - 1].process) {
			bytes_add_str(bytes, i ? "],[" : "[[");
			add_number(bytes, entry->process);
			path = 0;
		}
		bytes_add_char(bytes, ',');
		add_number(bytes, entry->path - path);
		path = entry->path;
		if (__builtin_mul_overflow(entry->samples, weight_ns, &nominal) ||
		    nominal != entry->ns) {
			bytes_add_str(bytes, ",[");
			add_number(bytes, entry->samples);
			bytes_add_char(bytes, ',');
			add_number(bytes, entry->ns);
			bytes_add_char(bytes, ']');
		} else if (entry->samples != 1) {
			bytes_add_char(bytes, ',');
			add_number(bytes, -entry->samples);
		}
	}
	if (count)
		bytes_add_str(bytes, "]]");
}

/* ---- Reading. ---- */

enum token { NUMBER, NOTHING, OPEN, CLOSE, END, BAD };

/* JSON of numbers, null and lists, as it is written above: without spaces and fractions. */
struct tokens {
	const char *at, *end;
	int64_t number;
	bool after_value; /* a comma must come before the next value */
};

static enum token read_number(struct tokens *tokens)
{
	bool negative = *tokens->at == '-';
	int64_t number = 0;
	const char *first = tokens->at + negative, *at = first;

	for (; at < tokens->end && *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_sub_overflow(number, *at - '0', &number))
			return BAD;
	/* Counted below 0, where there is one number more. */
	if (at == first || (!negative && number == INT64_MIN))
		return BAD;
	tokens->at = at;
	tokens->number = negative ? number : -number;
	return NUMBER;
}

static enum token next_token(struct tokens *tokens)
{
	static const char null[] = "null";
	enum token token = BAD;

	if (tokens->at == tokens->end)
		return END;
	if (*tokens->at == ']') {
		tokens->at++;
		tokens->after_value = true;
		return CLOSE;
	}
	if (tokens->after_value) {
		if (*tokens->at++ != ',' || tokens->at == tokens->end)
			return BAD;
		tokens->after_value = false;
	}
	if (*tokens->at == '[') {
		tokens->at++;
		return OPEN;
	}
	if (*tokens->at != 'n') {
		token = read_number(tokens);
	} else if ((size_t)(tokens->end - tokens->at) >= sizeof(null) - 1 &&
		   memcmp(tokens->at, null, sizeof(null) - 1) == 0) {
		tokens->at += sizeof(null) - 1;
		token = NOTHING;
	}
	tokens->after_value = true;
	return token;
}

/* Begins a list. Returns whether there is one: no text is no list. */
static bool begin_list(struct tokens *tokens, const char *text, size_t size, int *ret)
{
	*tokens = (struct tokens){ .at = text, .end = size ? text + size : text };
	*ret = 0;
	if (!size)
		return false;
	if (next_token(tokens) == OPEN)
		return true;
	*ret = -EBADMSG;
	return false;
}

/* The next number of the list; false at its end, with *ret 0 when it is the text's end as well. */
static bool next_of_list(struct tokens *tokens, int *ret)
{
	enum token token = next_token(tokens);

	if (token == NUMBER)
		return true;
	*ret = token == CLOSE && next_token(tokens) == END ? 0 : -EBADMSG;
	return false;
}

int frames_decode(struct tree *tree, const char *text, size_t size)
{
	struct tokens tokens;
	int64_t id = 0;
	int r;

	if (!begin_list(&tokens, text, size, &r))
		return r;
	while (next_of_list(&tokens, &r)) {
		uint32_t *added;

		if (__builtin_add_overflow(id, tokens.number, &id) || id < 0 || id > UINT32_MAX)
			return -EBADMSG;
		added = array_push(&tree->frames);
		if (!added)
			return -ENOMEM;
		*added = (uint32_t)id;
	}
	return r;
}

int processes_decode(struct tree *tree, const char *text, size_t size)
{
	struct tokens tokens;
	int r;

	if (!begin_list(&tokens, text, size, &r))
		return r;
	for (;;) {
		struct tree_process process = { .pid = -1 }, *added;
		enum token token = next_token(&tokens);

		if (token == CLOSE)
			return next_token(&tokens) == END ? 0 : -EBADMSG;
		if (token == NUMBER && tokens.number >= 0)
			process.pid = tokens.number;
		else if (token != NOTHING)
			return -EBADMSG;
		if (next_token(&tokens) != NUMBER || tokens.number < 0 ||
		    tokens.number > UINT32_MAX)
			return -EBADMSG;
		process.program = (uint32_t)tokens.number;
		added = array_push(&tree->processes);
		if (!added)
			return -ENOMEM;
		*added = process;
	}
}

static int add_node(struct tree *tree, int64_t distance, int64_t frame)
{
	uint32_t count = tree->nodes.count;
	struct tree_node *node;
	uint16_t *depth;

	if (distance < 1 || distance > count || frame >= tree->frames.count ||
	    tree->depths.at[count - distance] >= STORE_MAX_DEPTH)
		return -EBADMSG;
	node = array_push(&tree->nodes);
	depth = node ? array_push(&tree->depths) : NULL;
	if (!depth)
		return -ENOMEM;
	node->parent = count - (uint32_t)distance;
	node->frame = (uint32_t)frame;
	*depth = tree->depths.at[node->parent] + 1;
	return 0;
}

int paths_decode(struct tree *tree, const char *text, size_t size)
{
	struct tokens tokens;
	int64_t distance = 0; /* that was told for the next node */
	int r, added;

	if (!begin_list(&tokens, text, size, &r))
		return r;
	while (next_of_list(&tokens, &r)) {
		if (tokens.number < 0) {
			if (distance || tokens.number < -(int64_t)UINT32_MAX)
				return -EBADMSG;
			distance = -tokens.number;
			continue;
		}
		added = add_node(tree, distance ? distance : 1, tokens.number);
		if (added < 0)
			return added;
		distance = 0;
	}
	return r == 0 && distance ? -EBADMSG : r;
}

/* Values of one process, after its number. Each is handed on when the next one or the end is met. */
static int decode_group(const struct tree *tree, struct tokens *tokens, struct entry *entry,
			int64_t weight_ns, entry_fn take, void *context)
{
	bool any = false, weighed = false;
	int64_t path = 0;

	for (;;) {
		enum token token = next_token(tokens);
		bool new_path = token == NUMBER && tokens->number >= 0;
		int r;

		if (any && (new_path || token == CLOSE)) {
			r = take(context, entry);
			if (r != 0)
				return r;
		}
		if (token == CLOSE)
			return 0;
		if (new_path) {
			/* The root comes first, where there are stacks without any frame. */
			if ((any && tokens->number == 0) ||
			    __builtin_add_overflow(path, tokens->number, &path) ||
			    path >= tree->nodes.count)
				return -EBADMSG;
			entry->path = (uint32_t)path;
			entry->samples = 1;
			entry->ns = weight_ns;
			any = true;
			weighed = false;
			continue;
		}
		if (!any || weighed)
			return -EBADMSG;
		weighed = true;
		if (token == NUMBER) {
			if (tokens->number == INT64_MIN ||
			    __builtin_mul_overflow(-tokens->number, weight_ns, &entry->ns))
				return -EBADMSG;
			entry->samples = -tokens->number;
			continue;
		}
		if (token != OPEN || next_token(tokens) != NUMBER || tokens->number < 0)
			return -EBADMSG;
		entry->samples = tokens->number;
		if (next_token(tokens) != NUMBER || tokens->number < 0)
			return -EBADMSG;
		entry->ns = tokens->number;
		if (next_token(tokens) != CLOSE)
			return -EBADMSG;
	}
}

int entries_decode(const struct tree *tree, const char *text, size_t size, int64_t weight_ns,
		   entry_fn take, void *context)
{
	struct tokens tokens;
	int r;

	if (weight_ns < 0)
		return -EBADMSG;
	if (!begin_list(&tokens, text, size, &r))
		return r;
	for (;;) {
		struct entry entry = {};
		enum token token = next_token(&tokens);

		if (token == CLOSE)
			return next_token(&tokens) == END ? 0 : -EBADMSG;
		if (token != OPEN || next_token(&tokens) != NUMBER || tokens.number < 0 ||
		    tokens.number >= tree->processes.count)
			return -EBADMSG;
		entry.process = (uint32_t)tokens.number;
		r = decode_group(tree, &tokens, &entry, weight_ns, take, context);
		if (r != 0)
			return r;
	}
}

int inlined_decode(struct inlined *ret, const char *text, size_t size)
{
	struct tokens tokens;
	int r;

	if (!begin_list(&tokens, text, size, &r))
		return r;
	while (next_of_list(&tokens, &r)) {
		uint32_t *added;

		if (tokens.number < 0 || tokens.number > UINT32_MAX ||
		    ret->numbers.count >= 2 * INLINED_MAX)
			return -EBADMSG;
		added = array_push(&ret->numbers);
		if (!added)
			return -ENOMEM;
		*added = (uint32_t)tokens.number;
	}
	return r == 0 && ret->numbers.count % 2 ? -EBADMSG : r;
}
