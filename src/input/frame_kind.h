/* SPDX-License-Identifier: Apache-2.0 */
/* What kind of code a frame is, where a file does not say it: told by names. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "profile/profile.h"

/* Nothing tells it. */
enum { FRAME_KIND_UNKNOWN = -1 };

/* A name that says why a stack does not go on, or that something is not known: it is no code. */
bool frame_kind_is_note(const char *name, size_t size);
/* An enum location_kind by the file that is mapped, "" where there is none; or unknown. */
int frame_kind_of_mapping(const char *file);
/* The same by the source file of a function: what is written in it is run, or compiled on the way. */
int frame_kind_of_source(const char *file);
/* Puts together what is known. mapping, source: of the functions above. */
enum location_kind frame_kind(int mapping, int source, uint64_t address);
