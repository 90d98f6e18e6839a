/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the symbols of a stripped object are: in a separate debug file, or packed inside itself.
 *
 * Only files on this machine are looked at. Nothing is ever asked over the network.
 */
#pragma once

#include "elf/object.h"
#include "elf/sections.h"

/*
 * The separate debug file of an object, below object->root while that is alive, then below our own
 * root: by build ID in /usr/lib/debug/.build-id, then by .gnu_debuglink beside the object, in
 * .debug/ and below /usr/lib/debug. It must carry the object's build ID; without one, the
 * checksum of .gnu_debuglink must be right.
 * sections: of the object. Returns a descriptor, -ENOENT, or another negative errno.
 */
int debug_file_open(const struct object *object, const struct section_table *sections);
/*
 * The small ELF file inside .gnu_debugdata ("MiniDebugInfo": xz-compressed, function symbols that
 * are not in .dynsym), unpacked into a memfd. Returns a descriptor, -ENOENT when there is none,
 * -EBADMSG when it cannot be unpacked, -EFBIG past the limit, or another negative errno.
 */
int debug_file_unpack(const struct object *object, const struct section_table *sections);
