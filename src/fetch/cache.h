/* SPDX-License-Identifier: Apache-2.0 */
/* The folder in which libdebuginfod keeps what it has downloaded. */
#pragma once

#include "base/bytes.h"

/*
 * Its path, as libdebuginfod finds it (debuginfod_find_debuginfo(3), "CACHE"):
 * DEBUGINFOD_CACHE_PATH, an old ~/.debuginfod_client_cache, or debuginfod_client in XDG_CACHE_HOME or
 * ~/.cache. Returns 0, -ENOENT when no variable tells of any, or -ENOMEM.
 */
int cache_path(struct bytes *ret);
/*
 * Forgets that no server has a debug file: libdebuginfod keeps an empty one for that, also (0.188) when
 * it was told to give up.
 */
void cache_forget_absence(const char *path, const char *build_id);
/* Makes the folder and those above it where they are missing, for the user only. 0 or -errno. */
int cache_make(const char *path);
