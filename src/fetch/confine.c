// SPDX-License-Identifier: Apache-2.0
#include "fetch/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/privileges.h"

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "confine.c: the system calls of this architecture are not described yet"
#endif

/* System calls of x32 have this bit in their numbers (arch/x86/include/uapi/asm/unistd.h). */
#define OTHER_NUMBERS 0x40000000

/*
 * Landlock (Documentation/userspace-api/landlock.rst): what its first version knows is enough to keep
 * files outside of the folder as they are.
 */
static int write_only_below(const char *folder)
{
	const struct landlock_ruleset_attr handled = {
		.handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
				     LANDLOCK_ACCESS_FS_REMOVE_DIR |
				     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
				     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
				     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
				     LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM
	};
	struct landlock_path_beneath_attr allowed = {
		.allowed_access = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
				  LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
				  LANDLOCK_ACCESS_FS_MAKE_REG,
	};
	cleanup(close) int rules =
		(int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);
	cleanup(close) int fd = -1;

	if (rules < 0)
		return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -errno;
	fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	allowed.parent_fd = fd;
	if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &allowed, 0) < 0 ||
	    syscall(SYS_landlock_restrict_self, rules, 0) < 0)
		return -errno;
	return 0;
}

#define REFUSE BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
#define JUMP_EQUAL(value, then, otherwise)                                                         \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), then, otherwise)
#define NO(name) JUMP_EQUAL(SYS_##name, 0, 1), REFUSE

static int refuse_system_calls(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		JUMP_EQUAL(ARCHITECTURE, 1, 0),
		REFUSE,
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, OTHER_NUMBERS, 0, 1),
		REFUSE,
		NO(execve),
		NO(execveat),
		NO(ptrace),
		NO(process_vm_readv),
		NO(process_vm_writev),
		NO(process_madvise),
		NO(pidfd_open),
		NO(pidfd_getfd),
		NO(pidfd_send_signal),
		NO(kill),
		NO(tkill),
		NO(rt_sigqueueinfo),
		NO(rt_tgsigqueueinfo),
		NO(bpf),
		NO(perf_event_open),
		NO(userfaultfd),
		NO(io_uring_setup),
		NO(keyctl),
		NO(add_key),
		NO(request_key),
		NO(unshare),
		NO(setns),
		NO(mount),
		NO(umount2),
		NO(move_mount),
		NO(open_by_handle_at),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { ARRAY_SIZE(filter), filter };

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}

int confine(const char *writable_folder, uint64_t file_bytes)
{
	int r = privileges_limit(RLIMIT_CORE, 0);

	if (r == 0)
		r = privileges_limit(RLIMIT_FSIZE, file_bytes);
	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		return -errno;
	r = write_only_below(writable_folder);
	if (r == 0)
		r = privileges_drop();
	return r < 0 ? r : refuse_system_calls();
}
