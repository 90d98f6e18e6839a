/* SPDX-License-Identifier: Apache-2.0 */
/* The instructions of a function, as the reader process tells them. */
#pragma once

#include "worker/ask_reader.h"
#include "worker/code_listing.h"

/*
 * Decodes the function that holds an ELF address. Names come from debug files if names of the object
 * were asked for with lines before (ask_names).
 * Returns 0, a wire_code_outcome (nothing is known of such a function, or it cannot be decoded), or as
 * the functions of ask_reader.h do.
 */
int ask_code(struct workers *workers, struct code_listing *ret, struct object *object,
	     uint64_t address);
