/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One file per parser, each with libFuzzer's entry point. Built twice: by clang with libFuzzer
 * (meson option fuzz), and with replay.c, which runs the corpus in every test run.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Always returns 0; a finding is a crash, an abort or a sanitizer's report. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a parser promised. */
#define FUZZ_CHECK(condition)                                                                      \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)
