/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file that a process has mapped, or had mapped a moment ago. By now other code may lie at the
 * addresses and another file may have the name: what is opened is the file that the kernel told of,
 * or nothing.
 */
#pragma once

#include <sys/types.h>

#include "worker/protocol.h"

/*
 * path: of the mapping, as the process sees it. *whose: in whose root the file was found, the process
 * itself or an ancestor; only it knows where the file's debug files are.
 * Returns a descriptor or a negative errno (-ENOENT: the file, or what it held when it was mapped,
 * is not to be had any more).
 */
int mapped_file_open(const struct wire_open_mapping *mapping, const char *path, pid_t *whose);
