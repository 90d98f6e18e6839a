/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sections that are compressed: with zlib or zstd as the ELF gABI has it ("Section Compression"), and
 * ".zdebug_" as binutils wrote it before: "ZLIB" and the size as eight big-endian bytes.
 */
#pragma once

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef ELFCOMPRESS_ZSTD /* glibc knows it since 2.37 */
#define ELFCOMPRESS_ZSTD 2
#endif

/* gnu: the section is a ".zdebug_" one. */
static inline bool section_is_compressed(const Elf64_Shdr *section, bool gnu)
{
	return gnu || section->sh_flags & SHF_COMPRESSED;
}

/*
 * Unpacks a compressed section into memory that the caller frees: *ret_size bytes, and `spare` zeros
 * behind them. Returns 0, -EBADMSG (it cannot be unpacked, or is not what its head says), -EFBIG (it is
 * larger than limit_bytes), -ENOMEM, or another negative errno of reading the file.
 */
int section_unpack(unsigned char **ret, uint64_t *ret_size, int fd, const Elf64_Shdr *section,
		   bool gnu, uint64_t limit_bytes, size_t spare);
