/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which files a process may still reach, where the kernel has Landlock
 * (Documentation/userspace-api/landlock.rst). For good and for what is started, too.
 * PR_SET_NO_NEW_PRIVS is the caller's to set before.
 */
#pragma once

#include <linux/landlock.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the first version knows, 13 rights; later ones add REFER, which is denied anyway, and TRUNCATE. */
#define LANDLOCK_ALL_OF_VERSION_1 ((1ULL << 13) - 1)
/* linux/landlock.h of old systems has not got these. */
#define LANDLOCK_TRUNCATE (1ULL << 14) /* LANDLOCK_ACCESS_FS_TRUNCATE, since version 3 */
#define LANDLOCK_SIGNALS (1ULL << 1)   /* LANDLOCK_SCOPE_SIGNAL, since version 6 */

/* A file, or a folder with all below it. */
struct landlock_place {
	const char *path;
	uint64_t access; /* LANDLOCK_ACCESS_FS_…, what stays; of a file without rights of folders */
	bool is_optional; /* not an error if it cannot be opened: then nothing of it stays */
};

/* The kernel's version, from 1 on; 0: it has none, or it is turned off. Else a negative errno. */
int landlock_version(void);
/*
 * Takes the rights to files, and the scopes (LANDLOCK_SIGNALS), which the kernel's version must know,
 * from this thread, but for what `places` keep. Returns 0 or a negative errno.
 */
int landlock_keep(uint64_t files, uint64_t scopes, const struct landlock_place *places,
		  size_t count);
