/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of types of values, out of files that may call them anything. They are words in most formats:
 * those that differ only in what is none are one, or files of those formats would have two of one name.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { TYPE_NAME_BYTES = 80 };

/* Puts `size` bytes, without what does not show, into `ret`; what does not fit is cut off. */
void type_name_clean(char ret[TYPE_NAME_BYTES + 1], const char *text, size_t size);
/* Whether clean names are one. */
bool type_name_equal(const char *a, const char *b);
