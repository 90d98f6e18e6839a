/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an object's debug file may lie: as gdb looks for it ("Debugging Information in Separate
 * Files" in its manual). Nothing is ever asked over the network.
 */
#pragma once

#include "base/bytes.h"
#include "elf/object.h"

enum { DEBUG_PATHS_MAX = 8 };

/*
 * Appends the paths, the best first, each with its NUL: by build ID in /usr/lib/debug/.build-id,
 * then by .gnu_debuglink beside the object, in .debug/ and below /usr/lib/debug.
 * Returns how many.
 */
unsigned debug_paths_add(struct bytes *ret, const struct object *object);

/* What the name of a package of split debug information has behind its program's. */
#define DEBUG_PACKAGE_SUFFIX ".dwp"

/* Appends the paths of packages, each with its NUL: beside the object, and beside its debug files. */
void debug_paths_add_packages(struct bytes *ret, const struct object *object);
