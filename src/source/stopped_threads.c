// SPDX-License-Identifier: Apache-2.0
#include "source/stopped_threads.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "bpf/saved_place.h"
#include "proc/stat.h"

enum {
	THREADS_MAX = 1 << 20,
	ROUNDS_MAX = 1000,
	BETWEEN_LOOKS_NS = 50000,
	USER32_CODE = 0x23, /* __USER32_CS, arch/x86/include/asm/segment.h */
	/* include/linux/sched.h */
	STATE_INTERRUPTIBLE = 1,
	STATE_UNINTERRUPTIBLE = 2,
	STATE_STOPPED = 4,
	STATE_TRACED = 8,
	STATE_ZOMBIE = 0x20,
};

/* For looking at the threads, which stops none of them. */
#define LOOK_NS 10000000000ULL

/* What the tracer says first; then come the threads. */
struct tracer_header {
	int32_t error; /* negative errno; 0: they are stopped */
	uint32_t count;
};

/* ---- the tracer ---- */

struct traced {
	struct stopped_thread thread;
	enum { TRACED_SEIZED, TRACED_STOPPED, TRACED_GONE } is;
	int signal; /* it was about to get this one */
};

struct tracer {
	pid_t pid;
	int socket;
	uint64_t limit_ns;
	uint64_t began_ns; /* the first thread was stopped, CLOCK_MONOTONIC; 0: none was */
	ARRAY_OF(struct traced) threads; /* ascending by id, up to `sorted` */
	uint32_t sorted;
};

static uint32_t state_of(char letter)
{
	switch (letter) {
	case 'S':
		return STATE_INTERRUPTIBLE;
	case 'D':
		return STATE_UNINTERRUPTIBLE;
	case 'T':
		return STATE_STOPPED;
	case 't':
		return STATE_TRACED;
	case 'Z':
	case 'X':
		return STATE_ZOMBIE;
	default:
		return 0;
	}
}

static int read_of_thread(struct bytes *ret, pid_t pid, uint32_t tid, const char *name)
{
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/task/%" PRIu32 "/%s", (int)pid, tid, name);
	r = fs_read(ret, AT_FDCWD, path, 4096);
	return r < 0 ? r : bytes_str(ret) ? 0 : -ENOMEM;
}

/* "CALL ARG... SP PC", "-1 SP PC", or "running" (proc_pid_syscall(5)). Does it wait? */
static bool read_waiting(struct wire_thread *ret, pid_t pid, uint32_t tid)
{
	cleanup(bytes_fini) struct bytes text = {};
	uint64_t *a = ret->arguments;

	if (read_of_thread(&text, pid, tid, "syscall") < 0)
		return false;
	if (sscanf(text.at,
		   "%" SCNi64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64
		   " %" SCNx64 " %" SCNx64 " %" SCNx64,
		   &ret->system_call, &a[0], &a[1], &a[2], &a[3], &a[4], &a[5], &ret->sp,
		   &ret->ip) == 9)
		return true;
	ret->system_call = -1;
	return sscanf(text.at, "-1 %" SCNx64 " %" SCNx64, &ret->sp, &ret->ip) == 2;
}

/* What it is before it is stopped. */
static void look_at(struct tracer *tracer, struct stopped_thread *thread)
{
	cleanup(bytes_fini) struct bytes text = {}, function = {};
	struct proc_stat stat;

	thread->at.pid = (uint32_t)tracer->pid;
	thread->at.system_call = -1;
	if (read_of_thread(&text, tracer->pid, thread->at.tid, "stat") == 0 &&
	    proc_stat_parse(&stat, text.at, text.size) == 0) {
		thread->at.state = state_of(stat.state);
		memcpy(thread->at.comm, stat.comm, sizeof(thread->at.comm));
	}
	if (read_of_thread(&function, tracer->pid, thread->at.tid, "wchan") == 0 &&
	    strcmp(function.at, "0") != 0)
		snprintf(thread->kernel_function, sizeof(thread->kernel_function), "%.63s",
			 function.at);
}

static int compare_threads(const void *a, const void *b)
{
	const struct traced *x = a, *y = b;

	return (x->thread.at.tid > y->thread.at.tid) - (x->thread.at.tid < y->thread.at.tid);
}

static bool knows(const struct tracer *tracer, uint32_t tid)
{
	struct traced wanted = { .thread.at.tid = tid };

	return tracer->sorted && bsearch(&wanted, tracer->threads.at, tracer->sorted,
					 sizeof(wanted), compare_threads);
}

/* Seizes threads that are new. Returns how many, or a negative errno. */
static int seize_new(struct tracer *tracer)
{
	char path[64];
	cleanup(closedir) DIR *folder = NULL;
	const struct dirent *entry;
	int found = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)tracer->pid);
	folder = opendir(path);
	if (!folder)
		return errno == ENOENT ? -ESRCH : -errno;
	while ((entry = readdir(folder))) {
		struct traced *slot;
		uint32_t tid;

		if (sscanf(entry->d_name, "%" SCNu32, &tid) != 1 || knows(tracer, tid))
			continue;
		if (tracer->threads.count >= THREADS_MAX)
			return -E2BIG;
		slot = array_push(&tracer->threads);
		if (!slot)
			return -ENOMEM;
		slot->thread.at.tid = tid;
		look_at(tracer, &slot->thread);
		if (ptrace(PTRACE_SEIZE, (pid_t)tid, NULL, 0L) < 0) {
			/* Who has ended cannot be seized, first threads among them. */
			if (errno == EPERM && !(slot->thread.at.state & STATE_ZOMBIE))
				return -EPERM;
			slot->is = TRACED_GONE;
		}
		found++;
	}
	return found;
}

static void interrupt_new(struct tracer *tracer)
{
	for (uint32_t i = tracer->sorted; i < tracer->threads.count; i++) {
		struct traced *traced = &tracer->threads.at[i];

		if (traced->is == TRACED_SEIZED &&
		    ptrace(PTRACE_INTERRUPT, (pid_t)traced->thread.at.tid, NULL, NULL) < 0)
			traced->is = TRACED_GONE;
	}
	if (tracer->threads.count)
		qsort(tracer->threads.at, tracer->threads.count, sizeof(*tracer->threads.at),
		      compare_threads);
	tracer->sorted = tracer->threads.count;
}

static void look_whether_stopped(struct traced *traced)
{
	int status;
	pid_t r = waitpid((pid_t)traced->thread.at.tid, &status, __WALL | WNOHANG);

	if (r == 0)
		return;
	if (r < 0 || !WIFSTOPPED(status)) {
		traced->is = TRACED_GONE;
		return;
	}
	traced->is = TRACED_STOPPED;
	/* With PTRACE_EVENT_STOP, the signal is how it stopped, and none that it is to get. */
	if (status >> 16 == 0)
		traced->signal = WSTOPSIG(status);
}

static bool wait_for_all(struct tracer *tracer)
{
	const struct timespec pause = { .tv_nsec = BETWEEN_LOOKS_NS };
	uint64_t until_ns = tracer->began_ns + tracer->limit_ns / 2;

	for (;;) {
		uint32_t missing = 0;

		for (uint32_t i = 0; i < tracer->threads.count; i++) {
			struct traced *traced = &tracer->threads.at[i];

			if (traced->is != TRACED_SEIZED)
				continue;
			look_whether_stopped(traced);
			/* Of an uninterruptible sleep nobody knows how long it lasts. */
			missing += traced->is == TRACED_SEIZED &&
				   !(traced->thread.at.state & STATE_UNINTERRUPTIBLE);
		}
		if (!missing)
			return true;
		if (clock_ns(CLOCK_MONOTONIC) > until_ns)
			return false;
		(void)nanosleep(&pause, NULL);
	}
}

static void set_alarm(uint64_t ns)
{
	struct itimerval alarm = { .it_value = { .tv_sec = (time_t)(ns / 1000000000),
						 .tv_usec =
							 (suseconds_t)(ns % 1000000000 / 1000) } };

	if (setitimer(ITIMER_REAL, &alarm, NULL) < 0)
		_exit(1);
}

/* Threads make threads until all stand still. */
static int stop_all(struct tracer *tracer)
{
	for (int round = 0; round < ROUNDS_MAX; round++) {
		int found = seize_new(tracer);

		if (found < 0)
			return found;
		if (found == 0)
			return 0;
		if (!tracer->began_ns) {
			tracer->began_ns = clock_ns(CLOCK_MONOTONIC);
			set_alarm(tracer->limit_ns);
		}
		interrupt_new(tracer);
		if (!wait_for_all(tracer))
			return 0;
	}
	return 0;
}

#if defined(__x86_64__)
static void take_registers(struct stopped_thread *thread)
{
	struct user_regs_struct regs;
	struct iovec part = { &regs, sizeof(regs) };
	uint64_t *t = thread->at.temporaries;
	struct saved_place at;

	if (ptrace(PTRACE_GETREGSET, (pid_t)thread->at.tid, (void *)NT_PRSTATUS, &part) < 0 ||
	    part.iov_len != sizeof(regs)) {
		/* Of 32-bit code there are fewer. */
		thread->at.flags |= THREAD_COMPAT;
		return;
	}
	thread->has_registers = true;
	if (regs.cs == USER32_CODE)
		thread->at.flags |= THREAD_COMPAT;
	t[TEMPORARY_AX] = regs.rax;
	t[TEMPORARY_DX] = regs.rdx;
	t[TEMPORARY_CX] = regs.rcx;
	t[TEMPORARY_SI] = regs.rsi;
	t[TEMPORARY_DI] = regs.rdi;
	t[TEMPORARY_R8] = regs.r8;
	t[TEMPORARY_R9] = regs.r9;
	t[TEMPORARY_R10] = regs.r10;
	t[TEMPORARY_R11] = regs.r11;
	at = (struct saved_place){ .ip = regs.rip, .sp = regs.rsp, .bp = regs.rbp, .bx = regs.rbx };
	at.exact = (int64_t)regs.orig_rax < 0 || has_new_place(&at, t);
	/* The mark of a stack that begins here, as of BPF's: see walk_step. */
	if (returns_from_clone(regs.orig_rax, regs.rax) && thread->at.tid != thread->at.pid) {
		at.bp = at.ip;
		at.exact = 0;
	}
	thread->at.ip = at.ip;
	thread->at.sp = at.sp;
	thread->at.bp = at.bp;
	thread->at.bx = at.bx;
	thread->at.flags |= at.exact ? THREAD_EXACT : 0;
	thread->at.system_call = (int64_t)regs.orig_rax;
	thread->at.arguments[0] = regs.rdi;
	thread->at.arguments[1] = regs.rsi;
	thread->at.arguments[2] = regs.rdx;
	thread->at.arguments[3] = regs.r10;
	thread->at.arguments[4] = regs.r8;
	thread->at.arguments[5] = regs.r9;
	thread->at.result = (int64_t)regs.rax;
}
#else
#error "which registers a stopped thread has is not written for this processor"
#endif

static int send_all(int socket, const void *data, size_t size)
{
	const char *at = data;

	while (size) {
		ssize_t r = send(socket, at, size, MSG_NOSIGNAL);

		if (r < 0 && errno != EINTR)
			return -errno;
		at += r > 0 ? r : 0;
		size -= r > 0 ? (size_t)r : 0;
	}
	return 0;
}

static int tell(struct tracer *tracer)
{
	struct tracer_header header = {};
	int r;

	for (uint32_t i = 0; i < tracer->threads.count; i++) {
		struct traced *traced = &tracer->threads.at[i];
		struct stopped_thread *thread = &traced->thread;

		if (traced->is == TRACED_STOPPED)
			take_registers(thread);
		else if (traced->is == TRACED_SEIZED)
			thread->sleeps_on = thread->has_registers =
				read_waiting(&thread->at, tracer->pid, thread->at.tid);
		else
			thread->at.state = STATE_ZOMBIE;
		header.count++;
	}
	r = send_all(tracer->socket, &header, sizeof(header));
	for (uint32_t i = 0; i < tracer->threads.count && r == 0; i++)
		r = send_all(tracer->socket, &tracer->threads.at[i].thread,
			     sizeof(tracer->threads.at[i].thread));
	return r;
}

static void let_go(struct tracer *tracer)
{
	uint64_t stop_ns = 0;

	for (uint32_t i = 0; i < tracer->threads.count; i++) {
		const struct traced *traced = &tracer->threads.at[i];

		/* What is not stopped is let go by our end. */
		if (traced->is == TRACED_STOPPED)
			(void)ptrace(PTRACE_DETACH, (pid_t)traced->thread.at.tid, NULL,
				     (long)traced->signal);
	}
	if (tracer->began_ns)
		stop_ns = clock_ns(CLOCK_MONOTONIC) - tracer->began_ns;
	(void)send_all(tracer->socket, &stop_ns, sizeof(stop_ns));
}

/*
 * No signal of a terminal reaches a session of its own: who stops or leaves profd with the keyboard
 * does not keep the target stopped.
 */
static void bound_life(pid_t parent)
{
	sigset_t none;

	(void)setsid();
	(void)signal(SIGALRM, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	set_alarm(LOOK_NS);
}

/* The alarm is for what hangs: here it ends a little before. */
static void wait_for_word(const struct tracer *tracer)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	uint64_t until = tracer->began_ns + tracer->limit_ns - tracer->limit_ns / 10;
	struct pollfd word = { .fd = tracer->socket, .events = POLLIN };

	if (now < until)
		(void)poll(&word, 1, (int)((until - now) / 1000000));
}

static _Noreturn void trace(pid_t pid, int socket, uint64_t limit_ns, pid_t parent)
{
	struct tracer tracer = { .pid = pid, .socket = socket, .limit_ns = limit_ns };
	int r;

	bound_life(parent);
	r = stop_all(&tracer);
	if (r < 0) {
		struct tracer_header header = { .error = r };

		(void)send_all(socket, &header, sizeof(header));
		let_go(&tracer);
		_exit(1);
	}
	if (tell(&tracer) == 0)
		wait_for_word(&tracer);
	let_go(&tracer);
	_exit(0);
}

/* ---- profd ---- */

/* Returns 0, or -ENODATA when the tracer has ended before. */
static int receive(int socket, void *ret, size_t size)
{
	char *at = ret;

	while (size) {
		ssize_t r = recv(socket, at, size, 0);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			return -ENODATA;
		at += r;
		size -= (size_t)r;
	}
	return 0;
}

static int explain(struct source_failure *failure, int r, pid_t pid)
{
	cleanup(bytes_fini) struct bytes text = {};
	const char *line = NULL;
	int tracer = 0;

	if (r == -EPERM && read_of_thread(&text, pid, (uint32_t)pid, "status") == 0)
		line = strstr(text.at, "\nTracerPid:");
	if (line && sscanf(line, "\nTracerPid: %d", &tracer) == 1 && tracer) {
		snprintf(failure->what, sizeof(failure->what),
			 "process %d traces it (a debugger, or strace?)", tracer);
		return -EBUSY;
	}
	snprintf(failure->what, sizeof(failure->what), "%s",
		 r == -ENODATA ? "its threads did not stop in time" : "cannot stop its threads");
	return r == -ENODATA ? -ETIMEDOUT : r;
}

static int listen_to(struct stopped_threads *stopped)
{
	struct tracer_header header;
	int r = receive(stopped->socket, &header, sizeof(header));

	if (r < 0 || header.error)
		return r < 0 ? r : header.error;
	for (uint32_t i = 0; i < header.count && r == 0; i++) {
		struct stopped_thread *slot = array_push(&stopped->threads);

		r = slot ? receive(stopped->socket, slot, sizeof(*slot)) : -ENOMEM;
	}
	return r;
}

int stopped_threads_open(struct stopped_threads *ret, pid_t pid, uint64_t limit_ns,
			 struct source_failure *failure)
{
	pid_t parent = getpid();
	int ends[2], r;

	*ret = (struct stopped_threads){ .pid = pid, .socket = -1 };
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return explain(failure, -errno, pid);
	ret->tracer = fork();
	if (ret->tracer < 0) {
		r = -errno;
		close(ends[0]);
		close(ends[1]);
		return explain(failure, r, pid);
	}
	if (ret->tracer == 0) {
		close(ends[0]);
		trace(pid, ends[1], limit_ns, parent);
	}
	close(ends[1]);
	ret->socket = ends[0];
	r = listen_to(ret);
	if (r < 0) {
		stopped_threads_release(ret);
		return explain(failure, r, pid);
	}
	return 0;
}

bool stopped_threads_hold(const struct stopped_threads *stopped)
{
	struct pollfd end = { .fd = stopped->socket, .events = POLLIN };

	/* It says nothing more before it lets them go. */
	return stopped->socket >= 0 && poll(&end, 1, 0) == 0;
}

bool stopped_thread_sleeps_on(const struct stopped_threads *stopped,
			      const struct stopped_thread *thread)
{
	struct wire_thread now = {};

	return read_waiting(&now, stopped->pid, thread->at.tid) && now.ip == thread->at.ip &&
	       now.sp == thread->at.sp;
}

void stopped_threads_release(struct stopped_threads *stopped)
{
	int status;

	if (stopped->socket < 0)
		return;
	(void)shutdown(stopped->socket, SHUT_WR);
	if (receive(stopped->socket, &stopped->stop_ns, sizeof(stopped->stop_ns)) < 0)
		stopped->stop_ns = 0;
	close(stopped->socket);
	stopped->socket = -1;
	while (waitpid(stopped->tracer, &status, 0) < 0 && errno == EINTR)
		;
}

void stopped_threads_fini(struct stopped_threads *stopped)
{
	stopped_threads_release(stopped);
	array_fini(&stopped->threads);
}
