/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of the history: who may read it, who writes it, and what becomes of a damaged file. */
#pragma once

#include "base/bytes.h"
#include "store/store.h"

/*
 * Makes the folder (0750) when it is not there, and an empty file (0640) for what readers may read.
 * Returns 0 or -errno, with *why.
 */
int folder_make(const struct store_options *options, struct bytes *why);
/*
 * Locks FOLDER/`name` as long as *ret_fd is open, and writes our pid into it. Returns 0;
 * STORE_BUSY, with a *why that names the other one's pid; or -errno, with *why.
 */
int folder_lock(int *ret_fd, const char *folder, const char *name, struct bytes *why);
/*
 * Renames the history to history.db.damaged-DATE (and its -wal with it): *why says so. Of those at
 * most three are kept, the oldest goes. Returns 0 or -errno.
 */
int folder_set_aside(const char *folder, struct bytes *why);
/* Whether a reader has found it damaged; the mark is removed by folder_set_aside. */
bool folder_is_marked_damaged(const char *folder);
void folder_mark_damaged(const char *folder);
/* Bytes on disk: the file and what was not merged into it yet. */
uint64_t folder_bytes(const char *folder);
