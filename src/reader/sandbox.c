// SPDX-License-Identifier: Apache-2.0
/*
 * What is left are calls on descriptors that were handed in, on memory, and the end. In particular
 * nothing can be opened, started, signalled, traced or connected to; what may do so with one argument
 * and not with another, such as fcntl and prlimit, is looked at that closely. The user is still root,
 * but that is good for nothing then.
 */
#include "reader/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/privileges.h"
#include "base/seccomp.h"

/* The largest browsers' unwind rows take 400 MiB before they are packed. */
#define MEMORY_BYTES (1ULL << 30)
#define FILE_BYTES (128ULL << 20) /* ANSWER_BYTES_MAX; of unpacked sections half as much */

/* All in all; then another process begins. So none runs on and on while nobody asks it anything. */
enum { CPU_SECONDS = 60 };

#if defined(__SANITIZE_ADDRESS__)
enum { SANITIZED = 1 }; /* shadow memory takes terabytes of addresses */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif
#else
enum { SANITIZED = 0 };
#endif

/*
 * Paths lead nowhere: fstat is a call that takes one. The folder goes with the process. Without
 * CAP_SYS_CHROOT they are still no more than names to ask about; older kernels look first whether a process
 * that cannot be dumped may look into its own folder, which then is root's.
 */
static int leave_file_system(void)
{
	if (chroot("/proc/self/fdinfo") < 0)
		return errno == EPERM || errno == EACCES ? 0 : -errno;
	return chdir("/") < 0 ? -errno : 0;
}

/* When memory is short, the kernel kills this process before others. */
static void volunteer_to_be_killed(void)
{
	cleanup(close) int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "1000", 4) < 0)
		return; /* as it was, then */
}

#define KILL SECCOMP_END(SECCOMP_RET_KILL_PROCESS)
#define ALLOWED SECCOMP_END(SECCOMP_RET_ALLOW)
/* The low half of an argument, which is all of an int. Nothing but a return may follow its test. */
#define LOAD_ARGUMENT(number) SECCOMP_LOAD(args[number])
#define LOAD_HIGH_HALF(number) SECCOMP_LOAD_AT(offsetof(struct seccomp_data, args[number]) + 4)

#define ALLOW(name) SECCOMP_EQUALS(SYS_##name, 0, 1), ALLOWED
#define ALLOW_ONE_VALUE(name, number, value)                                                       \
	SECCOMP_EQUALS(SYS_##name, 0, 4), LOAD_ARGUMENT(number), SECCOMP_EQUALS(value, 0, 1),      \
		ALLOWED, KILL

/* Memory, the protection being the third argument; its low half, which is all that counts. */
#define ALLOW_WITHOUT_EXEC(name)                                                                   \
	SECCOMP_EQUALS(SYS_##name, 0, 4), LOAD_ARGUMENT(2),                                        \
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1), KILL, ALLOWED

/* fcntl can also have signals sent (F_SETOWN), or put locks on a target's file. */
#define ALLOW_FCNTL                                                                                \
	SECCOMP_EQUALS(SYS_fcntl, 0, 7), LOAD_ARGUMENT(1), SECCOMP_EQUALS(F_GETFL, 3, 0),          \
		SECCOMP_EQUALS(F_GETFD, 2, 0), SECCOMP_EQUALS(F_SETFD, 1, 0),                      \
		SECCOMP_EQUALS(F_DUPFD_CLOEXEC, 0, 1), ALLOWED, KILL

/* What poll(3) calls. */
#if defined(SYS_poll)
#define ALLOW_POLL ALLOW(poll)
#else
#define ALLOW_POLL ALLOW(ppoll)
#endif

/* Limits may be asked for, one's own. */
#define ALLOW_PRLIMIT                                                                              \
	SECCOMP_EQUALS(SYS_prlimit64, 0, 8), LOAD_ARGUMENT(0), SECCOMP_EQUALS(0, 0, 5),            \
		LOAD_ARGUMENT(2), SECCOMP_EQUALS(0, 0, 3), LOAD_HIGH_HALF(2),                      \
		SECCOMP_EQUALS(0, 0, 1), ALLOWED, KILL

static int filter_system_calls(void)
{
	const struct sock_filter filter[] = {
		SECCOMP_LOAD(arch),
		SECCOMP_EQUALS(SECCOMP_ARCHITECTURE, 1, 0),
		KILL,
		SECCOMP_LOAD(nr),
		ALLOW(pread64),
		ALLOW(read),
		ALLOW(write),
		ALLOW(recvmsg),
		ALLOW_POLL,
		ALLOW(sendmsg),
		ALLOW(close),
		ALLOW(fstat),
		ALLOW(newfstatat), /* glibc's fstat */
		ALLOW(lseek),
		ALLOW_FCNTL,
		ALLOW_ONE_VALUE(memfd_create, 1, MFD_CLOEXEC),
		ALLOW(brk),
		ALLOW_WITHOUT_EXEC(mmap),
		ALLOW_WITHOUT_EXEC(mprotect),
		ALLOW(mremap),
		ALLOW(munmap),
		ALLOW(madvise),
		ALLOW(futex),
		ALLOW(clock_gettime),
		ALLOW(getrandom),
		ALLOW(getrlimit),
		ALLOW_PRLIMIT,
		ALLOW(sysinfo), /* qsort asks how much memory there is */
		ALLOW(rt_sigreturn),
		ALLOW(rt_sigprocmask),
		ALLOW(rt_sigaction),
		ALLOW(sigaltstack),
		ALLOW(sched_yield),
		ALLOW(getpid),
		ALLOW(gettid),
		ALLOW_ONE_VALUE(tgkill, 0, getpid()), /* abort */
		ALLOW(exit),
		ALLOW(exit_group),
		KILL,
	};

	return seccomp_install(filter, ARRAY_SIZE(filter));
}

int sandbox_enter(void)
{
	int r = privileges_limit(RLIMIT_CORE, 0);

	volunteer_to_be_killed();
	if (r == 0)
		r = privileges_limit(RLIMIT_FSIZE, FILE_BYTES);
	if (r == 0)
		r = privileges_limit(RLIMIT_CPU, CPU_SECONDS);
	if (r == 0 && !SANITIZED)
		r = privileges_limit(RLIMIT_AS, MEMORY_BYTES);
	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		return -errno;
	r = leave_file_system();
	if (r == 0)
		r = privileges_drop();
	return r < 0 ? r : filter_system_calls();
}
