/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that one process has another one fill, and that nobody can change any more once it is
 * looked at: memfd_create(2) with file seals (fcntl(2), "File Sealing").
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Empty memory, not sealed yet. Returns a descriptor or a negative errno. */
int sealed_new(void);
/* Sealed memory with these bytes. Returns a descriptor or a negative errno. */
int sealed_make(const void *data, size_t size);
/*
 * Seals what somebody not to be trusted may have filled, and maps it for reading. fd: stays the
 * caller's; limit: of its size. *ret is NULL when it is empty. Returns 0, -EBADMSG when it cannot be
 * sealed against every change, -EFBIG, or another negative errno. Unmap with sealed_unmap.
 */
int sealed_map(const unsigned char **ret, size_t *ret_size, int fd, size_t limit);
void sealed_unmap(const unsigned char *at, size_t size);
