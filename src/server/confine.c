// SPDX-License-Identifier: Apache-2.0
#include "server/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/landlock.h"
#include "base/privileges.h"
#include "base/seccomp.h"

#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

static int read_only_some(const struct settings *settings)
{
	/* What is not there needs no rule. */
	const struct landlock_place places[] = {
		{ "/usr", READ | LANDLOCK_ACCESS_FS_EXECUTE, true },
		{ "/lib", READ | LANDLOCK_ACCESS_FS_EXECUTE, true },
		{ "/lib64", READ | LANDLOCK_ACCESS_FS_EXECUTE, true },
		{ "/proc/self/exe", READ | LANDLOCK_ACCESS_FS_EXECUTE, true },
		{ "/etc", READ, true },
		{ "/proc", READ, true },
		{ "/dev/null", READ | LANDLOCK_ACCESS_FS_WRITE_FILE, true },
		{ "/dev/urandom", READ, true },
		{ settings->store ? settings->store : "/dev/null", READ, true },
	};
	const int version = landlock_version();

	if (version < 1)
		return 0;
	return landlock_keep(LANDLOCK_ALL_OF_VERSION_1 | (version >= 3 ? LANDLOCK_TRUNCATE : 0),
			     version >= 6 ? LANDLOCK_SIGNALS : 0, places, ARRAY_SIZE(places));
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

int confine_system_calls(void)
{
	static const int refused[] = {
		SYS_socket,
		SYS_connect,
		SYS_bind,
		SYS_listen,
		SYS_ptrace,
		SYS_process_vm_readv,
		SYS_process_vm_writev,
		SYS_process_madvise,
		SYS_pidfd_getfd,
		SYS_bpf,
		SYS_perf_event_open,
		SYS_userfaultfd,
		SYS_io_uring_setup,
		SYS_keyctl,
		SYS_add_key,
		SYS_request_key,
		SYS_unshare,
		SYS_setns,
		SYS_chroot,
		SYS_mount,
		SYS_umount2,
		SYS_move_mount,
		SYS_open_tree,
		SYS_fsopen,
		SYS_open_by_handle_at,
		SYS_init_module,
		SYS_finit_module,
		SYS_kexec_load,
		SYS_setuid,
		SYS_setresuid,
		SYS_setgid,
		SYS_setresgid,
		SYS_capset,
	};

	return seccomp_refuse(refused, ARRAY_SIZE(refused));
}
