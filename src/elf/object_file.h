/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading an object's headers.
 *
 * Everything is read with pread from the descriptor, never through a mapping of the file: a file
 * that is truncated while it is read gives an error, not SIGBUS. All of a file is hostile input.
 */
#pragma once

#include "elf/object.h"

/*
 * What the file open as `fd` is, by fstat. Returns 0, OBJECT_NOT_ELF when it is no regular file, or
 * a negative errno.
 */
int object_identify(struct object_identity *ret, int fd);
/*
 * Reads the headers of the file open as `fd`, which the object then owns (closed on failure).
 * path: see object_new. Returns 0, an object_outcome, or a negative errno.
 */
int object_open(struct object **ret, int fd, const char *path);
/* The vdso of this very process (elf/vdso.h) as an object. */
int object_open_vdso(struct object **ret);
