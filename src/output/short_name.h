/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of functions cut to the room there is, keeping what tells them apart: of a C++, Rust, Go or
 * Java name that is its end, behind parameters and arguments of templates.
 *
 * flamegraph/names.js does the same; the browser's test compares the two.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

/*
 * Adds clean text (escape.h) of at most `columns`. The first of these that fits: the name; without
 * parameters; without what templates were given; its last parts behind an ellipsis; the beginning
 * of its last part. Returns the columns used.
 */
size_t short_name_add(struct bytes *bytes, const char *name, size_t columns);

/* Whether `shown` is one of the forms of a name that short_name_add makes, but for those cut in a part. */
bool short_name_is(const char *name, const char *shown);
