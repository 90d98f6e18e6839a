// SPDX-License-Identifier: Apache-2.0
/*
 * The writer. One transaction per window; whatever goes wrong in it is undone, and then nothing is
 * remembered of the segment either: the next window begins another one.
 */
#include "store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/database.h"
#include "store/folder.h"
#include "store/schema.h"
#include "store/window.h"

enum { CACHE_BYTES = 1 << 20 };

enum { BEGIN, COMMIT, ROLLBACK, ADD_SEGMENT, EXTEND_SEGMENT, ADD_SLICE, STATEMENTS };

static const char *const texts[STATEMENTS] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[ADD_SEGMENT] =
		"INSERT INTO segment (level, begin_ns, until_ns, recorded_ns, cpu_ns, thin_ns)"
		" VALUES (0, ?1, ?1, 0, 0, 0)",
	[EXTEND_SEGMENT] = "UPDATE segment SET until_ns = max(until_ns, ?2),"
			   " recorded_ns = recorded_ns + ?3, cpu_ns = cpu_ns + ?4 WHERE id = ?1",
	[ADD_SLICE] =
		"INSERT INTO slice VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,"
		" ?14, ?15, NULL)",
};

struct store {
	char *folder, *path, *group;
	struct store_options options; /* with our texts */
	int lock;
	sqlite3 *db; /* NULL: it was closed because it is damaged, and could not be opened anew */
	sqlite3_stmt *statements[STATEMENTS];
	dev_t device; /* of the file that is open */
	ino_t inode;
	struct symbols symbols;
	struct segment segment;
};

static void disconnect(struct store *store)
{
	segment_fini(&store->segment);
	symbols_fini(&store->symbols);
	for (size_t i = 0; i < STATEMENTS; i++) {
		(void)sqlite3_finalize(store->statements[i]);
		store->statements[i] = NULL;
	}
	(void)sqlite3_close_v2(store->db);
	store->db = NULL;
}

/* All at once, as others may be reading them. */
static int make_views(sqlite3 *db)
{
	int result = database_exec(db, "BEGIN IMMEDIATE");

	if (result != SQLITE_OK)
		return result;
	result = database_exec(db, schema_views);
	if (result == SQLITE_OK)
		return database_exec(db, "COMMIT");
	(void)database_exec(db, "ROLLBACK");
	return result;
}

static int connect_once(struct store *store, struct bytes *why)
{
	size_t before = why->size;
	int result = SQLITE_OK;
	struct stat status;
	int r = database_open(&store->db, store->folder, DATABASE_WRITE, CACHE_BYTES, why);

	/* Made by folder_make just now, or by one who died before it had tables. */
	if (r == STORE_MISSING) {
		why->size = before;
		r = database_create(store->folder, why);
		if (r == 0)
			r = database_open(&store->db, store->folder, DATABASE_WRITE, CACHE_BYTES,
					  why);
	}
	if (r != 0)
		return r;
	if (stat(store->path, &status) == 0) {
		store->device = status.st_dev;
		store->inode = status.st_ino;
	}
	for (size_t i = 0; result == SQLITE_OK && i < STATEMENTS; i++)
		result = database_prepare(store->db, &store->statements[i], texts[i]);
	/* Those of this version, whatever an earlier one had. */
	if (result == SQLITE_OK)
		result = make_views(store->db);
	if (result == SQLITE_OK)
		result = symbols_init(&store->symbols, store->db);
	return database_result(store->db, result, store->path, why);
}

/* Opens; a damaged file is set aside first. Returns as store_open. */
static int connect_anyhow(struct store *store, bool is_damaged, struct bytes *why)
{
	int r = 0;

	if (!is_damaged && folder_is_marked_damaged(store->folder)) {
		bytes_add_format(why, "history %s: the file is damaged", store->path);
		is_damaged = true;
	}
	if (!is_damaged) {
		r = folder_make(&store->options, why);
		if (r == 0)
			r = connect_once(store, why);
		if (r != STORE_DAMAGED)
			return r;
	}
	disconnect(store);
	r = folder_set_aside(store->folder, why);
	if (r == 0)
		r = folder_make(&store->options, why);
	if (r == 0)
		r = connect_once(store, why);
	return r == 0 ? STORE_SET_ASIDE : r == STORE_DAMAGED ? -EIO : r;
}

static int make(struct store **ret, const struct store_options *options)
{
	cleanup(store_close) struct store *store = calloc(1, sizeof(*store));

	if (!store)
		return -ENOMEM;
	store->lock = -1;
	store->folder = strdup(options->folder ? options->folder : STORE_DEFAULT_FOLDER);
	store->group = options->group ? strdup(options->group) : NULL;
	if (!store->folder || (options->group && !store->group) ||
	    asprintf(&store->path, "%s/" STORE_FILE, store->folder) < 0)
		return -ENOMEM;
	store->options = *options;
	store->options.folder = store->folder;
	store->options.group = store->group;
	*ret = TAKE_PTR(store);
	return 0;
}

int store_open(struct store **ret, const struct store_options *options, struct bytes *why)
{
	cleanup(store_close) struct store *store = NULL;
	int r = make(&store, options);

	if (r == 0)
		r = folder_make(&store->options, why);
	if (r == 0)
		r = folder_lock(&store->lock, store->folder, STORE_LOCK, why);
	if (r == STORE_BUSY)
		bytes_add_str(why, ": only one may write");
	if (r == 0)
		r = connect_anyhow(store, false, why);
	if (r == 0 || r == STORE_SET_ASIDE)
		*ret = TAKE_PTR(store);
	return r;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	disconnect(store);
	if (store->lock >= 0)
		(void)close(store->lock);
	free(store->folder);
	free(store->path);
	free(store->group);
	free(store);
}

uint64_t store_bytes(const struct store *store)
{
	return folder_bytes(store->folder);
}

static bool is_window(const struct profile *window)
{
	const struct profile_meta *meta = &window->meta;
	int64_t until;

	return window->types.count == 2 &&
	       strcmp(profile_text(window, window->types.at[0].name), "samples") == 0 &&
	       strcmp(profile_text(window, window->types.at[1].name), "cpu") == 0 &&
	       strcmp(profile_text(window, window->types.at[1].unit), "nanoseconds") == 0 &&
	       meta->period > 0 && meta->duration_ns > 0 &&
	       !__builtin_add_overflow(meta->time_ns, meta->duration_ns, &until);
}

static int begin_segment(struct store *store, int64_t begin_ns)
{
	sqlite3_stmt *statement = store->statements[ADD_SEGMENT];
	int result;

	(void)sqlite3_bind_int64(statement, 1, begin_ns);
	result = statement_run(statement);
	if (result != SQLITE_OK)
		return result;
	return segment_begin(&store->segment, sqlite3_last_insert_rowid(store->db), begin_ns) < 0
		       ? SQLITE_NOMEM
		       : SQLITE_OK;
}

static int insert(struct store *store, const struct profile_meta *meta, const struct slice *slice,
		  const struct store_health *health)
{
	const struct bytes *lists[] = { &slice->frames, &slice->processes, &slice->paths,
					&slice->entries };
	struct segment *segment = &store->segment;
	int64_t numbers[] = {
		segment->id << SLICE_BITS | segment->slices,
		meta->time_ns,
		meta->duration_ns,
		meta->period,
		slice->samples,
		slice->cpu_ns,
		health ? (int64_t)health->lost : 0,
		health ? health->cpus : 0,
		slice->first_frame,
		slice->first_process,
		slice->first_path,
	};
	int64_t extent[] = { segment->id, meta->time_ns + meta->duration_ns, meta->duration_ns,
			     slice->cpu_ns };
	int result;

	for (int i = 0; i < (int)ARRAY_SIZE(numbers); i++)
		(void)sqlite3_bind_int64(store->statements[ADD_SLICE], 1 + i, numbers[i]);
	for (int i = 0; i < (int)ARRAY_SIZE(lists); i++)
		bind_bytes(store->statements[ADD_SLICE], 1 + (int)ARRAY_SIZE(numbers) + i,
			   lists[i]);
	result = statement_run(store->statements[ADD_SLICE]);
	if (result != SQLITE_OK)
		return result;
	for (int i = 0; i < (int)ARRAY_SIZE(extent); i++)
		(void)sqlite3_bind_int64(store->statements[EXTEND_SEGMENT], 1 + i, extent[i]);
	return statement_run(store->statements[EXTEND_SEGMENT]);
}

/* Within a transaction. Returns a result of SQLite. */
static int write_window(struct store *store, const struct profile *window,
			const struct store_health *health)
{
	cleanup(slice_fini) struct slice slice = {};
	int result = SQLITE_OK;

	if (segment_is_over(&store->segment, window->meta.time_ns))
		result = begin_segment(store, window->meta.time_ns);
	if (result == SQLITE_OK)
		result = window_to_slice(&slice, &store->segment, &store->symbols, window);
	if (result < 0)
		return result == -ENOMEM ? SQLITE_NOMEM : SQLITE_MISMATCH;
	if (result == SQLITE_OK)
		result = insert(store, &window->meta, &slice, health);
	if (result == SQLITE_OK) {
		store->segment.slices++;
		store->segment.last_begin_ns = window->meta.time_ns;
	}
	return result;
}

static int try_window(struct store *store, const struct profile *window,
		      const struct store_health *health, struct bytes *why)
{
	int result = statement_run(store->statements[BEGIN]), r;

	if (result == SQLITE_OK)
		result = write_window(store, window, health);
	if (result == SQLITE_OK)
		result = statement_run(store->statements[COMMIT]);
	if (result == SQLITE_OK)
		return 0;
	segment_fini(&store->segment);
	r = database_result(store->db, result, store->path, why);
	/* Some failures have undone it already. */
	if (!sqlite3_get_autocommit(store->db))
		(void)statement_run(store->statements[ROLLBACK]);
	return r;
}

/* Whether the file that is open is the one of that name: somebody may have removed it. */
static bool is_there(const struct store *store)
{
	struct stat status;

	return stat(store->path, &status) == 0 && status.st_dev == store->device &&
	       status.st_ino == store->inode;
}

int store_add_window(struct store *store, const struct profile *window,
		     const struct store_health *health, struct bytes *why)
{
	bool is_damaged = false, was_removed = false;
	int opened = 0, r;

	if (!is_window(window)) {
		bytes_add_str(why, "history: no window: types, times or period are not as agreed");
		return -EINVAL;
	}
	if (store->db && !is_there(store)) {
		bytes_add_format(why, "history %s: the file was removed; a new one was begun",
				 store->path);
		disconnect(store);
		was_removed = true;
	}
	if (store->db && folder_is_marked_damaged(store->folder)) {
		bytes_add_format(why, "history %s: the file is damaged", store->path);
		is_damaged = true;
	} else if (store->db) {
		r = try_window(store, window, health, why);
		if (r != STORE_DAMAGED)
			return r;
		is_damaged = true;
	}
	opened = connect_anyhow(store, is_damaged, why);
	if (opened != 0 && opened != STORE_SET_ASIDE) {
		disconnect(store);
		return opened < 0 ? opened : -EIO;
	}
	if (was_removed)
		opened = STORE_SET_ASIDE;
	r = try_window(store, window, health, why);
	return r < 0 ? r : r == STORE_DAMAGED ? -EIO : opened;
}
