/* SPDX-License-Identifier: Apache-2.0 */
/* Removes the names of what no segment holds any more. */
#pragma once

#include <sqlite3.h>

/*
 * Within a transaction that writes, so that nobody takes into use meanwhile what is removed.
 * Returns a result of SQLite; SQLITE_CORRUPT also for lists that are none.
 */
int sweep_run(sqlite3 *db);
