// SPDX-License-Identifier: Apache-2.0
#include "store/deploys.h"

#include <stdio.h>
#include <string.h>

int book_init(struct book *book)
{
	*book = (struct book){};
	return strtab_init(&book->strings);
}

void book_fini(struct book *book)
{
	for (uint32_t i = 0; i < book->deploys.count; i++)
		array_fini(&book->deploys.at[i].changes);
	array_fini(&book->deploys);
	array_fini(&book->builds);
	array_fini(&book->gone_builds);
	array_fini(&book->gone_deploys);
	strtab_fini(&book->strings);
}

int book_add_program(struct book *book, uint32_t *ret, uint32_t unit, uint32_t exe)
{
	const char *path = book_text(book, exe), *slash = strrchr(path, '/');
	char name[BOOK_MAX_TEXT + 1];

	if (!unit || !slash || !slash[1]) {
		*ret = exe;
		return 0;
	}
	/* A string of the book would move while it grows. */
	snprintf(name, sizeof(name), "%s", slash + 1);
	return strtab_add_str(&book->strings, ret, name);
}
