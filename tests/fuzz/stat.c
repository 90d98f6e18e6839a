// SPDX-License-Identifier: Apache-2.0
/* /proc/PID/stat. */
#include "fuzz.h"

#include <string.h>

#include "proc/stat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proc_stat stat;

	if (proc_stat_parse(&stat, (const char *)data, size) == 0)
		FUZZ_CHECK(strnlen(stat.comm, sizeof(stat.comm)) < sizeof(stat.comm));
	return 0;
}
