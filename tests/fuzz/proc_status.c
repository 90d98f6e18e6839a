// SPDX-License-Identifier: Apache-2.0
/* /proc/PID/status: as it comes, and as the kernel writes it, of numbers that the input gives. */
#include "proc/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "fuzz.h"
#include "proc/view.h"

static void check_written(struct reader reader)
{
	struct bytes text = {};
	struct proc_status status;
	uint32_t uids[4], pid = 0;
	unsigned levels = 1 + reader_u8(&reader) % 33;

	for (unsigned i = 0; i < 4; i++)
		uids[i] = reader_u32(&reader);
	/* The kernel escapes what could be taken for the end of the line. */
	bytes_add_format(&text,
			 "Name:\tNSpid:\t1\t2\\nUid:\t3\nUid:\t%u\t%u\t%u\t%u\nNSpid:", uids[0],
			 uids[1], uids[2], uids[3]);
	for (unsigned i = 0; i < levels; i++) {
		pid = reader_u32(&reader) & INT32_MAX;
		bytes_add_format(&text, "\t%u", pid);
	}
	bytes_add_str(&text, "\nNSpgid:\t9\t9\n");
	FUZZ_CHECK(bytes_str(&text) && proc_status_parse(&status, text.at) == 0);
	FUZZ_CHECK(status.effective_uid == uids[1] && status.filesystem_uid == uids[3]);
	FUZZ_CHECK(status.inner_pid == (pid_t)pid);
	FUZZ_CHECK(proc_view_is_own(text.at) == (levels == 1));
	bytes_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	struct proc_status status;

	FUZZ_CHECK(text);
	(void)proc_status_parse(&status, text);
	(void)proc_view_is_own(text);
	free(text);
	check_written(reader_of(data, size));
	return 0;
}
