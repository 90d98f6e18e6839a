/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that one process hands to another and nobody can change any more: memfd_create(2) with
 * file seals (fcntl(2), "File Sealing").
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* A sealed memfd with these bytes. Returns the descriptor or a negative errno. */
int sealed_make(const void *data, size_t size);
/*
 * Maps sealed memory for reading. fd: from somebody not to be trusted, stays the caller's; limit:
 * of its size. *ret is NULL when it is empty. Returns 0, -EBADMSG when it is not sealed against
 * every change, -EFBIG, or another negative errno. Unmap with sealed_unmap.
 */
int sealed_map(const unsigned char **ret, size_t *ret_size, int fd, size_t limit);
void sealed_unmap(const unsigned char *at, size_t size);
