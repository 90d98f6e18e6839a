// SPDX-License-Identifier: Apache-2.0
#include "session/waiting.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/cleanup.h"
#include "proc/system_calls.h"

/* Kinds of arguments, how they are shown. */
enum argument {
	NONE = 0, /* that, and those behind it, are not shown */
	HEX,
	NUMBER,	      /* int */
	SIZE,	      /* size_t, and other unsigned ones of 64 bits */
	DESCRIPTOR,   /* a file's */
	FOLDER,	      /* the same, or AT_FDCWD */
	MILLISECONDS, /* int; below 0: for ever */
	TIME,	      /* a struct timespec; NULL: for ever */
	CLOCK,
	TIMER_FLAGS,
	POLLED, /* an array of struct pollfd; the next argument says how many */
	FUTEX,	/* the operation */
};

struct form {
	long number;
	unsigned char arguments[SYSTEM_CALL_ARGUMENTS];
};

/* Of calls that threads are found in; of all others three arguments are shown in hexadecimal. */
static const struct form forms[] = {
	{ SYS_read, { DESCRIPTOR, HEX, SIZE } },
	{ SYS_write, { DESCRIPTOR, HEX, SIZE } },
	{ SYS_pread64, { DESCRIPTOR, HEX, SIZE, SIZE } },
	{ SYS_pwrite64, { DESCRIPTOR, HEX, SIZE, SIZE } },
	{ SYS_readv, { DESCRIPTOR, HEX, NUMBER } },
	{ SYS_writev, { DESCRIPTOR, HEX, NUMBER } },
	{ SYS_recvfrom, { DESCRIPTOR, HEX, SIZE, HEX } },
	{ SYS_recvmsg, { DESCRIPTOR, HEX, HEX } },
	{ SYS_recvmmsg, { DESCRIPTOR, HEX, NUMBER, HEX, TIME } },
	{ SYS_sendto, { DESCRIPTOR, HEX, SIZE, HEX } },
	{ SYS_sendmsg, { DESCRIPTOR, HEX, HEX } },
	{ SYS_accept, { DESCRIPTOR } },
	{ SYS_accept4, { DESCRIPTOR } },
	{ SYS_connect, { DESCRIPTOR } },
	{ SYS_epoll_pwait, { DESCRIPTOR, HEX, NUMBER, MILLISECONDS } },
	{ SYS_ppoll, { POLLED, NUMBER, TIME } },
	{ SYS_pselect6, { NUMBER, HEX, HEX, HEX, TIME } },
	{ SYS_futex, { HEX, FUTEX, NUMBER, TIME } },
	{ SYS_nanosleep, { TIME } },
	{ SYS_clock_nanosleep, { CLOCK, TIMER_FLAGS, TIME } },
	{ SYS_wait4, { NUMBER, HEX, HEX } },
	{ SYS_waitid, { NUMBER, NUMBER, HEX, HEX } },
	{ SYS_flock, { DESCRIPTOR, NUMBER } },
	{ SYS_fcntl, { DESCRIPTOR, NUMBER, HEX } },
	{ SYS_ioctl, { DESCRIPTOR, HEX, HEX } },
	{ SYS_fsync, { DESCRIPTOR } },
	{ SYS_fdatasync, { DESCRIPTOR } },
	{ SYS_ftruncate, { DESCRIPTOR, SIZE } },
	{ SYS_getdents64, { DESCRIPTOR, HEX, SIZE } },
	{ SYS_sendfile, { DESCRIPTOR, DESCRIPTOR, HEX, SIZE } },
	{ SYS_splice, { DESCRIPTOR, HEX, DESCRIPTOR, HEX, SIZE } },
	{ SYS_openat, { FOLDER, HEX, HEX } },
	{ SYS_close, { DESCRIPTOR } },
	{ SYS_rt_sigtimedwait, { HEX, HEX, TIME } },
	{ SYS_io_uring_enter, { DESCRIPTOR, NUMBER, NUMBER, HEX } },
	/* Without arguments. */
	{ SYS_restart_syscall, { NONE } },
	{ SYS_sched_yield, { NONE } },
#ifdef SYS_epoll_pwait2
	{ SYS_epoll_pwait2, { DESCRIPTOR, HEX, NUMBER, TIME } },
#endif
#if defined(__x86_64__)
	{ SYS_epoll_wait, { DESCRIPTOR, HEX, NUMBER, MILLISECONDS } },
	{ SYS_poll, { POLLED, NUMBER, MILLISECONDS } },
	{ SYS_select, { NUMBER, HEX, HEX, HEX, HEX } },
	{ SYS_pause, { NONE } },
	{ SYS_vfork, { NONE } },
	{ SYS_fork, { NONE } },
#endif
};

static const unsigned char other_form[SYSTEM_CALL_ARGUMENTS] = { HEX, HEX, HEX };

static const unsigned char *form_of(int64_t number)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (forms[i].number == number)
			return forms[i].arguments;
	return other_form;
}

static void add_descriptor(struct bytes *ret, struct descriptors *descriptors, uint64_t value)
{
	cleanup(bytes_fini) struct bytes text = {};
	int fd = (int)value;

	bytes_add_format(ret, "%d", fd);
	if (fd >= 0 && descriptor_describe(descriptors, &text, fd) && bytes_str(&text))
		bytes_add_format(ret, " <%s>", text.at);
}

static void add_time(struct bytes *ret, struct process_memory *memory, uint64_t value)
{
	struct timespec time;

	if (!value)
		bytes_add_str(ret, "for ever");
	else if (process_memory_read(memory, &time, sizeof(time), value) < 0)
		bytes_add_format(ret, "0x%" PRIx64, value);
	else
		bytes_add_format(ret, "%" PRId64 ".%09" PRId64 " s", (int64_t)time.tv_sec,
				 (int64_t)time.tv_nsec);
}

static void add_clock(struct bytes *ret, uint64_t value)
{
	static const char *const names[] = {
		[CLOCK_REALTIME] = "CLOCK_REALTIME",
		[CLOCK_MONOTONIC] = "CLOCK_MONOTONIC",
		[CLOCK_PROCESS_CPUTIME_ID] = "CLOCK_PROCESS_CPUTIME_ID",
		[CLOCK_THREAD_CPUTIME_ID] = "CLOCK_THREAD_CPUTIME_ID",
		[CLOCK_BOOTTIME] = "CLOCK_BOOTTIME",
		[CLOCK_TAI] = "CLOCK_TAI",
	};
	uint32_t clock = (uint32_t)value;

	if (clock < ARRAY_SIZE(names) && names[clock])
		bytes_add_str(ret, names[clock]);
	else
		bytes_add_format(ret, "%d", (int)clock);
}

/* futex(2), "Futex operations". */
static void add_futex(struct bytes *ret, uint64_t value)
{
	static const char *const names[] = {
		[FUTEX_WAIT] = "FUTEX_WAIT",
		[FUTEX_WAKE] = "FUTEX_WAKE",
		[FUTEX_REQUEUE] = "FUTEX_REQUEUE",
		[FUTEX_CMP_REQUEUE] = "FUTEX_CMP_REQUEUE",
		[FUTEX_WAKE_OP] = "FUTEX_WAKE_OP",
		[FUTEX_LOCK_PI] = "FUTEX_LOCK_PI",
		[FUTEX_UNLOCK_PI] = "FUTEX_UNLOCK_PI",
		[FUTEX_TRYLOCK_PI] = "FUTEX_TRYLOCK_PI",
		[FUTEX_WAIT_BITSET] = "FUTEX_WAIT_BITSET",
		[FUTEX_WAKE_BITSET] = "FUTEX_WAKE_BITSET",
		[FUTEX_WAIT_REQUEUE_PI] = "FUTEX_WAIT_REQUEUE_PI",
	};
	uint32_t operation = (uint32_t)value & (uint32_t)FUTEX_CMD_MASK;

	if (operation >= ARRAY_SIZE(names) || !names[operation])
		bytes_add_format(ret, "0x%" PRIx32, (uint32_t)value);
	else
		bytes_add_str(ret, names[operation]);
	if (operation < ARRAY_SIZE(names) && value & FUTEX_PRIVATE_FLAG)
		bytes_add_str(ret, "|PRIVATE");
}

/* "[3 <pipe:[4711]>, 5 <tcp 127.0.0.1:80>, ...]" */
static void add_polled(struct bytes *ret, const struct wire_thread *thread,
		       struct descriptors *descriptors, struct process_memory *memory)
{
	enum { SHOWN = 4 };
	uint64_t address = thread->arguments[0], count = thread->arguments[1];
	struct pollfd polled[SHOWN];
	size_t shown = count < SHOWN ? (size_t)count : SHOWN;

	if (!shown || process_memory_read(memory, polled, shown * sizeof(*polled), address) < 0) {
		bytes_add_format(ret, "0x%" PRIx64, address);
		return;
	}
	bytes_add_char(ret, '[');
	for (size_t i = 0; i < shown; i++) {
		bytes_add_str(ret, i ? ", " : "");
		add_descriptor(ret, descriptors, (uint64_t)(int64_t)polled[i].fd);
	}
	bytes_add_str(ret, count > shown ? ", ...]" : "]");
}

static void add_argument(struct bytes *ret, const struct wire_thread *thread, enum argument kind,
			 uint64_t value, struct descriptors *descriptors,
			 struct process_memory *memory)
{
	switch (kind) {
	case POLLED:
		add_polled(ret, thread, descriptors, memory);
		break;
	case NUMBER:
		bytes_add_format(ret, "%d", (int)value);
		break;
	case SIZE:
		bytes_add_format(ret, "%" PRIu64, value);
		break;
	case FOLDER:
		if ((int)value == AT_FDCWD)
			bytes_add_str(ret, "AT_FDCWD");
		else
			add_descriptor(ret, descriptors, value);
		break;
	case DESCRIPTOR:
		add_descriptor(ret, descriptors, value);
		break;
	case MILLISECONDS:
		if ((int)value < 0)
			bytes_add_str(ret, "for ever");
		else
			bytes_add_format(ret, "%d ms", (int)value);
		break;
	case TIME:
		add_time(ret, memory, value);
		break;
	case TIMER_FLAGS:
		if (value == TIMER_ABSTIME)
			bytes_add_str(ret, "TIMER_ABSTIME");
		else
			bytes_add_format(ret, "%d", (int)value);
		break;
	case CLOCK:
		add_clock(ret, value);
		break;
	case FUTEX:
		add_futex(ret, value);
		break;
	case NONE:
	case HEX:
		bytes_add_format(ret, "0x%" PRIx64, value);
		break;
	}
}

void system_call_fini(struct system_call *call)
{
	for (unsigned i = 0; i < SYSTEM_CALL_ARGUMENTS; i++) {
		free(call->arguments[i].text);
		call->arguments[i].text = NULL;
	}
	call->count = 0;
}

/* A thread that has stopped may have done with its last call: not with one that is to be restarted. */
static bool is_in_call(const struct wire_thread *thread)
{
	enum { RESTART_FIRST = 512, RESTART_LAST = 516, STOPPED = 4, TRACED = 8 };

	if (thread->system_call < 0 ||
	    thread->flags & (THREAD_KERNEL | THREAD_ON_CPU | THREAD_COMPAT))
		return false;
	if (thread->state && !(thread->state & (STOPPED | TRACED)))
		return true;
	return thread->result <= -RESTART_FIRST && thread->result >= -RESTART_LAST;
}

int system_call_describe(struct system_call *ret, const struct wire_thread *thread,
			 struct descriptors *descriptors, struct process_memory *memory)
{
	const unsigned char *form;

	*ret = (struct system_call){ .number = -1 };
	if (!is_in_call(thread))
		return 0;
	ret->number = thread->system_call;
	ret->name = system_call_name(ret->number);
	snprintf(ret->number_text, sizeof(ret->number_text), "system call %" PRId64, ret->number);
	form = form_of(ret->number);
	while (ret->count < SYSTEM_CALL_ARGUMENTS && form[ret->count] != NONE) {
		struct system_call_argument *argument = &ret->arguments[ret->count];
		cleanup(bytes_fini) struct bytes text = {};
		const char *whole;

		argument->value = thread->arguments[ret->count];
		add_argument(&text, thread, form[ret->count++], argument->value, descriptors,
			     memory);
		whole = bytes_str(&text);
		argument->text = whole ? strdup(whole) : NULL;
		if (!argument->text)
			return -ENOMEM;
	}
	return 0;
}

/* ---- states ---- */

/* include/linux/sched.h. */
enum {
	STATE_INTERRUPTIBLE = 0x1,
	STATE_UNINTERRUPTIBLE = 0x2,
	STATE_STOPPED = 0x4,
	STATE_TRACED = 0x8,
	STATE_EXIT_DEAD = 0x10,
	STATE_EXIT_ZOMBIE = 0x20,
	STATE_PARKED = 0x40,
	STATE_DEAD = 0x80,
	STATE_NOLOAD = 0x400,
};

bool thread_has_ended(const struct wire_thread *thread)
{
	return thread->state & (STATE_EXIT_DEAD | STATE_EXIT_ZOMBIE | STATE_DEAD);
}

const char *thread_state_text(const struct wire_thread *thread)
{
	if (thread_has_ended(thread))
		return "ended";
	if (thread->flags & THREAD_ON_CPU)
		return "running";
	if (thread->state & STATE_STOPPED)
		return "stopped";
	if (thread->state & STATE_TRACED)
		return "stopped by a tracer";
	if (thread->state & STATE_PARKED)
		return "parked";
	if (thread->state & STATE_UNINTERRUPTIBLE)
		return thread->state & STATE_NOLOAD ? "idle" : "uninterruptible sleep";
	return thread->state & STATE_INTERRUPTIBLE ? "sleeping" : "waiting for a CPU";
}

bool is_scheduler_function(const char *name)
{
	static const char *const beginnings[] = { "schedule",	    "__schedule",
						  "io_schedule",    "preempt_schedule",
						  "__cond_resched", "__traceiter_sched" };

	for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++)
		if (strncmp(name, beginnings[i], strlen(beginnings[i])) == 0)
			return true;
	return false;
}
