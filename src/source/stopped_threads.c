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
	LOOKS_PER_STATE = 50, /* how often what does not stop is asked whether it can */
	USER32_CODE = 0x23,   /* __USER32_CS, arch/x86/include/asm/segment.h */
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
	uint32_t refused; /* the thread that cannot be seized; 0: none */
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
	timer_t alarm;
	uint64_t limit_ns;
	uint64_t began_ns; /* the first thread was seized, CLOCK_MONOTONIC; 0: none was */
	ARRAY_OF(struct traced) threads; /* ascending by id, up to `sorted` */
	uint32_t sorted;
	uint32_t refused; /* the thread that cannot be seized; 0: none */
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

static int read_stat(struct proc_stat *ret, const struct tracer *tracer, uint32_t tid)
{
	cleanup(bytes_fini) struct bytes text = {};
	int r = read_of_thread(&text, tracer->pid, tid, "stat");

	return r < 0 ? r : proc_stat_parse(ret, text.at, text.size);
}

/* What it is before it is stopped. */
static void look_at(const struct tracer *tracer, struct stopped_thread *thread)
{
	cleanup(bytes_fini) struct bytes function = {};
	struct proc_stat stat;

	thread->at.pid = (uint32_t)tracer->pid;
	thread->at.system_call = -1;
	if (read_stat(&stat, tracer, thread->at.tid) == 0) {
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

/* Returns how many threads are new, or a negative errno. */
static int find_new(struct tracer *tracer)
{
	char path[64];
	cleanup(closedir) DIR *folder = NULL;
	const struct dirent *entry;

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
	}
	return (int)(tracer->threads.count - tracer->sorted);
}

/* Lets the kernel kill the tracer then, also when somebody has stopped it: no SIGALRM would. */
static void set_alarm(const struct tracer *tracer, uint64_t ns)
{
	struct itimerspec alarm = { .it_value = { .tv_sec = (time_t)(ns / 1000000000),
						  .tv_nsec = (long)(ns % 1000000000) } };

	if (timer_settime(tracer->alarm, 0, &alarm, NULL) < 0)
		_exit(1);
}

/* Who has ended cannot be seized, first threads among them. */
static bool has_ended(const struct tracer *tracer, uint32_t tid)
{
	struct proc_stat stat;

	return read_stat(&stat, tracer, tid) < 0 || state_of(stat.state) == STATE_ZOMBIE;
}

/*
 * From here on the target may feel it: who calls execve(2) waits for its other threads to end, and
 * those for their tracer.
 */
static int seize_new(struct tracer *tracer)
{
	if (!tracer->began_ns) {
		tracer->began_ns = clock_ns(CLOCK_MONOTONIC);
		set_alarm(tracer, tracer->limit_ns);
	}
	for (uint32_t i = tracer->sorted; i < tracer->threads.count; i++) {
		struct traced *traced = &tracer->threads.at[i];
		uint32_t tid = traced->thread.at.tid;

		if (ptrace(PTRACE_SEIZE, (pid_t)tid, NULL, 0L) == 0)
			continue;
		if (errno == EPERM && !has_ended(tracer, tid)) {
			tracer->refused = tid;
			return -EPERM;
		}
		traced->is = TRACED_GONE;
	}
	return 0;
}

static void interrupt_new(struct tracer *tracer)
{
	for (uint32_t i = tracer->sorted; i < tracer->threads.count; i++) {
		struct traced *traced = &tracer->threads.at[i];

		if (traced->is == TRACED_SEIZED &&
		    ptrace(PTRACE_INTERRUPT, (pid_t)traced->thread.at.tid, NULL, NULL) < 0)
			traced->is = TRACED_GONE;
	}
	qsort(tracer->threads.at, tracer->threads.count, sizeof(*tracer->threads.at),
	      compare_threads);
	tracer->sorted = tracer->threads.count;
}

/* A signal that it was about to get stays with it until it is let go, should we be killed. */
static void look_whether_stopped(struct traced *traced)
{
	siginfo_t info = {};
	int r = waitid(P_PID, traced->thread.at.tid, &info,
		       WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL);

	if (r == 0 && !info.si_pid)
		return;
	if (r < 0 || info.si_code != CLD_TRAPPED) {
		(void)waitpid((pid_t)traced->thread.at.tid, NULL, WNOHANG | __WALL);
		traced->is = TRACED_GONE;
		return;
	}
	traced->is = TRACED_STOPPED;
	/* With PTRACE_EVENT_STOP, the signal is how it stopped, and none that it is to get. */
	if (info.si_status >> 8 == 0)
		traced->signal = info.si_status;
}

/* Of an uninterruptible sleep nobody knows how long it lasts. */
static bool cannot_stop(const struct traced *traced)
{
	return traced->thread.at.state & STATE_UNINTERRUPTIBLE;
}

static void look_again(const struct tracer *tracer, struct traced *traced)
{
	struct proc_stat stat;

	if (read_stat(&stat, tracer, traced->thread.at.tid) == 0 &&
	    state_of(stat.state) == STATE_UNINTERRUPTIBLE)
		traced->thread.at.state = STATE_UNINTERRUPTIBLE;
}

static bool wait_for_all(struct tracer *tracer)
{
	const struct timespec pause = { .tv_nsec = BETWEEN_LOOKS_NS };
	uint64_t until_ns = tracer->began_ns + tracer->limit_ns / 2;

	for (unsigned look = 1;; look++) {
		uint32_t missing = 0;

		for (uint32_t i = 0; i < tracer->threads.count; i++) {
			struct traced *traced = &tracer->threads.at[i];

			if (traced->is != TRACED_SEIZED)
				continue;
			look_whether_stopped(traced);
			if (traced->is != TRACED_SEIZED || cannot_stop(traced))
				continue;
			missing++;
			if (look % LOOKS_PER_STATE == 0)
				look_again(tracer, traced);
		}
		if (!missing)
			return true;
		if (clock_ns(CLOCK_MONOTONIC) > until_ns)
			return false;
		(void)nanosleep(&pause, NULL);
	}
}

/* Threads make threads until all stand still. */
static int stop_all(struct tracer *tracer)
{
	for (int round = 0; round < ROUNDS_MAX; round++) {
		int r = find_new(tracer);

		if (r <= 0)
			return r;
		r = seize_new(tracer);
		if (r < 0)
			return r;
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

	if (ptrace(PTRACE_GETREGSET, (pid_t)thread->at.tid, (void *)NT_PRSTATUS, &part) < 0)
		return;
	thread->has_registers = true;
	/* Of 32-bit code there are fewer. */
	if (part.iov_len != sizeof(regs) || regs.cs == USER32_CODE) {
		thread->at.flags |= THREAD_COMPAT;
		return;
	}
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
#elif defined(__aarch64__)
static void take_registers(struct stopped_thread *thread)
{
	enum { CODE_32_BIT = 0x10 /* PSR_MODE32_BIT, asm/ptrace.h */ };
	struct user_regs_struct regs;
	struct iovec part = { &regs, sizeof(regs) };
	struct saved_place at;
	int32_t call = -1;
	struct iovec call_part = { &call, sizeof(call) };

	if (ptrace(PTRACE_GETREGSET, (pid_t)thread->at.tid, (void *)NT_PRSTATUS, &part) < 0)
		return;
	thread->has_registers = true;
	if (part.iov_len != sizeof(regs) || regs.pstate & CODE_32_BIT) {
		thread->at.flags |= THREAD_COMPAT;
		return;
	}
	/* The kernel's note, which is below 0 where it goes back elsewhere (NT_ARM_SYSTEM_CALL). */
	if (ptrace(PTRACE_GETREGSET, (pid_t)thread->at.tid, (void *)NT_ARM_SYSTEM_CALL, &call_part) < 0)
		call = -1;
	for (uint32_t i = 0; i < WIRE_TEMPORARIES; i++)
		thread->at.temporaries[i] = regs.regs[9 + i];
	at = (struct saved_place){ .ip = regs.pc, .sp = regs.sp, .bp = regs.regs[29],
				   .bx = regs.regs[30] };
	at.exact = call < 0 || has_new_place(&at, thread->at.temporaries);
	/* The mark of a stack that begins here, as of BPF's: see walk_step. */
	if (call >= 0 && returns_from_clone((uint64_t)call, regs.regs[0]) &&
	    thread->at.tid != thread->at.pid) {
		at.bp = at.ip;
		at.exact = 0;
	}
	thread->at.ip = at.ip;
	thread->at.sp = at.sp;
	thread->at.bp = at.bp;
	thread->at.bx = at.bx;
	thread->at.flags |= at.exact ? THREAD_EXACT : 0;
	thread->at.system_call = call;
	for (uint32_t i = 0; i < 6; i++)
		thread->at.arguments[i] = regs.regs[i];
	thread->at.result = (int64_t)regs.regs[0];
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

/* Of a thread that has ended meanwhile nobody else tells any more, but for the first one. */
static bool is_told(const struct tracer *tracer, const struct traced *traced)
{
	return traced->is != TRACED_GONE || traced->thread.at.state == STATE_ZOMBIE ||
	       traced->thread.at.tid == (uint32_t)tracer->pid;
}

static int tell(struct tracer *tracer)
{
	cleanup(bytes_fini) struct bytes all = {};
	struct tracer_header header = {};
	int r;

	for (uint32_t i = 0; i < tracer->threads.count; i++) {
		struct traced *traced = &tracer->threads.at[i];
		struct stopped_thread *thread = &traced->thread;

		if (!is_told(tracer, traced))
			continue;
		if (traced->is == TRACED_STOPPED)
			take_registers(thread);
		else if (traced->is == TRACED_SEIZED)
			thread->sleeps_on = thread->has_registers =
				read_waiting(&thread->at, tracer->pid, thread->at.tid);
		else
			thread->at.state = STATE_ZOMBIE;
		bytes_add(&all, thread, sizeof(*thread));
		header.count++;
	}
	header.error = all.failed ? -ENOMEM : 0;
	r = send_all(tracer->socket, &header, sizeof(header));
	return r < 0 || all.failed ? r : send_all(tracer->socket, all.at, all.size);
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
static void bound_life(struct tracer *tracer, pid_t parent)
{
	struct sigevent kill = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL };

	(void)setsid();
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent ||
	    timer_create(CLOCK_MONOTONIC, &kill, &tracer->alarm) < 0)
		_exit(1);
	set_alarm(tracer, LOOK_NS);
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

	bound_life(&tracer, parent);
	r = stop_all(&tracer);
	if (r < 0) {
		struct tracer_header header = { .error = r, .refused = tracer.refused };

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

/* refused: a thread that could not be seized; 0: not known. */
static int explain(struct source_failure *failure, int r, pid_t pid, uint32_t refused)
{
	cleanup(bytes_fini) struct bytes text = {};
	const char *line = NULL;
	int tracer = 0;

	if (refused && read_of_thread(&text, pid, refused, "status") == 0)
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

static int listen_to(struct stopped_threads *stopped, uint32_t *refused)
{
	struct tracer_header header;
	int r = receive(stopped->socket, &header, sizeof(header));

	if (r < 0)
		return r;
	*refused = header.refused;
	if (header.error)
		return header.error;
	if (!array_reserve(&stopped->threads, header.count))
		return -ENOMEM;
	r = receive(stopped->socket, stopped->threads.at,
		    header.count * sizeof(*stopped->threads.at));
	if (r == 0)
		stopped->threads.count = header.count;
	return r;
}

int stopped_threads_open(struct stopped_threads *ret, pid_t pid, uint64_t limit_ns,
			 struct source_failure *failure)
{
	pid_t parent = getpid();
	uint32_t refused = 0;
	int ends[2], r;

	*ret = (struct stopped_threads){ .pid = pid, .socket = -1 };
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return explain(failure, -errno, pid, 0);
	ret->tracer = fork();
	if (ret->tracer < 0) {
		r = -errno;
		close(ends[0]);
		close(ends[1]);
		return explain(failure, r, pid, 0);
	}
	if (ret->tracer == 0) {
		close(ends[0]);
		trace(pid, ends[1], limit_ns, parent);
	}
	close(ends[1]);
	ret->socket = ends[0];
	r = listen_to(ret, &refused);
	if (r < 0) {
		stopped_threads_release(ret);
		return explain(failure, r, pid, refused);
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
