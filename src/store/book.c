// SPDX-License-Identifier: Apache-2.0
#include "store/deploys.h"

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
