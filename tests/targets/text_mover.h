/* SPDX-License-Identifier: Apache-2.0 */
/* What text_moves.c and text_mover.c know of each other. */
#pragma once

#include <stddef.h>

enum text_way { TEXT_SPLIT, TEXT_COVERED, TEXT_SWAPPED, TEXT_FILE, TEXT_MOVED };

/*
 * Exchanges the memory of whole pages of code that the caller does not return through, and keeps
 * what they say. Returns where the code is now: elsewhere for TEXT_MOVED. Ends the program when the
 * kernel does not let it.
 */
void *text_exchange(enum text_way way, void *start, size_t bytes);
