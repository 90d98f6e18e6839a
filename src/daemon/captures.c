// SPDX-License-Identifier: Apache-2.0
#include "daemon/captures.h"

#include <errno.h>
#include <fnmatch.h>
#include <signal.h>
#include <string.h>

#include "proc/stat.h"
#include "session/identity.h"
#include "source/cpu.h"

enum { PIDS_MAX = 4096 }; /* of one capture */

static void capture_fini(struct capture *capture)
{
	array_fini(&capture->pids);
}

void captures_fini(struct captures *c)
{
	for (uint32_t i = 0; i < c->list.count; i++)
		capture_fini(&c->list.at[i]);
	array_fini(&c->list);
}

static bool has_pid(const struct capture *capture, pid_t pid)
{
	for (uint32_t i = 0; i < capture->pids.count; i++)
		if (capture->pids.at[i] == pid)
			return true;
	return false;
}

static bool is_under_way(const struct capture *capture)
{
	return capture->state == CAPTURE_RUNS || capture->state == CAPTURE_ENDS;
}

/* Tells the kernel half what is looked at by now, all captures together. */
static void apply(struct captures *c)
{
	uint32_t hz = 0;
	bool all = false;

	for (uint32_t i = 0; i < c->list.count; i++) {
		const struct capture *capture = &c->list.at[i];

		if (!is_under_way(capture))
			continue;
		if (capture->asked.hz > hz)
			hz = capture->asked.hz;
		all |= capture->asked.kind == CONTROL_ALL;
	}
	cpu_source_look_closely_at_all(c->source, all);
	if (hz && c->slowed > 0)
		hz = (uint32_t)(hz * c->slowed) + 1;
	cpu_source_look_closely(c->source, hz);
}

static void let_go_of(struct captures *c, const struct capture *capture)
{
	for (uint32_t i = 0; i < capture->pids.count; i++) {
		bool others = false;

		for (uint32_t k = 0; k < c->list.count; k++)
			others |= &c->list.at[k] != capture && is_under_way(&c->list.at[k]) &&
				  has_pid(&c->list.at[k], capture->pids.at[i]);
		if (!others)
			(void)cpu_source_look_closely_at(c->source, capture->pids.at[i], false);
	}
}

static void look_at(struct captures *c, struct capture *capture, pid_t pid)
{
	pid_t *slot;

	if (capture->pids.count >= PIDS_MAX || has_pid(capture, pid))
		return;
	slot = array_push(&capture->pids);
	if (!slot)
		return;
	*slot = pid;
	if (cpu_source_look_closely_at(c->source, pid, true) < 0)
		capture->pids.count--;
}

static pid_t asked_pid(const struct capture *capture)
{
	return (pid_t)strtol(capture->asked.value, NULL, 10);
}

int captures_add(struct captures *c, const struct control_request *asked)
{
	struct capture *capture;
	struct proc_stat stat;

	if (c->list.count >= CONTROL_CAPTURES)
		return -EAGAIN;
	capture = array_push(&c->list);
	if (!capture)
		return -ENOMEM;
	*capture = (struct capture){ .asked = *asked };
	if (asked->kind == CONTROL_PID && proc_stat_read(&stat, asked_pid(capture)) < 0) {
		c->list.count--;
		return -ESRCH;
	}
	return 0;
}

static void remove_at(struct captures *c, uint32_t i)
{
	memmove(&c->list.at[i], &c->list.at[i + 1],
		(c->list.count - i - 1) * sizeof(*c->list.at));
	c->list.count--;
}

static void end_at(struct captures *c, uint32_t i)
{
	let_go_of(c, &c->list.at[i]);
	capture_fini(&c->list.at[i]);
	remove_at(c, i);
}

void captures_cancel(struct captures *c, uint64_t id)
{
	for (uint32_t i = c->list.count; i-- > 0;)
		if (c->list.at[i].asked.id == id)
			end_at(c, i);
	apply(c);
}

bool captures_break_off(struct captures *c, uint64_t *id)
{
	for (uint32_t i = 0; i < c->list.count; i++) {
		if (c->list.at[i].state == CAPTURE_WRITTEN)
			continue;
		*id = c->list.at[i].asked.id;
		end_at(c, i);
		apply(c);
		return true;
	}
	return false;
}

void captures_drop_all(struct captures *c)
{
	while (c->list.count)
		end_at(c, c->list.count - 1);
	apply(c);
}

/* "nginx" is "nginx.service", as for systemctl(1). */
static bool is_unit(const char *pattern, const char *unit)
{
	static const char service[] = ".service";
	size_t size = strlen(unit), end = strlen(service);
	char stem[256];

	if (fnmatch(pattern, unit, 0) == 0)
		return true;
	if (size <= end || size - end >= sizeof(stem) || strcmp(unit + size - end, service) != 0)
		return false;
	memcpy(stem, unit, size - end);
	stem[size - end] = '\0';
	return fnmatch(pattern, stem, 0) == 0;
}

static bool is_meant(const struct capture *capture, pid_t pid, const char *comm,
		     const struct group_identity *group)
{
	const char *value = capture->asked.value;

	switch (capture->asked.kind) {
	case CONTROL_PID:
		return pid == asked_pid(capture);
	case CONTROL_COMM:
		return fnmatch(value, comm, 0) == 0;
	case CONTROL_UNIT:
		return group && group->unit[0] && is_unit(value, group->unit);
	case CONTROL_CONTAINER:
		return group && group->container[0] &&
		       strncmp(group->container, value, strlen(value)) == 0;
	case CONTROL_ALL:
	case CONTROL_KINDS:
		break;
	}
	return false;
}

void captures_meet(struct captures *c, pid_t pid, const char *comm,
		   const struct group_identity *group)
{
	for (uint32_t i = 0; i < c->list.count; i++)
		if (is_under_way(&c->list.at[i]) && is_meant(&c->list.at[i], pid, comm, group))
			look_at(c, &c->list.at[i], pid);
}

bool captures_want_cut(struct captures *c, uint64_t now_ns)
{
	bool wanted = false;

	for (uint32_t i = 0; i < c->list.count; i++) {
		struct capture *capture = &c->list.at[i];

		if (capture->state == CAPTURE_RUNS && now_ns >= capture->until_ns)
			capture->state = CAPTURE_ENDS;
		wanted |= capture->state == CAPTURE_WAITS || capture->state == CAPTURE_ENDS;
	}
	return wanted;
}

void captures_cut(struct captures *c, uint64_t now_ns, int64_t wall_ns, uint64_t number)
{
	for (uint32_t i = 0; i < c->list.count; i++) {
		struct capture *capture = &c->list.at[i];

		if (capture->state == CAPTURE_WAITS) {
			capture->state = CAPTURE_RUNS;
			capture->from_wall = wall_ns;
			capture->until_ns = now_ns + capture->asked.seconds * 1000000000ULL;
			if (capture->asked.kind == CONTROL_PID)
				look_at(c, capture, asked_pid(capture));
		} else if (capture->state == CAPTURE_ENDS) {
			capture->state = CAPTURE_WRITTEN;
			capture->until_wall = wall_ns;
			capture->number = number;
			let_go_of(c, capture);
		}
	}
	apply(c);
}

bool captures_take(struct captures *c, struct capture *ret, uint64_t written)
{
	for (uint32_t i = 0; i < c->list.count; i++) {
		if (c->list.at[i].state != CAPTURE_WRITTEN || c->list.at[i].number > written)
			continue;
		*ret = c->list.at[i];
		array_fini(&ret->pids);
		remove_at(c, i);
		return true;
	}
	return false;
}

uint64_t captures_next_end(const struct captures *c)
{
	uint64_t next = UINT64_MAX;

	for (uint32_t i = 0; i < c->list.count; i++)
		if (c->list.at[i].state == CAPTURE_RUNS && c->list.at[i].until_ns < next)
			next = c->list.at[i].until_ns;
	return next;
}
