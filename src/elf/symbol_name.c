// SPDX-License-Identifier: Apache-2.0
/* The order is total: the same names give the same answer in whatever order they are compared. */
#include "elf/symbol_name.h"

#include <string.h>

bool symbol_name_preferred(const char *a, enum symbol_binding a_binding, const char *b,
			   enum symbol_binding b_binding)
{
	size_t a_under = strspn(a, "_"), b_under = strspn(b, "_");
	size_t a_size = strlen(a), b_size = strlen(b);

	if ((a_binding == SYMBOL_LOCAL) != (b_binding == SYMBOL_LOCAL))
		return b_binding == SYMBOL_LOCAL;
	if (a_under != b_under)
		return a_under < b_under;
	if (a_binding != b_binding)
		return a_binding > b_binding;
	if (a_size != b_size)
		return a_size < b_size;
	return strcmp(a, b) < 0;
}
