/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small reads at near places of a file, through a buffer: one pread for many of them. Nothing is
 * mapped, and nothing outside of the given part of the file is ever read.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { FILE_WINDOW_BYTES = 16384 };

struct file_window {
	int fd;		     /* borrowed */
	uint64_t begin, end; /* the part of the file that may be read */
	uint64_t at;	     /* offset in the file of what is in `bytes` */
	uint32_t size;	     /* how much there is */
	int error;	     /* the first failed read: a negative errno; 0: none */
	uint32_t reads;	     /* preads so far */
	unsigned char bytes[FILE_WINDOW_BYTES];
};

/* begin, end: offsets in the file, which must not be above INT64_MAX. */
void file_window_init(struct file_window *window, int fd, uint64_t begin, uint64_t end);
/*
 * The `size` bytes (at most FILE_WINDOW_BYTES) that begin `offset` bytes behind `begin`, good until
 * the next call. NULL when they are not all inside, or cannot be read (see `error`).
 */
const unsigned char *file_window_take(struct file_window *window, uint64_t offset, size_t size);
/* The same for what is there of up to `*size` bytes; sets *size. NULL when nothing is. */
const unsigned char *file_window_some(struct file_window *window, uint64_t offset, size_t *size);
