/* SPDX-License-Identifier: Apache-2.0 */
/* The build ID: a hash that the linker put in a note, the same in a file and in its debug file. */
#pragma once

#include <stdint.h>

/*
 * Looks for NT_GNU_BUILD_ID among the notes at `offset`, `size` bytes, of the file open as `fd`.
 * align: the alignment of the segment or section (entries are 8-aligned when it is 8, else 4).
 * capacity: of `ret`; a longer ID is not one. *ret_size is left alone when there is none.
 * Notes that run past the file or past 64 KiB hold no ID. Returns 0 or a negative errno.
 */
int build_id_read(uint8_t *ret, uint32_t *ret_size, uint32_t capacity, int fd, uint64_t offset,
		  uint64_t size, uint64_t align);
/* The same among the notes of a file's sections. */
int build_id_read_sections(uint8_t *ret, uint32_t *ret_size, uint32_t capacity, int fd);
