// SPDX-License-Identifier: Apache-2.0
/*
 * What is left are calls on descriptors that were handed in, on memory, and the end. In particular
 * nothing can be opened, started, signalled, traced or connected to.
 */
#include "reader/sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

/* The largest browsers' unwind rows take 400 MiB before they are packed. */
#define MEMORY_BYTES (1ULL << 30)
#define FILE_BYTES (512ULL << 20) /* of answers */

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "sandbox.c: the system calls of this architecture are not described yet"
#endif

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

static int limit(int resource, rlim_t value)
{
	struct rlimit both = { value, value };

	return setrlimit(resource, &both) < 0 ? -errno : 0;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = {};

	/* Without CAP_SETPCAP there is nothing in the bounding set that exec could give back. */
	for (int i = 0; i < 64; i++)
		(void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &head, none) < 0 ? -errno : 0;
}

#define ALLOW(name)                                                                                \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1),                                     \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* Memory, the protection being the third argument; its low half, which is all that counts. */
#define ALLOW_WITHOUT_EXEC(name)                                                                   \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 4),                                     \
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),        \
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),                             \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),                               \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static int filter_system_calls(void)
{
	static struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(pread64),
		ALLOW(read),
		ALLOW(write),
		ALLOW(recvmsg),
		ALLOW(sendmsg),
		ALLOW(close),
		ALLOW(fstat),
		ALLOW(newfstatat), /* glibc's fstat */
		ALLOW(lseek),
		ALLOW(fcntl),
		ALLOW(memfd_create),
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
		ALLOW(prlimit64),
		ALLOW(sysinfo), /* qsort asks how much memory there is */
		ALLOW(rt_sigreturn),
		ALLOW(rt_sigprocmask),
		ALLOW(rt_sigaction),
		ALLOW(sigaltstack),
		ALLOW(sched_yield),
		ALLOW(getpid),
		ALLOW(gettid),
		ALLOW(tgkill), /* abort */
		ALLOW(exit),
		ALLOW(exit_group),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	static const struct sock_fprog program = { ARRAY_SIZE(filter), filter };

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}

int sandbox_enter(void)
{
	int r = limit(RLIMIT_CORE, 0);

	if (r == 0)
		r = limit(RLIMIT_FSIZE, FILE_BYTES);
	if (r == 0 && !SANITIZED)
		r = limit(RLIMIT_AS, MEMORY_BYTES);
	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		return -errno;
	r = drop_capabilities();
	return r < 0 ? r : filter_system_calls();
}
