// SPDX-License-Identifier: Apache-2.0
#include "source/probe_return.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "source/uprobe_link.h"

enum {
	MEMORY_BYTES = 4096,
	/* The kernel's own, uretprobe and uprobe; arch/x86/entry/syscalls/syscall_64.tbl */
	FIRST_OF_PROBES = 335,
	LAST_OF_PROBES = 336,
};

/* push %rbp; pop %rbp; ret */
static const unsigned char code[] = { 0x55, 0x5d, 0xc3 };

static int filter_probes(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FIRST_OF_PROBES, 0, 2),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, LAST_OF_PROBES, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(filter), filter };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
			       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0
		       ? 0
		       : -errno;
}

/* The child: when a byte has come, it runs into the probe. */
static _Noreturn void run(int file, int socket)
{
	void *memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
	char byte = 0;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (memory == MAP_FAILED || filter_probes() < 0)
		_exit(1);
	/* It is mapped by now, and the filter is there. */
	if (send(socket, &byte, 1, MSG_NOSIGNAL) != 1 || recv(socket, &byte, 1, 0) != 1)
		_exit(1);
	((void (*)(void))memory)();
	_exit(0);
}

static int probe(int program, int file, pid_t child, int socket)
{
	const uint64_t offset = 0, cookie = 0;
	cleanup(close) int link = -1;
	siginfo_t info;
	char byte;

	if (recv(socket, &byte, 1, 0) != 1)
		return -EIO;
	link = uprobe_link_new(program, UPROBE_LINK_SESSION, file, child, &offset, &cookie, 1);
	if (link < 0)
		return link == -EINVAL || link == -E2BIG ? -EOPNOTSUPP : link;
	if (send(socket, "", 1, MSG_NOSIGNAL) != 1)
		return -EIO;
	/* It ends in any case: what it runs are three instructions. */
	while (waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) < 0)
		if (errno != EINTR)
			return -errno;
	if (info.si_code == CLD_EXITED)
		return info.si_status ? -EIO : 0;
	return PROBE_RETURN_KILLS;
}

int probe_return_check(int program)
{
	cleanup(close) int file = memfd_create("profd-probe", MFD_CLOEXEC);
	cleanup(close) int mine = -1;
	int sockets[2], r;
	pid_t child;

	if (file < 0)
		return -errno;
	r = fs_write_all(file, code, sizeof(code));
	if (r < 0)
		return r;
	if (ftruncate(file, MEMORY_BYTES) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return -errno;
	mine = sockets[0];
	child = fork();
	if (child == 0) {
		(void)close(mine);
		run(file, sockets[1]);
	}
	r = child < 0 ? -errno : 0;
	(void)close(sockets[1]);
	if (r < 0)
		return r;
	r = probe(program, file, child, mine);
	(void)kill(child, SIGKILL);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}
