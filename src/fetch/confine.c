// SPDX-License-Identifier: Apache-2.0
#include "fetch/confine.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/landlock.h"
#include "base/privileges.h"
#include "base/seccomp.h"

/* What its first version knows is enough to keep files outside of the folder as they are. */
static int write_only_below(const char *folder)
{
	const uint64_t written = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
				 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
				 LANDLOCK_ACCESS_FS_MAKE_REG;
	const uint64_t files = written | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
			       LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
			       LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;
	const struct landlock_place place = { folder, written, false };
	const int version = landlock_version();

	return version <= 0 ? version : landlock_keep(files, 0, &place, 1);
}

static int refuse_system_calls(void)
{
	static const int refused[] = {
		SYS_execve,
		SYS_execveat,
		SYS_ptrace,
		SYS_process_vm_readv,
		SYS_process_vm_writev,
		SYS_process_madvise,
		SYS_pidfd_open,
		SYS_pidfd_getfd,
		SYS_pidfd_send_signal,
		SYS_kill,
		SYS_tkill,
		SYS_rt_sigqueueinfo,
		SYS_rt_tgsigqueueinfo,
		SYS_bpf,
		SYS_perf_event_open,
		SYS_userfaultfd,
		SYS_io_uring_setup,
		SYS_keyctl,
		SYS_add_key,
		SYS_request_key,
		SYS_unshare,
		SYS_setns,
		SYS_mount,
		SYS_umount2,
		SYS_move_mount,
		SYS_open_by_handle_at,
	};

	return seccomp_refuse(refused, ARRAY_SIZE(refused));
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
