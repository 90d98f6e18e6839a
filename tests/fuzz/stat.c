// SPDX-License-Identifier: Apache-2.0
/* /proc/PID/stat: as it comes, and as the kernel writes it, with a name that the input gives. */
#include "proc/stat.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "fuzz.h"

static void check_written(struct reader reader)
{
	uint32_t parent = reader_u32(&reader) & INT32_MAX, user = reader_u32(&reader);
	uint32_t system = reader_u32(&reader), threads = reader_u32(&reader);
	uint64_t start = reader_u64(&reader);
	struct bytes text = {};
	struct proc_stat stat;
	char name[16] = {};

	memcpy(name, reader.at, reader_left(&reader) < 15 ? reader_left(&reader) : 15);
	bytes_add_format(&text,
			 "4242 (%s) S %u 1 2 0 -1 4194304 100 0 0 0 %u %u 0 0 20 0 %u 0 %" PRIu64
			 " 1000 20 1844 1 1\n",
			 name, parent, user, system, threads, start);
	FUZZ_CHECK(proc_stat_parse(&stat, text.at, text.size) == 0);
	FUZZ_CHECK(strcmp(stat.comm, name) == 0 && stat.state == 'S');
	FUZZ_CHECK(stat.parent == (pid_t)parent && stat.threads == threads &&
		   stat.start_time == start && stat.cpu_ticks == (uint64_t)user + system);
	bytes_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proc_stat stat;

	if (proc_stat_parse(&stat, (const char *)data, size) == 0)
		FUZZ_CHECK(strnlen(stat.comm, sizeof(stat.comm)) < sizeof(stat.comm));
	check_written(reader_of(data, size));
	return 0;
}
