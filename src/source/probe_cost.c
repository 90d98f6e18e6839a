// SPDX-License-Identifier: Apache-2.0
#include "source/probe_cost.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "source/uprobe_link.h"

enum { ROUNDS = 2000, BATCHES = 5, ENTRY_BYTES = 16, MEMORY_BYTES = 4096 };

/* Functions that do nothing, by an instruction of each kind (elf/probe_site.c) first. */
static const unsigned char code[][ENTRY_BYTES] = {
	{ 0x55, 0x5d, 0xc3 },		  /* push %rbp; pop %rbp; ret */
	{ 0x41, 0x54, 0x41, 0x5c, 0xc3 }, /* push %r12; pop %r12; ret */
	{ 0x74, 0x00, 0xc3 },		  /* je over nothing; ret */
	{ 0xe9, 0, 0, 0, 0, 0xc3 },	  /* jmp over nothing; ret */
};
enum { KINDS = ARRAY_SIZE(code) };

/* The quickest of some batches for each kind, in ns a call: others run beside it. */
static void time_all(double ret[KINDS], void *memory)
{
	for (unsigned kind = 0; kind < KINDS; kind++) {
		void (*function)(void) = (void (*)(void))((char *)memory + kind * ENTRY_BYTES);

		ret[kind] = 1e9;
		for (unsigned batch = 0; batch < BATCHES; batch++) {
			uint64_t begin = clock_ns(CLOCK_THREAD_CPUTIME_ID);
			double ns;

			for (unsigned i = 0; i < ROUNDS; i++)
				function();
			ns = (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin) / ROUNDS;
			ret[kind] = ns < ret[kind] ? ns : ret[kind];
		}
	}
}

/* The child: at each byte that comes, it tells how long all take. */
static _Noreturn void run(int file, int socket)
{
	void *memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
	double times[KINDS];
	char byte;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (memory != MAP_FAILED && recv(socket, &byte, 1, 0) == 1) {
		time_all(times, memory);
		if (send(socket, times, sizeof(times), MSG_NOSIGNAL) != sizeof(times))
			break;
	}
	_exit(0);
}

static int ask(int socket, double ret[KINDS])
{
	const ssize_t size = KINDS * sizeof(*ret);

	return send(socket, "", 1, MSG_NOSIGNAL) == 1 && recv(socket, ret, (size_t)size, 0) == size
		       ? 0
		       : -EIO;
}

static int compare(int program, enum uprobe_link_type type, int file, pid_t child, int socket,
		   double *ret_ns)
{
	uint64_t offsets[KINDS], cookies[KINDS] = {};
	double bare[KINDS], probed[KINDS];
	cleanup(close) int link = -1;
	int r = ask(socket, bare);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < KINDS; i++)
		offsets[i] = i * ENTRY_BYTES;
	link = uprobe_link_new(program, type, file, child, offsets, cookies, KINDS);
	if (link < 0)
		return link == -EINVAL || link == -E2BIG ? -EOPNOTSUPP : link;
	r = ask(socket, probed);
	if (r < 0)
		return r;
	*ret_ns = 0;
	for (unsigned i = 0; i < KINDS; i++)
		if (probed[i] - bare[i] > *ret_ns)
			*ret_ns = probed[i] - bare[i];
	return 0;
}

int probe_cost_measure(int program, enum uprobe_link_type type, double *ret_ns)
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
	r = compare(program, type, file, child, mine, ret_ns);
	(void)kill(child, SIGKILL);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}
