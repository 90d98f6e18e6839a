/* SPDX-License-Identifier: Apache-2.0 */
/* Writes what is seen to a file whose name is made for it. */
#pragma once

#include "output/writer.h"
#include "session/config.h"
#include "top/picture.h"

/*
 * Writes the picture's profile under a name as record makes them, whole or not at all, never over a
 * file that is there. word: see default_name. words: a profile whose meta tells of the recording, NULL: nothing is told; span:
 * what of it this is. *ret_path, malloc'ed, is the name. Returns 0 or a negative errno.
 */
int save_picture(struct picture *picture, const struct target *target, const char *word,
		 const struct profile *words, const char *span, const struct writer *writer,
		 char **ret_path);
