/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the history; what they mean is in profd-history(5). */
#pragma once

/* In the file's user_version. A file with a higher one is left alone. */
enum { STORE_VERSION = 1 };

/* "prfd": tells our files from others' (pragma application_id). */
enum { STORE_APPLICATION_ID = 0x70726664 };

/* A slice's rowid is its segment's id, shifted, and its number there. */
enum { SLICE_BITS = 20, SLICES_MAX = 1 << SLICE_BITS };

extern const char schema_tables[], schema_views[];
