/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the process that downloads gives up before it talks to anybody. It needs the network, and to
 * read what resolvers and TLS are set up with, so this is less than what the readers give up.
 */
#pragma once

#include <stdint.h>

/*
 * For good: capabilities, starting programs, looking into other processes and signalling them; and,
 * where the kernel has Landlock, writing outside of one folder. No file becomes larger than that.
 * Returns 0 or a negative errno: then do not go on.
 */
int confine(const char *writable_folder, uint64_t file_bytes);
