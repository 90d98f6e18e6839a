// SPDX-License-Identifier: Apache-2.0
#include "server/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
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

/* ---- Landlock (Documentation/userspace-api/landlock.rst) ---- */

#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* What the first version knows, 13 rights; later ones add REFER, which is denied anyway, and this. */
#define ALL_OF_VERSION_1 ((1ULL << 13) - 1)
#define TRUNCATE (1ULL << 14)	 /* LANDLOCK_ACCESS_FS_TRUNCATE, since version 3 */
#define SCOPE_SIGNAL (1ULL << 1) /* LANDLOCK_SCOPE_SIGNAL, since version 6 */

/* As of version 6; older kernels know a beginning of it. */
struct ruleset {
	uint64_t files, network, scopes;
};

/* What is not there needs no rule. */
static int allow(int rules, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access };
	cleanup(close) int fd = open(path, O_PATH | O_CLOEXEC);
	struct stat status;

	if (fd < 0)
		return 0;
	if (fstat(fd, &status) < 0)
		return -errno;
	/* Files have no rights of folders. */
	if (!S_ISDIR(status.st_mode))
		rule.allowed_access &= ~(uint64_t)LANDLOCK_ACCESS_FS_READ_DIR;
	rule.parent_fd = fd;
	return syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0
		       ? -errno
		       : 0;
}

static int read_only_some(const struct settings *settings)
{
	const long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	const struct ruleset handled = {
		.files = ALL_OF_VERSION_1 | (version >= 3 ? TRUNCATE : 0),
		.scopes = version >= 6 ? SCOPE_SIGNAL : 0,
	};
	const struct {
		const char *path;
		uint64_t access;
	} allowed[] = {
		{ "/usr", READ | LANDLOCK_ACCESS_FS_EXECUTE },
		{ "/lib", READ | LANDLOCK_ACCESS_FS_EXECUTE },
		{ "/lib64", READ | LANDLOCK_ACCESS_FS_EXECUTE },
		{ "/proc/self/exe", READ | LANDLOCK_ACCESS_FS_EXECUTE },
		{ "/etc", READ },
		{ "/proc", READ },
		{ "/dev/null", READ | LANDLOCK_ACCESS_FS_WRITE_FILE },
		{ "/dev/urandom", READ },
		{ settings->store ? settings->store : "/dev/null", READ },
	};
	cleanup(close) int rules = -1;
	int r = 0;

	if (version < 1)
		return 0;
	rules = (int)syscall(SYS_landlock_create_ruleset, &handled,
			     version >= 6   ? sizeof(handled)
			     : version >= 4 ? offsetof(struct ruleset, scopes)
					    : offsetof(struct ruleset, network),
			     0);
	if (rules < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(allowed) && r == 0; i++)
		r = allow(rules, allowed[i].path, allowed[i].access);
	if (r == 0 && syscall(SYS_landlock_restrict_self, rules, 0) < 0)
		r = -errno;
	return r;
}

/* ---- the user ---- */

/* Would that user reach the history? Root's own folders may be closed to all others. */
static bool can_read(const char *store, uid_t uid, gid_t gid)
{
	bool can;

	if (!store)
		return true;
	if (setegid(gid) < 0 || seteuid(uid) < 0)
		return false;
	can = faccessat(AT_FDCWD, store, R_OK | X_OK, AT_EACCESS) == 0;
	if (seteuid(0) < 0 || setegid(0) < 0)
		_exit(1);
	return can;
}

static int become_user(const struct settings *settings)
{
	if (geteuid() != 0 || settings->uid == (uid_t)-1 || settings->gid == (gid_t)-1)
		return 0;
	if (setgroups(0, NULL) < 0)
		return -errno;
	if (!can_read(settings->store, settings->uid, settings->gid))
		return 0; /* root without capabilities, and mostly without files */
	return setresgid(settings->gid, settings->gid, settings->gid) < 0 ||
			       setresuid(settings->uid, settings->uid, settings->uid) < 0
		       ? -errno
		       : 0;
}

int confine_server(const struct settings *settings)
{
	int r = privileges_limit(RLIMIT_CORE, 0);

	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	r = read_only_some(settings);
	/* Not possible any more once it is somebody else. */
	for (int i = 0; i < 64; i++)
		(void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
	if (r == 0)
		r = become_user(settings);
	if (r == 0)
		r = privileges_drop();
	if (r == 0 && prctl(PR_SET_DUMPABLE, 0) < 0)
		r = -errno;
	/* Whoever was root dies with the daemon no more: that is forgotten with a change of user. */
	if (r == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		r = -errno;
	return r;
}

/* ---- system calls ---- */

#define REFUSE BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
#define JUMP_EQUAL(value, then, otherwise)                                                         \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), then, otherwise)
#define NO(name) JUMP_EQUAL(SYS_##name, 0, 1), REFUSE

int confine_system_calls(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		JUMP_EQUAL(ARCHITECTURE, 1, 0),
		REFUSE,
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, OTHER_NUMBERS, 0, 1),
		REFUSE,
		NO(socket),
		NO(connect),
		NO(bind),
		NO(listen),
		NO(ptrace),
		NO(process_vm_readv),
		NO(process_vm_writev),
		NO(process_madvise),
		NO(pidfd_getfd),
		NO(bpf),
		NO(perf_event_open),
		NO(userfaultfd),
		NO(io_uring_setup),
		NO(keyctl),
		NO(add_key),
		NO(request_key),
		NO(unshare),
		NO(setns),
		NO(chroot),
		NO(mount),
		NO(umount2),
		NO(move_mount),
		NO(open_tree),
		NO(fsopen),
		NO(open_by_handle_at),
		NO(init_module),
		NO(finit_module),
		NO(kexec_load),
		NO(setuid),
		NO(setresuid),
		NO(setgid),
		NO(setresgid),
		NO(capset),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { ARRAY_SIZE(filter), filter };

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}
