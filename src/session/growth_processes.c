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
	growth_seen_fini(&process->seen);
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

	hash_index_remove(&g->by_pid, hash_u64((uint64_t)process->pid), index);
	growth_process_free(process);
	g->processes.at[index] = NULL;
}

static bool is_of(const void *context, uint32_t position, const void *key)
{
	const struct growth *g = context;
	const struct ledger_page *page = key;

	return g->ended.at[position].stack == page->stack &&
	       g->ended.at[position].labels == page->labels;
}

/* What a page of a process held when that ended. */
static int keep_ended(struct growth *g, const struct ledger_page *page)
{
	uint64_t hash = hash_pair(page->stack, page->labels);
	uint32_t at = hash_index_find(&g->ended_index, hash, is_of, g, page);
	int r = 0;

	if (at == HASH_ABSENT) {
		struct growth_ended *added = array_push(&g->ended);

		if (!added)
			return -ENOMEM;
		*added = (struct growth_ended){ .stack = page->stack, .labels = page->labels };
		at = g->ended.count - 1;
		r = hash_index_add(&g->ended_index, hash, at);
	}
	g->ended.at[at].bytes += ledger_held(&g->ledger, page);
	g->ended.at[at].pages += page->held > 0;
	return r;
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

/* Of whom it is told what they had when they ended; what others had is given back by that. */
static bool keeps_until_end(const struct growth *g, pid_t pid)
{
	const struct target *target = &g->rec->config->target;

	for (uint32_t i = 0; i < target->pids.count; i++)
		if (target->pids.at[i] == pid)
			return true;
	return target->command;
}

static int lose_process(struct growth *g, uint32_t index)
{
	const struct growth_process *process = g->processes.at[index];
	struct resident other = RESIDENT_NULL;
	bool keeps = keeps_until_end(g, process->pid) &&
		     !(open_memory(&other, process->pid) == 0 &&
		       start_time(process->pid) == process->start_time);
	int r = 0;

	resident_close(&other);
	for (uint32_t i = 0; i < g->ledger.pages.count && r == 0 && keeps; i++)
		if (g->ledger.pages.at[i].process == index)
			r = keep_ended(g, &g->ledger.pages.at[i]);
	ledger_forget(&g->ledger, index);
	end_process(g, index);
	return r;
}

int growth_add_process(struct growth *g, uint32_t *ret, pid_t pid, bool fresh)
{
	struct growth_process *process, **slot = NULL;
	uint32_t at = 0;
	int r;

	while (at < g->processes.count && g->processes.at[at])
		at++;
	if (at >= PROCESSES_MAX) {
		g->processes_refused++;
		return -ESRCH;
	}
	process = calloc(1, sizeof(*process));
	if (process)
		slot = at < g->processes.count ? &g->processes.at[at] : array_push(&g->processes);
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
	*ret = at;
	return hash_index_add(&g->by_pid, hash_u64((uint64_t)pid), *ret);
}

/* Has it other memory by now, or is another one called like it? */
static bool is_another(const struct growth_process *process)
{
	if (process->resident.pagemap >= 0)
		return !resident_alive(&process->resident);
	return start_time(process->pid) != process->start_time;
}

/* One that had ended before it was met never had any memory here. */
static bool is_gone(const struct growth_process *process)
{
	return is_another(process) || (process->resident.pagemap < 0 && !process->refused);
}

int growth_lose_processes(struct growth *g)
{
	int r = 0;

	for (uint32_t i = 0; i < g->processes.count && r == 0; i++)
		if (g->processes.at[i] && is_gone(g->processes.at[i]))
			r = lose_process(g, i);
	return r;
}

int growth_get_process(struct growth *g, uint32_t *ret, pid_t pid)
{
	uint32_t index = growth_find_process(g, pid);
	bool fresh = pid == g->rec->launch.pid;

	if (index != HASH_ABSENT && is_another(g->processes.at[index])) {
		int r = lose_process(g, index);

		if (r < 0)
			return r;
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

	if (now - process->map_read_ns > MAP_READ_NS || (!known && process->map_turn != g->turn))
		read_map(g, process, now);
	return memory_map_kind(&process->map, address, sp);
}
