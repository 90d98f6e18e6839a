// SPDX-License-Identifier: Apache-2.0
#include "profile/order.h"

#include <endian.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

struct texts {
	char **at;
	size_t *sizes;
	uint32_t count;
};

/* As freeze.c reads them. */
static void read_texts(const void *context, struct order_entry *entries, uint32_t count,
		       uint32_t depth)
{
	const struct texts *texts = context;

	for (uint32_t i = 0; i < count; i++) {
		const char *text = texts->at[entries[i].position];
		size_t size = texts->sizes[entries[i].position], begin = 8 * (size_t)depth;
		uint64_t key = 0;

		if (size > begin)
			memcpy(&key, text + begin, size - begin < 8 ? size - begin : 8);
		entries[i].key = be64toh(key);
	}
}

static void assert_sorted(const struct texts *texts)
{
	uint32_t *order = malloc((texts->count + 1) * sizeof(*order));
	bool *seen = calloc(texts->count + 1, sizeof(*seen));

	assert_true(order && seen);
	for (uint32_t i = 0; i < texts->count; i++)
		order[i] = i;
	assert_ok(order_sort(order, texts->count, read_texts, texts));
	for (uint32_t i = 0; i < texts->count; i++) {
		assert_true(order[i] < texts->count && !seen[order[i]]);
		seen[order[i]] = true;
		if (i)
			assert_true(strcmp(texts->at[order[i - 1]], texts->at[order[i]]) <= 0);
	}
	free(order);
	free(seen);
}

static void make_texts(struct texts *texts, uint32_t room)
{
	*texts = (struct texts){ calloc(room, sizeof(char *)), calloc(room, sizeof(size_t)), 0 };
	assert_true(texts->at && texts->sizes);
}

/* Adds a text of x. Returns it, owned by the texts. */
static char *add_text(struct texts *texts, size_t size)
{
	char *text = malloc(size + 1);

	assert_non_null(text);
	memset(text, 'x', size);
	text[size] = '\0';
	texts->at[texts->count] = text;
	texts->sizes[texts->count++] = size;
	return text;
}

static void free_texts(struct texts *texts)
{
	for (uint32_t i = 0; i < texts->count; i++)
		free(texts->at[i]);
	free(texts->at);
	free(texts->sizes);
}

/* Of few letters, also those beyond ASCII, so that they begin alike; of every number up to many. */
static void texts_are_sorted_as_strcmp_does(void **state)
{
	struct texts texts;

	(void)state;
	make_texts(&texts, 3000);
	srand(3);
	while (texts.count < 3000) {
		size_t size = (size_t)rand() % 40;
		char *text = add_text(&texts, size);

		for (size_t i = 0; i < size; i++)
			text[i] = "a\xff"[rand() % 29 == 0];
		if (texts.count < 50 || texts.count % 500 == 0)
			assert_sorted(&texts);
	}
	free_texts(&texts);
}

/* Each begins as all that are shorter: as deep as that goes, the stack must not. */
static void any_depth_is_sorted(void **state)
{
	struct texts texts;

	(void)state;
	make_texts(&texts, 3000);
	while (texts.count < 3000)
		add_text(&texts, 8 * (size_t)texts.count);
	assert_sorted(&texts);
	free_texts(&texts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_sorted_as_strcmp_does),
		cmocka_unit_test(any_depth_is_sorted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
