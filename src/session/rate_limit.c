// SPDX-License-Identifier: Apache-2.0
#include "session/rate_limit.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/parse.h"

static uint64_t read_limit(int fd)
{
	char text[32] = "";
	uint64_t hz;
	ssize_t got = fd >= 0 ? pread(fd, text, sizeof(text) - 1, 0) : -1;

	if (got <= 0)
		return 0;
	text[strcspn(text, "\n")] = '\0';
	return parse_u64(&hz, text, UINT32_MAX) < 0 ? 0 : hz;
}

void rate_limit_open(struct rate_limit *limit)
{
	*limit = (struct rate_limit)RATE_LIMIT_NULL;
	limit->fd = open("/proc/sys/kernel/perf_event_max_sample_rate", O_RDONLY | O_CLOEXEC);
	limit->first_hz = limit->lowest_hz = read_limit(limit->fd);
}

void rate_limit_look(struct rate_limit *limit)
{
	uint64_t hz = read_limit(limit->fd);

	if (hz && hz < limit->lowest_hz)
		limit->lowest_hz = hz;
}

void rate_limit_close(struct rate_limit *limit)
{
	if (limit->fd >= 0)
		close(limit->fd);
	limit->fd = -1;
}
