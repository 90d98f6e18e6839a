// SPDX-License-Identifier: Apache-2.0
#include "oracle/tracee.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Children of the process (fork, vfork, posix_spawn) are not asked for. */
enum { OPTIONS = PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL };

enum { BREAKPOINT = 0xcc }; /* int3 */

static struct thread *find(const struct tracee *tracee, pid_t tid)
{
	for (uint32_t i = 0; i < tracee->threads.count; i++)
		if (tracee->threads.at[i]->tid == tid)
			return tracee->threads.at[i];
	return NULL;
}

static struct thread *add(struct tracee *tracee, pid_t tid)
{
	struct thread *thread = calloc(1, sizeof(*thread));
	struct thread **slot = thread ? array_push(&tracee->threads) : NULL;

	if (!slot)
		abort();
	thread->tid = tid;
	*slot = thread;
	return thread;
}

static void forget(struct tracee *tracee, struct thread *thread)
{
	for (uint32_t i = 0; i < tracee->threads.count; i++)
		if (tracee->threads.at[i] == thread)
			tracee->threads.at[i] = tracee->threads.at[--tracee->threads.count];
	truth_end(&thread->truth);
	free(thread);
}

int tracee_start(struct tracee *tracee, char **argv, bool silent)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		/* What the default is when nobody looks: the oracle's own may be ignored. */
		signal(SIGPIPE, SIG_DFL);
		if (silent) {
			int null = open("/dev/null", O_RDWR | O_CLOEXEC);

			for (int fd = STDOUT_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
				(void)dup2(null, fd);
		}
		personality(ADDR_NO_RANDOMIZE);
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(77);
		raise(SIGSTOP);
		execvp(argv[0], argv);
		fprintf(stderr, "oracle: %s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	if (waitpid(pid, &status, __WALL) != pid)
		return -errno;
	if (!WIFSTOPPED(status))
		return WIFEXITED(status) && WEXITSTATUS(status) == 77 ? -EPERM : -ECHILD;
	tracee->pid = tracee->memory.pid = pid;
	add(tracee, pid);
	if (ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(long)OPTIONS) < 0 ||
	    ptrace(PTRACE_CONT, pid, NULL, NULL) < 0)
		return -errno;
	return 0;
}

/* What a stop says. Returns false when the thread only has to go on. */
static bool understand(struct tracee *tracee, struct thread *thread, int status,
		       enum tracee_stop *ret, int *signal)
{
	*signal = 0;
	if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8)) {
		*ret = TRACEE_EXECED;
		tracee->exec_seen = true;
		return true;
	}
	if (!tracee->exec_seen || status >> 16) /* a thread was born; it stops by itself */
		return false;
	*ret = TRACEE_STEPPED;
	if (!thread->stopped_before && WSTOPSIG(status) == SIGSTOP) {
		*ret = TRACEE_NEW;
	} else if (WSTOPSIG(status) != SIGTRAP) {
		*ret = TRACEE_SIGNAL;
		*signal = WSTOPSIG(status);
	}
	return true;
}

int tracee_wait(struct tracee *tracee, enum tracee_stop *ret, struct thread **thread, int *signal)
{
	for (;;) {
		int status;
		pid_t tid = waitpid(-1, &status, __WALL);

		if (tid < 0 && errno == EINTR)
			continue;
		if (tid < 0)
			return -errno;
		*thread = find(tracee, tid);
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			if (*thread)
				forget(tracee, *thread);
			*thread = NULL;
			*signal = status;
			*ret = tid == tracee->pid ? TRACEE_GONE : TRACEE_THREAD_GONE;
			return 0;
		}
		if (!*thread)
			*thread = add(tracee, tid);
		if (understand(tracee, *thread, status, ret, signal))
			return 0;
		if (tracee_resume(*thread, 0) < 0)
			return -errno;
	}
}

int tracee_resume(struct thread *thread, int signal)
{
	thread->signalled = signal != 0;
	if (ptrace(thread->followed ? PTRACE_SINGLESTEP : PTRACE_CONT, thread->tid, NULL,
		   (void *)(long)signal) < 0)
		return errno == ESRCH ? 0 : -errno; /* killed: waiting will tell */
	return 0;
}

static uint64_t entry_of(pid_t pid)
{
	cleanup(close) int fd = -1;
	Elf64_auxv_t entry;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/auxv", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && read(fd, &entry, sizeof(entry)) == sizeof(entry))
		if (entry.a_type == AT_ENTRY)
			return entry.a_un.a_val;
	return 0;
}

int tracee_run_to_entry(const struct thread *thread)
{
	void *entry = (void *)(uintptr_t)entry_of(thread->tid);
	struct user_regs_struct regs;
	int status;
	long code;

	errno = 0;
	code = ptrace(PTRACE_PEEKTEXT, thread->tid, entry, NULL);
	if (errno ||
	    ptrace(PTRACE_POKETEXT, thread->tid, entry, (void *)((code & ~0xffL) | BREAKPOINT)) <
		    0 ||
	    ptrace(PTRACE_CONT, thread->tid, NULL, NULL) < 0 ||
	    waitpid(thread->tid, &status, __WALL) < 0)
		return -errno;
	if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
		return -ECHILD;
	if (ptrace(PTRACE_POKETEXT, thread->tid, entry, (void *)code) < 0 ||
	    ptrace(PTRACE_GETREGS, thread->tid, NULL, &regs) < 0)
		return -errno;
	regs.rip = (uintptr_t)entry;
	return ptrace(PTRACE_SETREGS, thread->tid, NULL, &regs) < 0 ? -errno : 0;
}

void tracee_end(struct tracee *tracee)
{
	int status;

	if (tracee->threads.count)
		kill(tracee->pid, SIGKILL);
	while (tracee->threads.count) {
		pid_t tid = waitpid(-1, &status, __WALL);
		struct thread *thread = find(tracee, tid);

		if (tid < 0)
			break;
		if (thread && (WIFEXITED(status) || WIFSIGNALED(status)))
			forget(tracee, thread);
	}
	array_fini(&tracee->threads);
}

bool tracee_catches(const struct tracee *tracee, int signal, int other)
{
	unsigned long long caught = 0, wanted = 1ULL << (signal - 1) | 1ULL << (other - 1);
	char path[64], line[256];
	cleanup(fclose) FILE *file = NULL;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tracee->pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "SigCgt: %llx", &caught) == 1)
			break;
	return (caught & wanted) == wanted;
}

/* ---- memory ---- */

size_t memory_bytes(const struct memory *memory, uint64_t address, void *ret, size_t size)
{
	struct iovec local = { ret, size }, remote = { (void *)(uintptr_t)address, size };
	ssize_t got = process_vm_readv(memory->pid, &local, 1, &remote, 1, 0);

	if (got < 0 && size > 1) { /* into the next page, which is not there */
		remote.iov_len = MEMORY_PAGE_BYTES - address % MEMORY_PAGE_BYTES;
		if (remote.iov_len < size)
			got = process_vm_readv(memory->pid, &local, 1, &remote, 1, 0);
	}
	return got < 0 ? 0 : (size_t)got;
}

void memory_begin(struct memory *memory, uint64_t from, uint64_t to)
{
	uint64_t size = to > from ? to - from : 0;

	for (uint32_t i = 0; i < MEMORY_PAGES; i++)
		memory->pages[i].at = 0;
	if (size > sizeof(memory->window))
		size = sizeof(memory->window);
	memory->window_at = from;
	memory->window_bytes = size ? memory_bytes(memory, from, memory->window, size) : 0;
}

int memory_word(struct memory *memory, uint64_t address, uint64_t *ret)
{
	uint64_t offset = address - memory->window_at, page;
	uint32_t i = 0;

	if (offset < memory->window_bytes && memory->window_bytes - offset >= sizeof(*ret)) {
		memcpy(ret, memory->window + offset, sizeof(*ret));
		return 0;
	}
	if (address % sizeof(*ret)) /* may lie in two pages */
		return memory_bytes(memory, address, ret, sizeof(*ret)) == sizeof(*ret) ? 0 : -1;
	page = address & ~(uint64_t)(MEMORY_PAGE_BYTES - 1);
	while (i < MEMORY_PAGES && memory->pages[i].at != page)
		i++;
	if (i == MEMORY_PAGES) {
		i = memory->next_page++ % MEMORY_PAGES;
		memory->pages[i].at = 0;
		if (!page || memory_bytes(memory, page, memory->pages[i].bytes,
					  MEMORY_PAGE_BYTES) != MEMORY_PAGE_BYTES)
			return -1;
		memory->pages[i].at = page;
	}
	memcpy(ret, memory->pages[i].bytes + (address - page), sizeof(*ret));
	return 0;
}
