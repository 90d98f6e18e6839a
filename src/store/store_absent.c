// SPDX-License-Identifier: Apache-2.0
/* In the place of all others where profd is built without the history. */
#include "store/reader.h"
#include "store/store.h"
#include "store/tidy.h"

static int refuse(struct bytes *why)
{
	bytes_add_str(why, "this profd was built without the history (SQLite)");
	return STORE_ABSENT;
}

int store_open(struct store **ret, const struct store_options *options, struct bytes *why)
{
	(void)ret;
	(void)options;
	return refuse(why);
}

int store_add_window(struct store *store, const struct profile *window,
		     const struct store_health *health, struct bytes *why)
{
	(void)store;
	(void)window;
	(void)health;
	return refuse(why);
}

uint64_t store_bytes(const struct store *store)
{
	(void)store;
	return 0;
}

void store_close(struct store *store)
{
	(void)store;
}

int store_tidy(const struct store_options *options, int64_t now_ns, struct bytes *why)
{
	(void)options;
	(void)now_ns;
	return refuse(why);
}

int store_reader_open(struct store_reader **ret, const char *folder, struct bytes *why)
{
	(void)ret;
	(void)folder;
	return refuse(why);
}

void store_reader_close(struct store_reader *reader)
{
	(void)reader;
}

const char *store_reader_why(const struct store_reader *reader)
{
	(void)reader;
	return "";
}

int store_read(struct store_reader *reader, const struct store_query *query, struct profile **ret,
	       struct store_answer *answer)
{
	(void)reader;
	(void)query;
	(void)ret;
	(void)answer;
	return STORE_ABSENT;
}

int store_read_steps(struct store_reader *reader, const struct store_query *query, int64_t step_ns,
		     store_profile_fn each, void *context)
{
	(void)reader;
	(void)query;
	(void)step_ns;
	(void)each;
	(void)context;
	return STORE_ABSENT;
}

int store_list(struct store_reader *reader, const struct store_query *query, enum store_key key,
	       struct store_rows *ret, struct store_answer *answer)
{
	(void)reader;
	(void)query;
	(void)key;
	(void)ret;
	(void)answer;
	return STORE_ABSENT;
}

void store_rows_fini(struct store_rows *rows)
{
	array_fini(&rows->rows);
	strtab_fini(&rows->strings);
}

int store_extent(struct store_reader *reader, int64_t *ret_from_ns, int64_t *ret_until_ns)
{
	(void)reader;
	(void)ret_from_ns;
	(void)ret_until_ns;
	return STORE_ABSENT;
}
