// SPDX-License-Identifier: Apache-2.0
/*
 * BPF, tried with programs of a few instructions: the kinds that recording loads, attached where
 * recording attaches them. libbpf's calls are wrapped here and nowhere else in this room.
 */
#include "cmd/probes.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "session/event_alloc.h"
#include "source/probe_cost.h"
#include "source/probe_return.h"
#include "source/uprobe_link.h"

static int quiet(enum libbpf_print_level level, const char *format, va_list list)
{
	(void)level;
	(void)format;
	(void)list;
	return 0;
}

static void say_refused(struct probe_result *ret, const char *what, int r)
{
	probe_say(ret, PROBE_MISSING, "%s: %s", what, strerror(-r));
	if (r == -EACCES || r == -EPERM)
		probe_fix_as_root(ret);
}

#define INSN(opcode, destination, source, offset, immediate)                                       \
	(struct bpf_insn)                                                                          \
	{                                                                                          \
		.code = (opcode), .dst_reg = (destination), .src_reg = (source), .off = (offset),  \
		.imm = (immediate)                                                                 \
	}
#define INSN_RETURN_0                                                                              \
	INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0), INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

/* Adds 1 to the first 8 bytes of a map's only value. */
static int load_counter(int map)
{
	const struct bpf_insn program[] = {
		/* r1 = address of value 0: two slots, the second holds the offset. */
		INSN(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_VALUE, 0, map),
		INSN(0, 0, 0, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, 1),
		INSN(BPF_STX | BPF_DW | BPF_ATOMIC, BPF_REG_1, BPF_REG_2, 0, BPF_ADD),
		INSN_RETURN_0,
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_PERF_EVENT, "profd_probe", "GPL", program,
			       ARRAY_SIZE(program), NULL);

	return fd < 0 ? -errno : fd;
}

static uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

/* Runs the program on our own CPU time until it has counted, for half a second at most. */
static int count_ticks(int program, int map, uint64_t *ticks)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.size = sizeof(attr),
		.sample_period = 1000000,
		.disabled = 1,
	};
	cleanup(close) int event =
		(int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	uint64_t end = now_ns() + 500000000U;
	uint32_t key = 0;

	if (event < 0 || ioctl(event, PERF_EVENT_IOC_SET_BPF, program) < 0 ||
	    ioctl(event, PERF_EVENT_IOC_ENABLE, 0) < 0)
		return -errno;
	do {
		if (bpf_map_lookup_elem(map, &key, ticks) < 0)
			return -errno;
	} while (*ticks == 0 && now_ns() < end);
	return 0;
}

static void perf_event_program(struct probe_result *ret)
{
	cleanup(close) int map = -1;
	cleanup(close) int program = -1;
	uint64_t ticks = 0;
	int r;

	map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "profd_probe", sizeof(uint32_t), sizeof(ticks), 1,
			     NULL);
	if (map < 0) {
		say_refused(ret, "no map can be made", -errno);
		return;
	}
	program = load_counter(map);
	if (program < 0) {
		say_refused(ret, "a program cannot be loaded", program);
		program = -1;
		return;
	}
	r = count_ticks(program, map, &ticks);
	if (r < 0)
		say_refused(ret, "a program cannot be attached to cpu-clock", r);
	else if (ticks == 0)
		probe_say(ret, PROBE_MISSING, "a program was attached to cpu-clock, but never ran");
	else
		probe_say(ret, PROBE_OK, "a program ran at ticks of cpu-clock");
}

static void ring_buffer(struct probe_result *ret)
{
	cleanup(close) int map =
		bpf_map_create(BPF_MAP_TYPE_RINGBUF, "profd_probe", 0, 0, 1 << 20, NULL);

	if (map < 0)
		say_refused(ret, "a ring cannot be made", -errno);
	else
		probe_say(ret, PROBE_OK, "made one of 1 MiB");
}

/* A program that does nothing, for a typed tracepoint or an iterator. */
static int load_tracing(const char *target, enum bpf_attach_type type)
{
	const struct bpf_insn program[] = { INSN_RETURN_0 };
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = type);
	int id = libbpf_find_vmlinux_btf_id(target, type), fd;

	if (id < 0)
		return id;
	options.attach_btf_id = (uint32_t)id;
	fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "profd_probe", "GPL", program,
			   ARRAY_SIZE(program), &options);
	return fd < 0 ? -errno : fd;
}

static void typed_tracepoint(struct probe_result *ret)
{
	cleanup(close) int program = load_tracing("sched_process_exit", BPF_TRACE_RAW_TP);
	cleanup(close) int link = -1;

	if (program < 0) {
		say_refused(ret, "a program cannot be loaded", program);
		program = -1;
		return;
	}
	link = bpf_raw_tracepoint_open(NULL, program);
	if (link < 0)
		say_refused(ret, "a program cannot be attached", -errno);
	else
		probe_say(ret, PROBE_OK, "a program was attached to sched_process_exit");
}

static void task_iterator(struct probe_result *ret)
{
	cleanup(close) int program = load_tracing("task", BPF_TRACE_ITER);
	cleanup(close) int link = -1;
	cleanup(close) int iterator = -1;
	char byte;

	if (program < 0) {
		say_refused(ret, "a program cannot be loaded", program);
		program = -1;
		return;
	}
	link = bpf_link_create(program, 0, BPF_TRACE_ITER, NULL);
	if (link >= 0)
		iterator = bpf_iter_create(link);
	if (iterator < 0)
		say_refused(ret, "a program cannot be attached", -errno);
	else if (read(iterator, &byte, 1) < 0)
		say_refused(ret, "it cannot be read", -errno);
	else
		probe_say(ret, PROBE_OK, "a program ran over every task");
}

static void user_probes(struct probe_result *ret)
{
	const struct bpf_insn program[] = { INSN_RETURN_0 };
	LIBBPF_OPTS(bpf_prog_load_opts, options,
		    .expected_attach_type = (enum bpf_attach_type)UPROBE_LINK_MULTI);
	cleanup(close) int fd = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "profd_probe", "GPL", program,
					      ARRAY_SIZE(program), &options);
	double ns = 0;
	int r = fd < 0 ? -errno : probe_cost_measure(fd, UPROBE_LINK_MULTI, &ns);

	if (r == -EOPNOTSUPP || r == -EINVAL)
		probe_say(ret, PROBE_MISSING,
			  "the kernel has no uprobe_multi links (Linux 6.6): no '-e alloc'");
	else if (r < 0)
		say_refused(ret, "no instruction can be probed: no '-e alloc'", r);
	else
		probe_say(ret, ns > TRAP_NS_MAX ? PROBE_DEGRADED : PROBE_OK,
			  "a probed instruction took %.2f us longer%s", ns / 1000,
			  ns > TRAP_NS_MAX ? ", too long for '-e alloc'" : "");
}

static void return_probes(struct probe_result *ret)
{
	const struct bpf_insn program[] = { INSN_RETURN_0 };
	LIBBPF_OPTS(bpf_prog_load_opts, options,
		    .expected_attach_type = (enum bpf_attach_type)UPROBE_LINK_SESSION);
	cleanup(close) int fd = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "profd_probe", "GPL", program,
					      ARRAY_SIZE(program), &options);
	int r = fd < 0 ? -errno : probe_return_check(fd);

	if (r == -EOPNOTSUPP || r == -EINVAL)
		probe_say(
			ret, PROBE_MISSING,
			"the kernel has no uprobe_session links (Linux 6.13): no '-e heap' of processes that "
			"run already");
	else if (r < 0)
		say_refused(ret,
			    "no return can be probed: no '-e heap' of processes that run already",
			    r);
	else if (r == PROBE_RETURN_KILLS)
		probe_say(ret, PROBE_DEGRADED,
			  "a probed return ends who filters system calls: no '-e heap' of those");
	else
		probe_say(ret, PROBE_OK,
			  "a return was probed, of a process that filters system calls");
}

#define QUIETLY(name, probe)                                                                       \
	static void name(struct probe_result *ret)                                                 \
	{                                                                                          \
		libbpf_print_fn_t before = libbpf_set_print(quiet);                                \
		probe(ret);                                                                        \
		libbpf_set_print(before);                                                          \
	}
QUIETLY(quiet_perf_event_program, perf_event_program)
QUIETLY(quiet_ring_buffer, ring_buffer)
QUIETLY(quiet_typed_tracepoint, typed_tracepoint)
QUIETLY(quiet_task_iterator, task_iterator)
QUIETLY(quiet_user_probes, user_probes)
QUIETLY(quiet_return_probes, return_probes)

const struct probe probes_bpf[] = {
	{ "bpf-perf-event", PROBE_FOR_TABLES, quiet_perf_event_program },
	{ "bpf-ring-buffer", PROBE_FOR_TABLES, quiet_ring_buffer },
	{ "bpf-tp-btf", PROBE_FOR_TABLES, quiet_typed_tracepoint },
	{ "bpf-iter-task", PROBE_NICE, quiet_task_iterator },
	{ "bpf-uprobe-multi", PROBE_NICE, quiet_user_probes },
	{ "bpf-uprobe-session", PROBE_NICE, quiet_return_probes },
	{},
};
