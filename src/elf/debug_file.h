/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the symbols of a stripped object are: in a separate debug file, or packed inside itself.
 * Where separate ones may lie is told by elf/debug_paths.h.
 */
#pragma once

#include "elf/object.h"
#include "elf/sections.h"

/*
 * Reads .gnu_debuglink into object->debug_link and debug_checksum; what makes no sense in it is left
 * out. Returns 0 (also without one) or a negative errno.
 */
int debug_link_read(struct object *object);
/*
 * Whether the file open as `fd` is the object's debug file: it must carry the object's build ID;
 * for an object without one, the checksum of .gnu_debuglink must be right.
 * Returns 0, -ENOENT when it is not, or another negative errno.
 */
int debug_file_belongs(const struct object *object, int fd);
/* Whether a file's sections have this build ID. Returns 0, -ENOENT or another negative errno. */
int debug_file_has_build_id(int fd, const uint8_t *wanted, uint32_t wanted_size);
/*
 * The first of the files that is the object's debug file, taken out of the list (-1 stands there
 * then). Returns its descriptor or -ENOENT.
 */
int debug_file_take(const struct object *object, int *files, unsigned count);
/*
 * The small ELF file inside .gnu_debugdata ("MiniDebugInfo": xz-compressed, function symbols that
 * are not in .dynsym), unpacked into a memfd. sections: of the object. Returns a descriptor to be
 * closed with debug_file_close_unpacked, -ENOENT when there is none, -EBADMSG when it cannot be
 * unpacked, -EFBIG past the limit, -ENOMEM also when all that are open are too large together, or
 * another negative errno.
 */
int debug_file_unpack(const struct object *object, const struct section_table *sections);
void debug_file_close_unpacked(int fd);
