// SPDX-License-Identifier: Apache-2.0
/*
 * What the reader may do behind sandbox_enter, and what ends it: each attempt is made by a process
 * of its own, as directly as a file that took the reader over could make it.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "reader/sandbox.h"

#if defined(__SANITIZE_ADDRESS__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

static int file;   /* open for reading */
static int memory; /* as main hands in for an answer */
static int pair[2];

/* How a process ends that does this in the sandbox: its exit status, or 256 + the signal. */
static int outcome_of(void (*attempt)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (sandbox_enter() < 0)
			_exit(99);
		attempt();
		_exit(42);
	}
	while (waitpid(pid, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

#define CALL(name, ...) ((void)syscall(SYS_##name, ##__VA_ARGS__))
#define ATTEMPT(name, ...)                                                                         \
	static void try_##name(void)                                                               \
	{                                                                                          \
		__VA_ARGS__;                                                                       \
	}

#ifdef SYS_open
ATTEMPT(open, CALL(open, "/etc/passwd", O_RDONLY))
#endif
ATTEMPT(openat, CALL(openat, AT_FDCWD, "/etc/passwd", O_RDONLY))
ATTEMPT(openat2, struct open_how how = {}; CALL(openat2, AT_FDCWD, "/", &how, sizeof(how)))
ATTEMPT(reopen, CALL(openat, file, "", O_PATH))
ATTEMPT(unlinkat, CALL(unlinkat, AT_FDCWD, "/nonexistent", 0))
ATTEMPT(readlinkat, char to[16]; CALL(readlinkat, AT_FDCWD, "/proc/self/exe", to, sizeof(to)))
ATTEMPT(socket, CALL(socket, AF_INET, SOCK_STREAM, 0))
ATTEMPT(socketpair, int two[2]; CALL(socketpair, AF_UNIX, SOCK_STREAM, 0, two))
ATTEMPT(connect, CALL(connect, pair[0], NULL, 0))
ATTEMPT(clone, CALL(clone, SIGCHLD, 0, 0, 0, 0))
ATTEMPT(thread, CALL(clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND | CLONE_FS, 0, 0, 0, 0))
ATTEMPT(clone3, CALL(clone3, NULL, 0))
#ifdef SYS_fork
ATTEMPT(fork, CALL(fork))
ATTEMPT(vfork, CALL(vfork))
#endif
ATTEMPT(execve, CALL(execve, "/bin/true", NULL, NULL))
ATTEMPT(execveat, CALL(execveat, file, "", NULL, NULL, AT_EMPTY_PATH))
ATTEMPT(kill_itself, CALL(kill, getpid(), 0))
static pid_t parent; /* getppid is no call that it may make */
ATTEMPT(kill_parent, CALL(kill, parent, 0))
ATTEMPT(tgkill_parent, CALL(tgkill, parent, parent, 0))
ATTEMPT(tkill, CALL(tkill, parent, 0))
ATTEMPT(sigqueue, CALL(rt_sigqueueinfo, parent, 0, NULL))
ATTEMPT(pidfd_open, CALL(pidfd_open, parent, 0))
ATTEMPT(pidfd_signal, CALL(pidfd_send_signal, file, 0, NULL, 0))
ATTEMPT(pidfd_getfd, CALL(pidfd_getfd, file, 0, 0))
ATTEMPT(ptrace, CALL(ptrace, PTRACE_ATTACH, parent, 0, 0))
ATTEMPT(traceme, CALL(ptrace, PTRACE_TRACEME, 0, 0, 0))
ATTEMPT(process_vm_readv, CALL(process_vm_readv, parent, NULL, 0, NULL, 0, 0))
ATTEMPT(limits_of_parent, struct rlimit old; CALL(prlimit64, parent, RLIMIT_CORE, NULL, &old))
ATTEMPT(new_limit, struct rlimit more = { 1 << 20, 1 << 20 };
	CALL(prlimit64, 0, RLIMIT_CPU, &more, NULL))
ATTEMPT(setrlimit, struct rlimit more = { 1 << 20, 1 << 20 }; CALL(setrlimit, RLIMIT_CPU, &more))
ATTEMPT(setpriority, CALL(setpriority, PRIO_PROCESS, 0, 0))
ATTEMPT(own_signals, CALL(fcntl, pair[0], F_SETOWN, parent))
ATTEMPT(choose_signal, CALL(fcntl, pair[0], F_SETSIG, SIGKILL))
ATTEMPT(asynchronous, CALL(fcntl, pair[0], F_SETFL, O_ASYNC))
ATTEMPT(lock, struct flock lock = { .l_type = F_RDLCK }; CALL(fcntl, file, F_SETLK, &lock))
ATTEMPT(lease, CALL(fcntl, file, F_SETLEASE, F_RDLCK))
ATTEMPT(flock, CALL(flock, file, 1))
ATTEMPT(ioctl, int zero = 0; CALL(ioctl, file, 0, &zero))
ATTEMPT(map_code, CALL(mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
ATTEMPT(map_file_as_code, CALL(mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0))
static _Alignas(4096) char page[4096];
ATTEMPT(make_code, CALL(mprotect, page, sizeof(page), PROT_READ | PROT_EXEC))
ATTEMPT(make_code_all, CALL(mprotect, page, sizeof(page), PROT_READ | PROT_WRITE | PROT_EXEC))
ATTEMPT(make_code_by_key, CALL(pkey_mprotect, page, sizeof(page), PROT_EXEC, -1))
ATTEMPT(shmat, CALL(shmat, 0, NULL, 0))
ATTEMPT(personality, CALL(personality, 0x0400000)) /* READ_IMPLIES_EXEC */
ATTEMPT(memfd_other, CALL(memfd_create, "x", MFD_CLOEXEC | MFD_ALLOW_SEALING))
ATTEMPT(memfd_huge, CALL(memfd_create, "x", MFD_CLOEXEC | MFD_HUGETLB))
ATTEMPT(bpf, CALL(bpf, 0, NULL, 0))
ATTEMPT(perf_event_open, CALL(perf_event_open, NULL, 0, -1, -1, 0))
ATTEMPT(io_uring, CALL(io_uring_setup, 1, NULL))
ATTEMPT(userfaultfd, CALL(userfaultfd, 0))
ATTEMPT(unshare, CALL(unshare, CLONE_NEWUSER))
ATTEMPT(setns, CALL(setns, file, 0))
ATTEMPT(chroot, CALL(chroot, "/"))
ATTEMPT(mount, CALL(mount, "", "/", "", 0, NULL))
ATTEMPT(setuid, CALL(setuid, 0))
ATTEMPT(capset, CALL(capset, NULL, NULL))
ATTEMPT(prctl, CALL(prctl, PR_SET_PDEATHSIG, 0, 0, 0, 0))
ATTEMPT(seccomp, CALL(seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL))
ATTEMPT(keyctl, CALL(keyctl, 0))
ATTEMPT(nanosleep, struct timespec none = {}; CALL(nanosleep, &none, NULL))
ATTEMPT(uname, char name[512]; CALL(uname, name))
ATTEMPT(no_such_call, (void)syscall(4096))
#if defined(__x86_64__)
/* The other two sets of system calls of the same kernel. */
ATTEMPT(x32, (void)syscall(0x40000000 | SYS_read, -1, NULL, 0))
ATTEMPT(i386, long result; __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory"))
#endif

static void test_what_ends_it(void **state)
{
#define LISTED(name)                                                                               \
	{                                                                                          \
#name, try_##name                                                                  \
	}
	static const struct {
		const char *name;
		void (*attempt)(void);
	} attempts[] = {
#ifdef SYS_open
		LISTED(open),
		LISTED(fork),
		LISTED(vfork),
#endif
		LISTED(openat),
		LISTED(openat2),
		LISTED(reopen),
		LISTED(unlinkat),
		LISTED(readlinkat),
		LISTED(socket),
		LISTED(socketpair),
		LISTED(connect),
		LISTED(clone),
		LISTED(thread),
		LISTED(clone3),
		LISTED(execve),
		LISTED(execveat),
		LISTED(kill_itself),
		LISTED(kill_parent),
		LISTED(tgkill_parent),
		LISTED(tkill),
		LISTED(sigqueue),
		LISTED(pidfd_open),
		LISTED(pidfd_signal),
		LISTED(pidfd_getfd),
		LISTED(ptrace),
		LISTED(traceme),
		LISTED(process_vm_readv),
		LISTED(limits_of_parent),
		LISTED(new_limit),
		LISTED(setrlimit),
		LISTED(setpriority),
		LISTED(own_signals),
		LISTED(choose_signal),
		LISTED(asynchronous),
		LISTED(lock),
		LISTED(lease),
		LISTED(flock),
		LISTED(ioctl),
		LISTED(map_code),
		LISTED(map_file_as_code),
		LISTED(make_code),
		LISTED(make_code_all),
		LISTED(make_code_by_key),
		LISTED(shmat),
		LISTED(personality),
		LISTED(memfd_other),
		LISTED(memfd_huge),
		LISTED(bpf),
		LISTED(perf_event_open),
		LISTED(io_uring),
		LISTED(userfaultfd),
		LISTED(unshare),
		LISTED(setns),
		LISTED(chroot),
		LISTED(mount),
		LISTED(setuid),
		LISTED(capset),
		LISTED(prctl),
		LISTED(seccomp),
		LISTED(keyctl),
		LISTED(nanosleep),
		LISTED(uname),
		LISTED(no_such_call),
#if defined(__x86_64__)
		LISTED(x32),
		LISTED(i386),
#endif
	};
#undef LISTED
	unsigned survived = 0;

	(void)state;
	parent = getpid();
	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
		int outcome = outcome_of(attempts[i].attempt);

		if (outcome == 256 + SIGSYS)
			continue;
		print_error("%s: %d\n", attempts[i].name, outcome);
		survived++;
	}
	assert_int_equal(survived, 0);
}

/* ---- what it needs ---- */

#define NEED(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			_exit((__LINE__ & 63) + 100);                                              \
	} while (0)

static void do_its_work(void)
{
	struct iovec part = { page, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	struct rlimit limit;
	struct stat st;
	char *much;
	int fd;

	NEED(pread(file, page, 4, 0) == 4 && memcmp(page, "\177ELF", 4) == 0);
	NEED(fstat(file, &st) == 0 && st.st_size > 4096);
	NEED(lseek(file, 0, SEEK_END) == st.st_size);
	NEED(fcntl(file, F_GETFL) >= 0);
	NEED(write(memory, page, 4) == 4);
	NEED(sendmsg(pair[0], &message, MSG_NOSIGNAL) == 1);
	NEED(recvmsg(pair[1], &message, 0) == 1);
	fd = memfd_create("x", MFD_CLOEXEC);
	NEED(fd >= 0 && write(fd, page, 4) == 4 && close(fd) == 0);
	much = malloc(100 << 20);
	NEED(much);
	memset(much, 1, 100 << 20);
	much = realloc(much, 200 << 20);
	NEED(much && much[(100 << 20) - 1] == 1);
	free(much);
	NEED(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	NEED(getpid() > 0);
}

static void test_what_it_needs(void **state)
{
	(void)state;
	assert_int_equal(outcome_of(do_its_work), 42);
}

static void abort_itself(void)
{
	abort();
}

static void take_too_much_memory(void)
{
	size_t got = 0;

	while (malloc(16 << 20))
		got += 16 << 20;
	_exit(got > 256 << 20 && got < 1 << 30 ? 42 : 1);
}

static void write_too_much(void)
{
	for (unsigned i = 0; i < 1024; i++)
		if (lseek(memory, (off_t)i << 20, SEEK_SET) < 0 || write(memory, page, 1) < 0)
			_exit(1);
}

static void ask_for_limits(void)
{
	struct rlimit cpu, core;

	NEED(getrlimit(RLIMIT_CPU, &cpu) == 0 && cpu.rlim_max == 60);
	NEED(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0);
}

static void test_limits(void **state)
{
	(void)state;
	assert_int_equal(outcome_of(abort_itself), 256 + SIGABRT);
	assert_int_equal(outcome_of(write_too_much), 256 + SIGXFSZ);
	assert_int_equal(outcome_of(ask_for_limits), 42);
	if (!SANITIZED)
		assert_int_equal(outcome_of(take_too_much_memory), 42);
}

/* fstat's system call takes a path, too. */
static void look_for_a_path(void)
{
	struct stat st;

	NEED(fstatat(AT_FDCWD, "/etc", &st, 0) < 0 && errno == ENOENT);
	NEED(fstatat(AT_FDCWD, "/proc/self", &st, 0) < 0 && errno == ENOENT);
	NEED(fstatat(AT_FDCWD, "..", &st, 0) == 0);
	NEED(fstatat(AT_FDCWD, "../../etc", &st, 0) < 0 && errno == ENOENT);
}

static void test_paths_lead_nowhere(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip(); /* nobody else may leave his root */
	assert_int_equal(outcome_of(look_for_a_path), 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_ends_it),
		cmocka_unit_test(test_what_it_needs),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_paths_lead_nowhere),
	};

	file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	memory = memfd_create("memory", MFD_CLOEXEC);
	if (file < 0 || memory < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
