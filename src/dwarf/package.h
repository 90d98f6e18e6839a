/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A .dwp package: the units of many .dwo files in one (DWARF 5 section 7.3.5; GNU's version 2 for split
 * DWARF 4, https://gcc.gnu.org/wiki/DebugFissionDWP). An index tells by a unit's ID which parts of the
 * sections are its own; in those all is as in a .dwo file.
 *
 * Type units, which have an index of their own, are nothing that is read.
 */
#pragma once

#include "base/cleanup.h"
#include "dwarf/dwarf_file.h"

struct dwarf_package;

/*
 * fd: the caller's, who may close it. Returns 0, -ENOENT when that is no package, -EBADMSG when it is one
 * that cannot be read, or -ENOMEM.
 */
int dwarf_package_open(struct dwarf_package **ret, int fd);
void dwarf_package_free(struct dwarf_package *package);
DEFINE_CLEANUP(struct dwarf_package, dwarf_package_free);
/* Is there a unit with this ID? */
bool dwarf_package_has(const struct dwarf_package *package, uint64_t dwo_id);
/*
 * The unit with this ID, and no other, as a file that lives no longer than the package. Returns 0,
 * -ENOENT when it is not there or not what the index says, or -ENOMEM.
 */
int dwarf_package_open_unit(struct dwarf_package *package, struct dwarf_file *ret, uint64_t dwo_id);
