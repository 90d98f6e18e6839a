/* SPDX-License-Identifier: Apache-2.0 */
/* Functions as a table, the heaviest first: what they used themselves, and with what they called. */
#pragma once

#include "output/page.h"

enum function_order {
	FUNCTIONS_BY_SELF, /* with a running total */
	FUNCTIONS_BY_TOTAL,
	FUNCTIONS_BY_NAME,
};

struct function_table {
	enum function_order order;
	uint32_t limit;	 /* rows; 0: all */
	double smallest; /* shares (of self, or else total) below it are summed up in one line */
	bool has_places; /* file and line, where there is room */
};

/*
 * The functions that a table shows, in its order, as ids into tree->frames: all of *ret_count, of
 * which the first *ret_shown are to be shown. *ret is malloc'ed. Returns 0 or -ENOMEM.
 */
int function_table_rows(const struct call_tree *tree, const struct function_table *table,
			uint32_t **ret, uint32_t *ret_count, uint32_t *ret_shown);
/* Adds an empty line and the table. Returns 0 or -ENOMEM. */
int function_table_add(struct page *page, const struct function_table *table);
