// SPDX-License-Identifier: Apache-2.0
#include "top/usage.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "proc/stat.h"

/* Reading the states of threads may take this part of the time, and never longer at once. */
enum { STATES_PART = 1000, STATES_MAX_NS = 50000000, PROC_FILE_BYTES = 1 << 20 };

void usage_fini(struct usage *usage)
{
	array_fini(&usage->known);
	hash_index_fini(&usage->index);
}

int usage_parse_machine(uint64_t *ret_user, uint64_t *ret_system, const char *text)
{
	uint64_t user, nice, system, irq, softirq;

	if (sscanf(text, "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %*u %*u %" SCNu64 " %" SCNu64,
		   &user, &nice, &system, &irq, &softirq) != 5)
		return -EINVAL;
	*ret_user = user + nice;
	*ret_system = system + irq + softirq;
	return 0;
}

/* A number behind a key at the beginning of a line; 0: it is not there. */
static uint64_t number_behind(const char *text, const char *key)
{
	const char *at = text;
	size_t size = strlen(key);
	uint64_t value;

	while (at && strncmp(at, key, size) != 0) {
		at = strchr(at, '\n');
		at += at != NULL;
	}
	return at && sscanf(at + size, "%" SCNu64, &value) == 1 ? value : 0;
}

static const char *read_text(struct bytes *bytes, const char *path)
{
	return fs_read(bytes, -1, path, PROC_FILE_BYTES) == 0 ? bytes_str(bytes) : NULL;
}

static double percent(uint64_t ticks, uint64_t elapsed_ns)
{
	return 100.0 * (double)ticks / (double)sysconf(_SC_CLK_TCK) / ((double)elapsed_ns / 1e9);
}

static void set_percents(struct usage *usage, uint64_t user, uint64_t system, uint64_t now_ns)
{
	bool first = usage->read_ns == 0;
	uint64_t elapsed = now_ns - usage->read_ns;

	usage->read_ns = now_ns;
	usage->user_percent = first || !elapsed ? -1 : percent(user, elapsed);
	usage->system_percent = first || !elapsed ? -1 : percent(system, elapsed);
}

static int read_machine(struct usage *usage, uint64_t now_ns)
{
	cleanup(bytes_fini) struct bytes stat = {}, memory = {}, load = {};
	const char *text = read_text(&stat, "/proc/stat");
	uint64_t user, system, available;
	unsigned running, threads;

	if (!text || usage_parse_machine(&user, &system, text) < 0)
		return -EINVAL;
	set_percents(usage, user - usage->machine_user, system - usage->machine_system, now_ns);
	usage->machine_user = user;
	usage->machine_system = system;
	text = read_text(&memory, "/proc/meminfo");
	if (text) {
		available = number_behind(text, "MemAvailable:");
		usage->resident_bytes = (number_behind(text, "MemTotal:") - available) * 1024;
	}
	text = read_text(&load, "/proc/loadavg");
	if (text && sscanf(text, "%*s %*s %*s %u/%u", &running, &threads) == 2) {
		usage->running = running;
		usage->threads = threads;
		usage->states_known = true;
	}
	return 0;
}

static void add_ticks(struct usage_ticks *to, struct usage_ticks more)
{
	to->all += more.all;
	to->system += more.system;
}

/* What is left of `from`, if not less than nothing. */
static struct usage_ticks less(struct usage_ticks from, struct usage_ticks part)
{
	return (struct usage_ticks){ from.all > part.all ? from.all - part.all : 0,
				     from.system > part.system ? from.system - part.system : 0 };
}

/*
 * What it has used since it was seen last, or since it began, if that is not longer ago; and what its
 * children had used in all when it waited for them meanwhile.
 */
static int note(struct usage *usage, pid_t pid, const struct proc_stat *stat,
		struct usage_ticks *own, struct usage_ticks *waited_for)
{
	uint32_t at = hash_index_find(&usage->index, hash_u64((uint64_t)pid), NULL, NULL, NULL);
	struct usage_ticks now = { stat->cpu_ticks, stat->system_ticks };
	struct usage_ticks children = { stat->children_cpu_ticks, stat->children_system_ticks };
	struct usage_known *known;

	if (at == HASH_ABSENT) {
		known = array_push(&usage->known);
		if (!known || hash_index_add(&usage->index, hash_u64((uint64_t)pid),
					     usage->known.count - 1) < 0)
			return -ENOMEM;
		*known = (struct usage_known){ .pid = pid, .start_time = stat->start_time };
		/* What is found at the first reading has run before; later ones are children. */
		if (usage->round == 1) {
			known->own = now;
			known->children = children;
		}
	} else {
		known = &usage->known.at[at];
	}
	if (known->start_time != stat->start_time)
		*known = (struct usage_known){ .pid = pid, .start_time = stat->start_time };
	add_ticks(own, less(now, known->own));
	add_ticks(waited_for, less(children, known->children));
	known->own = now;
	known->children = children;
	known->round = usage->round;
	return 0;
}

/* Processes that were not seen are gone; their pids may be given again. Adds what is known of them. */
static int forget_gone(struct usage *usage, struct usage_ticks *gone)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < usage->known.count; i++) {
		const struct usage_known *known = &usage->known.at[i];

		if (known->round == usage->round) {
			usage->known.at[kept++] = *known;
			continue;
		}
		add_ticks(gone, known->own);
		add_ticks(gone, known->children);
	}
	if (kept == usage->known.count)
		return 0;
	usage->known.count = kept;
	hash_index_fini(&usage->index);
	for (uint32_t i = 0; i < kept; i++)
		if (hash_index_add(&usage->index, hash_u64((uint64_t)usage->known.at[i].pid), i) <
		    0)
			return -ENOMEM;
	return 0;
}

static int read_thread(struct proc_stat *ret, pid_t pid, const char *tid)
{
	cleanup(bytes_fini) struct bytes text = {};
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/task/%.16s/stat", (int)pid, tid);
	r = fs_read(&text, -1, path, 65536);
	return r < 0 ? r : proc_stat_parse(ret, text.at, text.size);
}

/* /proc/TID/stat is that of the whole process. */
static int read_stat(struct proc_stat *ret, pid_t pid, bool by_thread)
{
	char tid[16];

	if (!by_thread)
		return proc_stat_read(ret, pid);
	snprintf(tid, sizeof(tid), "%d", (int)pid);
	return read_thread(ret, pid, tid);
}

static bool is_running(pid_t pid, const char *tid)
{
	struct proc_stat stat;

	return read_thread(&stat, pid, tid) == 0 && stat.state == 'R';
}

/* False: it took too long. */
static bool count_running(pid_t pid, uint32_t *running, uint64_t until_ns)
{
	struct dirent *entry;
	char path[32];
	bool in_time = true;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	while (tasks && in_time && (entry = readdir(tasks))) {
		if (entry->d_name[0] != '.')
			*running += is_running(pid, entry->d_name);
		in_time = clock_ns(CLOCK_MONOTONIC) < until_ns;
	}
	if (tasks)
		closedir(tasks);
	return in_time;
}

static void read_states(struct usage *usage, const struct usage_target *target, uint64_t now_ns,
			uint64_t since_ns)
{
	uint64_t until = now_ns + STATES_MAX_NS, took;
	uint32_t running = 0;
	bool whole = true;

	if (usage->rest) {
		usage->rest--;
		usage->states_known = false;
		return;
	}
	for (uint32_t i = 0; i < target->pids.count && whole; i++)
		whole = count_running(target->pids.at[i], &running, until);
	took = clock_ns(CLOCK_MONOTONIC) - now_ns;
	if (since_ns)
		usage->rest = (uint32_t)(took * STATES_PART / (since_ns + 1));
	usage->running = running;
	usage->states_known = whole;
}

/*
 * Of children that were waited for, what was counted while they were there is taken off again. One
 * that ran before it was watched, and ends now, could tell of more than the CPUs can do.
 */
static struct usage_ticks of_the_ended(struct usage_ticks waited_for, struct usage_ticks gone,
				       uint64_t since_ns)
{
	struct usage_ticks ended = less(waited_for, gone);
	double most = (double)sysconf(_SC_NPROCESSORS_ONLN) * (double)sysconf(_SC_CLK_TCK) *
		      (double)since_ns / 1e9;

	return (double)ended.all > most ? (struct usage_ticks){} : ended;
}

static int read_processes(struct usage *usage, const struct usage_target *target, uint64_t now_ns)
{
	struct usage_ticks used = {}, waited_for = {}, gone = {};
	uint64_t pages = 0;
	uint64_t since = usage->read_ns ? now_ns - usage->read_ns : 0;
	uint32_t running = 0;
	int r;

	usage->round++;
	usage->processes = usage->threads = 0;
	for (uint32_t i = 0; i < target->pids.count; i++) {
		pid_t pid = target->pids.at[i];
		struct proc_stat stat;

		if (read_stat(&stat, pid, target->by_thread) < 0)
			continue;
		r = note(usage, pid, &stat, &used, &waited_for);
		if (r < 0)
			return r;
		if (stat.state == 'Z' && stat.threads <= 1)
			continue;
		running += stat.state == 'R';
		pages += stat.resident_pages;
		usage->processes++;
		usage->threads += target->by_thread ? 1 : (uint32_t)stat.threads;
	}
	r = forget_gone(usage, &gone);
	if (r < 0)
		return r;
	if (target->children)
		add_ticks(&used, of_the_ended(waited_for, gone, since));
	set_percents(usage, used.all > used.system ? used.all - used.system : 0, used.system,
		     now_ns);
	if (!usage->processes) /* what has ended tells nothing */
		usage->user_percent = usage->system_percent = -1;
	usage->resident_bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
	if (target->by_thread) {
		usage->running = running;
		usage->states_known = true;
	} else {
		read_states(usage, target, clock_ns(CLOCK_MONOTONIC), since);
	}
	return 0;
}

int usage_read(struct usage *usage, const struct usage_target *target, uint64_t now_ns)
{
	return target->everything ? read_machine(usage, now_ns)
				  : read_processes(usage, target, now_ns);
}
