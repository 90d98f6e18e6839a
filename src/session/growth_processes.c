// SPDX-License-Identifier: Apache-2.0
/* Whose memory is looked at: each process has one, until it ends or calls exec. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "proc/stat.h"
#include "session/growth_parts.h"
#include "worker/ask_opener.h"

enum { PROCESSES_MAX = 4096 };

/* What is mapped where is read again so often, and when an address is met that was not known. */
#define MAP_READ_NS 5000000000ULL

bool growth_is_machine(const struct growth *g)
{
	const struct target *target = &g->rec->config->target;

	return target->everything && !target->comm && !target->group && !target->has_uid;
}

bool growth_is_filtered(const struct growth *g)
{
	return (g->rec->config->target.everything && !growth_is_machine(g)) ||
	       g->rec->config->target.tids.count;
}

uint64_t growth_resident_bytes(pid_t pid)
{
	cleanup(bytes_fini) struct bytes text = {};
	unsigned long long size, resident;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	if (fs_read(&text, AT_FDCWD, path, 4096) < 0 || !bytes_str(&text) ||
	    sscanf(text.at, "%llu %llu", &size, &resident) != 2)
		return 0;
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t growth_machine_bytes(void)
{
	cleanup(bytes_fini) struct bytes text = {};
	uint64_t total, available;

	if (fs_read(&text, AT_FDCWD, "/proc/meminfo", 65536) < 0 || !bytes_str(&text) ||
	    memory_limit_meminfo(&total, text.at, "MemTotal") < 0 ||
	    memory_limit_meminfo(&available, text.at, "MemAvailable") < 0 || available > total)
		return 0;
	return total - available;
}

void growth_process_free(struct growth_process *process)
{
	if (!process)
		return;
	resident_close(&process->resident);
	memory_map_fini(&process->map);
	free(process);
}

uint32_t growth_find_process(const struct growth *g, pid_t pid)
{
	return hash_index_find(&g->by_pid, hash_u64((uint64_t)pid), NULL, NULL, NULL);
}

static void end_process(struct growth *g, uint32_t index)
{
	struct growth_process *process = g->processes.at[index];

	process->over = true;
	resident_close(&process->resident);
	memory_map_fini(&process->map);
	hash_index_remove(&g->by_pid, hash_u64((uint64_t)process->pid), index);
}

/* A process's memory, if it has any. */
static int open_memory(struct resident *ret, pid_t pid)
{
	pid_t thread = proc_living_thread(pid);
	int r = resident_open(ret, thread > 0 ? thread : pid, false);

	if (r == 0 && !resident_alive(ret)) {
		resident_close(ret);
		r = -ESRCH;
	}
	return r;
}

static uint64_t start_time(pid_t pid)
{
	struct proc_stat stat;

	return proc_stat_read(&stat, pid) == 0 ? stat.start_time : 0;
}

void growth_lose_process(struct growth *g, uint32_t index)
{
	const struct growth_process *process = g->processes.at[index];
	struct resident other = RESIDENT_NULL;

	if (open_memory(&other, process->pid) == 0 &&
	    start_time(process->pid) == process->start_time)
		ledger_forget(&g->ledger, index);
	resident_close(&other);
	end_process(g, index);
}

int growth_add_process(struct growth *g, uint32_t *ret, pid_t pid, bool fresh)
{
	struct growth_process *process, **slot;
	int r;

	if (g->processes.count >= PROCESSES_MAX)
		return -ESRCH;
	process = calloc(1, sizeof(*process));
	slot = process ? array_push(&g->processes) : NULL;
	if (!slot) {
		free(process);
		return -ENOMEM;
	}
	*slot = process;
	process->pid = pid;
	process->resident = (struct resident)RESIDENT_NULL;
	process->start_time = start_time(pid);
	r = open_memory(&process->resident, pid);
	if (r < 0 && r != -ESRCH) {
		process->refused = true;
		g->processes_refused++;
	}
	process->resident_bytes = growth_resident_bytes(pid);
	process->before_bytes = fresh ? 0 : process->resident_bytes;
	*ret = g->processes.count - 1;
	return hash_index_add(&g->by_pid, hash_u64((uint64_t)pid), *ret);
}

/* Has it other memory by now, or is another one called like it? */
static bool is_another(const struct growth_process *process)
{
	if (process->resident.pagemap >= 0)
		return !resident_alive(&process->resident);
	return start_time(process->pid) != process->start_time;
}

int growth_get_process(struct growth *g, uint32_t *ret, pid_t pid)
{
	uint32_t index = growth_find_process(g, pid);
	bool fresh = pid == g->rec->launch.pid;

	if (index != HASH_ABSENT && is_another(g->processes.at[index])) {
		growth_lose_process(g, index);
		index = HASH_ABSENT;
		fresh = true;
	}
	if (index == HASH_ABSENT)
		return growth_add_process(g, ret, pid, fresh);
	*ret = index;
	return 0;
}

static void read_map(struct growth *g, struct growth_process *process, uint64_t now)
{
	cleanup(bytes_fini) struct bytes text = {};

	process->map_read_ns = now;
	process->map_turn = g->turn;
	if (ask_maps(g->rec->pipeline.workers, &text, process->pid) == 0)
		(void)memory_map_parse(&process->map, text.at, text.size);
}

enum memory_kind growth_kind_of(struct growth *g, struct growth_process *process, uint64_t address,
				uint64_t sp)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	bool known = memory_map_find(&process->map, address);

	if (!process->over &&
	    (now - process->map_read_ns > MAP_READ_NS || (!known && process->map_turn != g->turn)))
		read_map(g, process, now);
	return memory_map_kind(&process->map, address, sp);
}
