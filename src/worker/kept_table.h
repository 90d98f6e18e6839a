/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An object's unwind table in a form that can be kept in a file for the next time: a checksum (hash_bytes, 8
 * bytes), then what READER_TABLE answers.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/*
 * Appends what READER_TABLE answers to *ret, read from an offset of the file to its end; all that answer_table
 * looks at has been looked at. Returns 0, -EBADMSG for what kept_table_write does not write, or another
 * negative errno; *ret is as before then.
 */
int kept_table_read(struct bytes *ret, int fd, uint64_t offset);
/* Is such an answer worth a file? used_ns: CPU time that it has taken. */
bool kept_table_is_worth_it(size_t size, uint64_t used_ns);
/* Appends what kept_table_read reads: the answer, that answer_table has taken. Returns 0 or -ENOMEM. */
int kept_table_write(struct bytes *ret, const unsigned char *data, size_t size);
