/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames that say the same: of one binary, with the same function, line and inlined functions. Each
 * is stood for by the first row of them that there is.
 */
#pragma once

#include <sqlite3.h>
#include <stdint.h>

#include "base/array.h"
#include "base/hash.h"

struct alike_frame {
	uint32_t id, binary, function, line;
	uint64_t inlined; /* hash of the text */
};

struct alike {
	ARRAY_OF(struct alike_frame) firsts;
	struct hash_index by_content; /* position in firsts */
	struct hash_index
		by_id; /* row → row of the first one; those that stand for themselves are not in it */
};

/* Reads all rows. Returns a result of SQLite. */
int alike_read(struct alike *alike, sqlite3 *db);
void alike_fini(struct alike *alike);
static inline void alike_fini_cleanup(struct alike *alike)
{
	alike_fini(alike);
}
/* The row that stands for a row. */
static inline uint32_t alike_first(const struct alike *alike, uint32_t id)
{
	uint32_t first = hash_index_find(&alike->by_id, hash_u64(id), NULL, NULL, NULL);

	return first == HASH_ABSENT ? id : first;
}
