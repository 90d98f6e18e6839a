/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libdebuginfod, which asks the servers of DEBUGINFOD_URLS, keeps what came in its cache and tidies
 * that up. It is loaded when it is asked for: with libcurl it brings some thirty libraries, which
 * nobody else needs.
 */
#pragma once

#include <stdbool.h>

/* Whether this build knows it; and why it cannot be used here, a borrowed text, or NULL: it can. */
bool library_is_built_in(void);
const char *library_trouble(void);

/* done, total: bytes, total 0 when it is not known. Called every second at least. false: give up. */
typedef bool (*library_progress_fn)(long done, long total);

/*
 * The debug file of a build ID (lower-case hex). Returns a descriptor or a negative errno (-ENOENT: no
 * server has it). from_cache: nothing was downloaded for it.
 */
int library_find(const char *build_id, library_progress_fn progress, bool *from_cache);
