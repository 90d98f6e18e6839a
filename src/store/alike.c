// SPDX-License-Identifier: Apache-2.0
#include "store/alike.h"

#include <string.h>

#include "store/database.h"

/* About 100 MB; frames beyond stand for themselves. */
enum { MAX_FRAMES = 2 << 20 };

void alike_fini(struct alike *alike)
{
	array_fini(&alike->firsts);
	hash_index_fini(&alike->by_content);
	hash_index_fini(&alike->by_id);
}

static bool is_alike(const void *context, uint32_t position, const void *key_)
{
	const struct alike_frame *a = &((const struct alike *)context)->firsts.at[position];
	const struct alike_frame *key = key_;

	return a->binary == key->binary && a->function == key->function && a->line == key->line &&
	       a->inlined == key->inlined;
}

static int add(struct alike *alike, const struct alike_frame *frame)
{
	uint64_t hash = hash_pair((uint64_t)frame->binary << 32 | frame->function,
				  hash_pair(frame->line, frame->inlined));
	uint32_t first = hash_index_find(&alike->by_content, hash, is_alike, alike, frame);
	struct alike_frame *added;

	if (first != HASH_ABSENT)
		return hash_index_add(&alike->by_id, hash_u64(frame->id),
				      alike->firsts.at[first].id);
	if (hash_index_add(&alike->by_content, hash, alike->firsts.count) < 0)
		return -1;
	added = array_push(&alike->firsts);
	if (!added)
		return -1;
	*added = *frame;
	return 0;
}

int alike_read(struct alike *alike, sqlite3 *db)
{
	cleanup(statement) sqlite3_stmt *row = NULL;
	/* What has no name of its own is told apart by its address. */
	int result =
		sqlite3_prepare_v2(db,
				   "SELECT id, binary, function, line, inlined FROM frame"
				   " WHERE named AND function IS NOT NULL ORDER BY id LIMIT ?1",
				   -1, &row, NULL);

	if (result != SQLITE_OK)
		return result;
	(void)sqlite3_bind_int64(row, 1, MAX_FRAMES);
	while ((result = sqlite3_step(row)) == SQLITE_ROW) {
		const char *inlined = column_text(row, 4);
		struct alike_frame frame = {
			.id = (uint32_t)sqlite3_column_int64(row, 0),
			.binary = (uint32_t)sqlite3_column_int64(row, 1),
			.function = (uint32_t)sqlite3_column_int64(row, 2),
			.line = (uint32_t)sqlite3_column_int64(row, 3),
			.inlined = *inlined ? hash_bytes(inlined, strlen(inlined)) : 0,
		};

		if (add(alike, &frame) < 0)
			return SQLITE_NOMEM;
	}
	return result == SQLITE_DONE ? SQLITE_OK : result;
}
