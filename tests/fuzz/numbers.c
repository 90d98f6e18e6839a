// SPDX-License-Identifier: Apache-2.0
/*
 * Numbers, durations and lists of CPUs: what was understood, written down again, is understood as
 * the same; and so is whatever number the input's first bytes are.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/parse.h"
#include "fuzz.h"
#include "source/perf_event.h"

enum { MAX_CPUS = 8192 };

static void check_number(uint64_t number)
{
	uint64_t again = ~number;
	char text[64];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	FUZZ_CHECK(parse_u64(&again, text, UINT64_MAX) == 0 && again == number);
	snprintf(text, sizeof(text), "0x%" PRIx64, number);
	FUZZ_CHECK(parse_u64(&again, text, number) == 0 && again == number);
	if (number)
		FUZZ_CHECK(parse_u64(&again, text, number - 1) < 0);
	/* As far as a double holds every whole number. */
	number &= (UINT64_C(1) << 53) - 1;
	snprintf(text, sizeof(text), "%" PRIu64 "ns", number);
	FUZZ_CHECK(parse_duration(&again, text) == 0 && again == number);
}

static void check_cpus(const char *text)
{
	struct cpu_list cpus, again;
	struct bytes written = {};

	if (cpu_list_parse(&cpus, text) < 0)
		return;
	FUZZ_CHECK(cpus.cpus.count > 0 && cpus.cpus.count <= MAX_CPUS);
	for (uint32_t i = 0, end; i < cpus.cpus.count; i = end) {
		for (end = i + 1; end < cpus.cpus.count; end++) {
			FUZZ_CHECK(cpus.cpus.at[end - 1] < cpus.cpus.at[end]);
			if (cpus.cpus.at[end] != cpus.cpus.at[end - 1] + 1)
				break;
		}
		bytes_add_format(&written, end - i > 1 ? "%s%u-%u" : "%s%u", i ? "," : "",
				 cpus.cpus.at[i], cpus.cpus.at[end - 1]);
	}
	FUZZ_CHECK(bytes_str(&written) && cpu_list_parse(&again, written.at) == 0);
	FUZZ_CHECK(again.cpus.count == cpus.cpus.count &&
		   memcmp(again.cpus.at, cpus.cpus.at, cpus.cpus.count * sizeof(*cpus.cpus.at)) ==
			   0);
	array_fini(&cpus.cpus);
	array_fini(&again.cpus);
	bytes_fini(&written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader reader = reader_of(data, size);
	char *text = strndup((const char *)data, size);
	uint64_t number;

	FUZZ_CHECK(text);
	check_number(reader_u64(&reader));
	if (parse_u64(&number, text, UINT32_MAX) == 0)
		FUZZ_CHECK(number <= UINT32_MAX);
	if (parse_duration(&number, text) == 0)
		FUZZ_CHECK(number <= UINT64_C(1000000000000000000));
	check_cpus(text);
	free(text);
	return 0;
}
