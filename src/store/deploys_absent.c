// SPDX-License-Identifier: Apache-2.0
/* In the place of deploys.c where profd is built without the history: nothing can be opened then. */
#include "store/deploys.h"

int book_lock(int *ret_fd, const char *folder, struct bytes *why)
{
	(void)ret_fd;
	(void)folder;
	bytes_add_str(why, "this profd was built without the history (SQLite)");
	return STORE_ABSENT;
}

int book_read(struct book *book, struct store_reader *reader)
{
	(void)book;
	(void)reader;
	return STORE_ABSENT;
}

int book_write(struct book *book, const char *folder, struct bytes *why)
{
	(void)book;
	(void)folder;
	bytes_add_str(why, "this profd was built without the history (SQLite)");
	return STORE_ABSENT;
}
