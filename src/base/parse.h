/* SPDX-License-Identifier: Apache-2.0 */
/* Strict numbers, sizes and durations, as people type them. */
#pragma once

#include <stdint.h>

/* A decimal or 0x-hexadecimal number, nothing around it. Returns 0, -EINVAL or -ERANGE. */
int parse_u64(uint64_t *ret, const char *text, uint64_t max);
/* "30", "30s", "1.5m", "250ms", "2h", "7d", in nanoseconds. Returns 0, -EINVAL or -ERANGE. */
int parse_duration(uint64_t *ret_ns, const char *text);
/* "65536", "512K", "40M", "1G", "2T", with or without "iB" or "B", in bytes. Returns 0, -EINVAL or -ERANGE. */
int parse_size(uint64_t *ret_bytes, const char *text);
