// SPDX-License-Identifier: Apache-2.0
#include "daemon/costs.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/resident.h"
#include "session/recording.h"

/* Field 1 of /proc/PID/schedstat: nanoseconds on a CPU. 0: gone. */
static uint64_t cpu_ns_of(pid_t pid)
{
	char path[64];
	uint64_t ns = 0;
	FILE *file;

	if (pid <= 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%" SCNu64, &ns) != 1)
		ns = 0;
	fclose(file);
	return ns;
}

void costs_read(struct costs *ret, const struct recording *rec, const pid_t *helpers,
		unsigned helper_count, uint64_t ended_ns, uint64_t fixed_kernel_bytes)
{
	uint64_t counters[COUNT_COUNTERS];
	struct table_store_figures figures;
	struct health_clock clock;

	health_clock_read(&clock, &rec->pipeline);
	cpu_source_counters(rec->source, counters);
	table_store_figures(rec->pipeline.store, &figures);
	ret->cpu_ns = clock.cpu_ns + ended_ns;
	ret->bpf_ns = counters[COUNT_RUN_NS];
	ret->kernel_bytes = fixed_kernel_bytes + figures.chunk_bytes;
	ret->steady_ns = clock.cpu_ns > clock.build_ns + clock.naming_ns
				 ? clock.cpu_ns - clock.build_ns - clock.naming_ns
				 : 0;
	for (unsigned i = 0; i < helper_count; i++)
		ret->cpu_ns += cpu_ns_of(helpers[i]);
}

void costs_read_memory(struct costs *ret, const struct recording *rec, const pid_t *helpers,
		       unsigned helper_count)
{
	const struct workers *workers = &rec->workers;

	ret->liner_bytes = resident_bytes(workers->liner.pid);
	ret->rss_bytes = resident_bytes(getpid()) + ret->liner_bytes +
			 resident_bytes(workers->reader.pid) +
			 resident_bytes(workers->walker.pid) + resident_bytes(workers->opener.pid);
	for (unsigned i = 0; i < helper_count; i++)
		ret->rss_bytes += resident_bytes(helpers[i]);
}
