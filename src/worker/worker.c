// SPDX-License-Identifier: Apache-2.0
/* Nothing here ever waits for a worker without a limit, whatever it does with its end of the socket. */
#include "worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/sealed.h"
#include "worker/await.h"

#define PATIENCE_NS 3000000000ULL
/* The largest unwind tables and symbol tables of common files take 0.2 s. */
#define OVERTIME_NS 10000000000ULL

enum {
	STATUS_BYTES = 4096,
	END_MS = 200, /* a process that can be killed is gone by then */
	MAX_ERRNO = 4095,
};

static const char usual_program[] = "/proc/self/exe";
static const char *program = usual_program;

void worker_set_program(const char *path)
{
	program = path ? path : usual_program;
}

void worker_init(struct worker *worker, const char *role)
{
	*worker = (struct worker){
		.role = role,
		.socket = -1,
		.memory = -1,
		.patience_ns = PATIENCE_NS,
		.overtime_ns = OVERTIME_NS,
		.waiting_limit_ns = UINT64_MAX,
		.cpu_limit_ns = UINT64_MAX,
	};
}

/* ---- the process ---- */

/* Only what is safe between fork and exec. */
static void become_worker(int socket, pid_t parent, const char *role)
{
	char *const arguments[] = { (char *)"profd", (char *)"_worker", (char *)(uintptr_t)role,
				    NULL };
	char *const environment[] = { NULL };
	int null;

	/* Ctrl-C is for profd: it ends its workers when it is done. */
	(void)setsid();
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	/* Also stderr: it would keep a pipe open should it be stuck for longer than profd lives. */
	null = open("/dev/null", O_RDWR);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    (program == usual_program && dup2(null, STDERR_FILENO) < 0))
		_exit(126);
	if (socket == WORKER_SOCKET) {
		if (fcntl(socket, F_SETFD, 0) < 0)
			_exit(126);
	} else if (dup2(socket, WORKER_SOCKET) < 0) {
		_exit(126);
	}
	(void)syscall(SYS_close_range, WORKER_SOCKET + 1, ~0U, 0);
	execve(program, arguments, environment);
	_exit(127);
}

int worker_start(struct worker *worker)
{
	cleanup(close) int ours = -1;
	cleanup(close) int theirs = -1;
	int pair[2];
	pid_t parent = getpid(), pid;

	if (worker->direct || worker->pid)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	ours = pair[0];
	theirs = pair[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		become_worker(theirs, parent, worker->role);
	worker->pid = pid;
	if (clock_getcpuclockid(pid, &worker->clock) != 0)
		worker->clock = -1; /* it is gone already, and this is no clock */
	worker->socket = TAKE_FD(ours);
	worker->generation++;
	worker->current_cpu_ns = 0;
	worker->asked = 0;
	if (worker->nice)
		(void)setpriority(PRIO_PROCESS, (id_t)pid, worker->nice);
	return 0;
}

/* Returns whether the process is gone. status: of its end, when it is. */
static bool reap(pid_t pid, int *status, struct rusage *usage)
{
	pid_t done;

	*status = 0;
	do
		done = wait4(pid, status, WNOHANG, usage);
	while (done < 0 && errno == EINTR);
	return done != 0;
}

/* Those that were left behind and have ended since. */
static void reap_lingering(struct worker *worker)
{
	struct rusage usage;
	uint32_t left = 0;
	int status;

	for (uint32_t i = 0; i < worker->lingering.count; i++)
		if (!reap(worker->lingering.at[i], &status, &usage))
			worker->lingering.at[left++] = worker->lingering.at[i];
	worker->lingering.count = left;
}

/* Ends the process and takes account of it. */
static void end(struct worker *worker)
{
	struct rusage usage = {};
	bool gone = false, was_gone;
	uint64_t peak_bytes;
	pid_t *slot;
	int status;

	if (!worker->pid)
		return;
	peak_bytes = process_peak_bytes(worker->pid);
	/* Who has closed the socket is about to be gone. */
	was_gone = poll(&(struct pollfd){ .fd = worker->socket }, 1, 0) > 0;
	close(worker->socket);
	worker->socket = -1;
	if (worker->memory >= 0)
		close(worker->memory);
	worker->memory = -1;
	if (kill(worker->pid, SIGKILL) < 0)
		was_gone = true;
	for (unsigned i = 0; i < END_MS && !gone; i++) {
		gone = reap(worker->pid, &status, &usage);
		if (!gone)
			usleep(1000);
	}
	/* Killed in the middle of a system call that cannot be: it goes when that returns. */
	slot = gone ? NULL : array_push(&worker->lingering);
	if (slot)
		*slot = worker->pid;
	worker->was_killed = worker->stopped_ns || (gone && was_gone && WIFSIGNALED(status) &&
						    WTERMSIG(status) == SIGKILL);
	worker->stopped_ns = 0;
	worker->cpu_ns += worker->current_cpu_ns;
	worker->current_cpu_ns = 0;
	if (!peak_bytes) /* it was gone already */
		peak_bytes = (uint64_t)usage.ru_maxrss * 1024;
	if (peak_bytes > worker->peak_bytes)
		worker->peak_bytes = peak_bytes;
	worker->pid = 0;
	reap_lingering(worker);
}

void worker_fini(struct worker *worker)
{
	end(worker);
	array_fini(&worker->lingering);
}

void worker_restart(struct worker *worker)
{
	end(worker);
}

void worker_tidy(struct worker *worker)
{
	if (worker->pid && poll(&(struct pollfd){ .fd = worker->socket }, 1, 0) > 0)
		end(worker);
	reap_lingering(worker);
}

void worker_set_priority(struct worker *worker, int nice)
{
	worker->nice = nice;
	if (worker->pid)
		(void)setpriority(PRIO_PROCESS, (id_t)worker->pid, nice);
}

uint64_t worker_cpu_ns(const struct worker *worker)
{
	return worker->cpu_ns + worker->current_cpu_ns;
}

uint64_t process_peak_bytes(pid_t pid)
{
	cleanup(bytes_fini) struct bytes text = {};
	uint64_t kib = 0;
	char path[32];
	const char *line;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (fs_read(&text, AT_FDCWD, path, STATUS_BYTES) < 0 || !bytes_str(&text))
		return 0;
	line = strstr(text.at, "\nVmHWM:");
	return line && sscanf(line, "\nVmHWM: %lu", &kib) == 1 ? kib * 1024 : 0;
}

uint64_t worker_peak_bytes(const struct worker *worker)
{
	uint64_t bytes = worker->pid ? process_peak_bytes(worker->pid) : 0;

	return bytes > worker->peak_bytes ? bytes : worker->peak_bytes;
}

const char *worker_outcome_text(int outcome)
{
	static const char *const texts[WORKER_OUTCOMES] = {
		[WORKER_DIED] = "crashed the reader",
		[WORKER_STUCK] = "its file system did not answer",
		[WORKER_OVERTIME] = "reading it took too long",
		[WORKER_NONSENSE] = "made the reader answer nonsense",
		[WORKER_ENDING] = "the recording ended before it was read",
		[WORKER_SLOW_DEVICE] = "its file system has answered too slowly",
		[WORKER_COSTLY_OWNER] = "reading other files of its owner took too long",
		[WORKER_ALL_SPENT] = "reading other files took too long",
	};

	return outcome > 0 && outcome < WORKER_OUTCOMES ? texts[outcome] : "cannot be read";
}

/* ---- asking ---- */

static int send_question(struct worker *worker, const struct question *question,
			 const void *payload, size_t size, const int *fds, unsigned fd_count)
{
	union {
		char buffer[CMSG_SPACE((1 + MESSAGE_MAX_FDS) * sizeof(int))];
		struct cmsghdr align;
	} control = {};
	struct iovec parts[] = { { (void *)(uintptr_t)question, sizeof(*question) },
				 { (void *)(uintptr_t)payload, size } };
	struct msghdr message = { .msg_iov = parts,
				  .msg_iovlen = size ? 2 : 1,
				  .msg_control = control.buffer,
				  .msg_controllen = CMSG_SPACE(fd_count * sizeof(int)) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	ssize_t sent;

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
	memcpy(CMSG_DATA(head), fds, fd_count * sizeof(int));
	do
		sent = sendmsg(worker->socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	if (sent >= 0)
		return 0;
	if (errno == EPIPE || errno == ECONNRESET)
		return WORKER_DIED;
	/* It answers without having taken the questions from before. */
	return errno == EAGAIN ? WORKER_NONSENSE : -errno;
}

/* An answer as it came: its head, and what lay behind it. */
struct received {
	struct answer_head head;
	_Alignas(8) unsigned char behind[ANSWER_BEHIND_MAX];
	size_t behind_size;
};

/* fds: room for MESSAGE_MAX_FDS. Whatever came in *fd_count of them is to be closed. */
static int receive(struct worker *worker, struct received *ret, int *fds, unsigned *fd_count)
{
	union {
		char buffer[CMSG_SPACE(MESSAGE_MAX_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec parts[] = { { &ret->head, sizeof(ret->head) },
				 { ret->behind, sizeof(ret->behind) } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	ssize_t size;

	/* Without room for them the kernel lets go of descriptors; to close one here could block. */
	if (worker->gives_files) {
		message.msg_control = control.buffer;
		message.msg_controllen = sizeof(control.buffer);
	}
	*fd_count = 0;
	do
		size = recvmsg(worker->socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (size < 0 && errno == EINTR);
	if (size < 0)
		return WORKER_DIED;
	for (struct cmsghdr *at = CMSG_FIRSTHDR(&message); at; at = CMSG_NXTHDR(&message, at)) {
		if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS)
			continue;
		*fd_count = (unsigned)((at->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(at), *fd_count * sizeof(int));
	}
	if (size == 0 && *fd_count == 0 && !(message.msg_flags & MSG_CTRUNC))
		return WORKER_DIED;
	if (size < (ssize_t)sizeof(ret->head) || message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		return WORKER_NONSENSE;
	ret->behind_size = (size_t)size - sizeof(ret->head);
	return 0;
}

/* Takes what lay behind the head, or what was written into the memory, which is used up then. */
static int unpack_bytes(struct worker *worker, struct answer *ret, const struct received *from)
{
	cleanup(close) int memory = -1;
	void *copy;

	if (from->behind_size) {
		copy = malloc(from->behind_size);
		if (!copy)
			return -ENOMEM;
		ret->at = memcpy(copy, from->behind, from->behind_size);
		ret->size = from->behind_size;
	} else {
		memory = TAKE_FD(worker->memory);
		if (sealed_map(&ret->at, &ret->size, memory, ANSWER_BYTES_MAX) < 0)
			return WORKER_NONSENSE;
		ret->mapped = true;
	}
	return ret->size == from->head.size ? 0 : WORKER_NONSENSE;
}

/* Takes the answer out of the message. fds: all that came, -1 once taken. */
static int unpack(struct worker *worker, struct answer *ret, const struct received *from,
		  uint64_t sequence, int *fds, unsigned fd_count)
{
	const struct answer_head *head = &from->head;
	int r;

	if (head->sequence != sequence || fd_count != head->fd_count || head->result < -MAX_ERRNO)
		return WORKER_NONSENSE;
	if (head->size || from->behind_size) {
		r = unpack_bytes(worker, ret, from);
		if (r != 0)
			return r;
	}
	for (unsigned i = 0; i < fd_count; i++)
		ret->fds[ret->fd_count++] = TAKE_FD(fds[i]);
	/* Some of it may have been written. */
	if (head->result < 0 && worker->memory >= 0)
		close(TAKE_FD(worker->memory));
	ret->result = head->result;
	/* No more than it really had: what is wrong here is only a figure. */
	if (head->cpu_ns > worker->current_cpu_ns)
		worker->current_cpu_ns = head->cpu_ns;
	return 0;
}

/*
 * With memory, which an answer of few bytes leaves for the next one: who it is for could have written there
 * before as well. Returns 0, WORKER_DIED (it was gone already), WORKER_NONSENSE or a negative errno.
 */
static int send_to_process(struct worker *worker, const struct question *question,
			   const void *payload, size_t size, const int *fds, unsigned fd_count)
{
	int sent[1 + MESSAGE_MAX_FDS];
	int r = worker_start(worker);

	if (r < 0)
		return r;
	if (worker->memory < 0)
		worker->memory = sealed_new();
	if (worker->memory < 0)
		return worker->memory;
	sent[0] = worker->memory;
	if (fd_count)
		memcpy(sent + 1, fds, fd_count * sizeof(*fds));
	return send_question(worker, question, payload, size, sent, 1 + fd_count);
}

static int ask_process(struct worker *worker, struct answer *ret, const struct question *question,
		       const void *payload, size_t size, const int *fds, unsigned fd_count)
{
	struct received answer;
	int files[MESSAGE_MAX_FDS];
	unsigned count = 0;
	int r = send_to_process(worker, question, payload, size, fds, fd_count);

	if (r == WORKER_DIED) { /* while nobody asked */
		end(worker);
		r = send_to_process(worker, question, payload, size, fds, fd_count);
	}
	if (r != 0)
		return r;
	worker->asked++;
	r = worker_await(worker);
	if (r == 0)
		r = receive(worker, &answer, files, &count);
	if (r == 0)
		r = unpack(worker, ret, &answer, question->sequence, files, count);
	for (unsigned i = 0; i < count; i++)
		if (files[i] >= 0)
			close(files[i]);
	return r;
}

static int ask_direct(struct worker *worker, struct answer *ret, const struct question *question,
		      const void *payload, size_t size, const int *fds, unsigned fd_count)
{
	struct reply reply = {};
	int copies[MESSAGE_MAX_FDS];

	for (unsigned i = 0; i < fd_count; i++)
		copies[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
	worker->generation = 1;
	ret->result = worker->direct(worker->direct_state, question, payload, size, copies,
				     fd_count, &reply);
	for (unsigned i = 0; i < fd_count; i++)
		if (copies[i] >= 0)
			close(copies[i]);
	ret->at = (unsigned char *)reply.bytes.at;
	ret->size = reply.bytes.size;
	memcpy(ret->fds, reply.fds, sizeof(reply.fds));
	ret->fd_count = reply.fd_count;
	return reply.bytes.failed ? -ENOMEM : 0;
}

int worker_ask(struct worker *worker, struct answer *ret, struct question question,
	       const void *payload, size_t size, const int *fds, unsigned fd_count)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	int r;

	question.sequence = ++worker->sequence;
	*ret = (struct answer){};
	worker->waited_ns = worker->used_ns = 0;
	if (size > QUESTION_BYTES_MAX - sizeof(question) || fd_count > MESSAGE_MAX_FDS)
		return -E2BIG;
	if (now - worker->meanwhile_ns > WORKER_MEANWHILE_MS * 1000000ULL)
		worker_do_meanwhile(worker, now);
	if (worker_has_no_time(worker))
		return WORKER_ENDING;
	if (worker->direct) {
		r = ask_direct(worker, ret, &question, payload, size, fds, fd_count);
	} else {
		r = ask_process(worker, ret, &question, payload, size, fds, fd_count);
		if (r > 0) {
			worker->lost++;
			end(worker);
		}
	}
	if (r != 0)
		answer_fini(ret);
	return r;
}

int worker_check(struct worker *worker)
{
	struct answer answer;
	int r = worker->direct
			? 0
			: worker_ask(worker, &answer, (struct question){ .what = WORKER_PING },
				     NULL, 0, NULL, 0);

	if (r == 0 && !worker->direct)
		answer_fini(&answer);
	return r > 0 ? -ECHILD : r;
}

void answer_fini(struct answer *answer)
{
	if (answer->mapped)
		sealed_unmap(answer->at, answer->size);
	else
		free((void *)(uintptr_t)answer->at);
	for (uint32_t i = 0; i < answer->fd_count; i++)
		if (answer->fds[i] >= 0)
			close(answer->fds[i]);
	*answer = (struct answer){};
}
