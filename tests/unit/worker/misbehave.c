// SPDX-License-Identifier: Apache-2.0
/*
 * A worker process that does what it is asked to, however wrong: see misbehave.h. Asked what only
 * the reader is asked, it does what the object's file says in plain text:
 *
 *     fine            answers as the reader would
 *     crash, sleep, nonsense, memory ("takes too much")
 *     kill N          is killed N times (the number is in the file), then fine
 *     memory later    takes too much, unless the process is asked for the first time
 *     (names)         as they are, unless one has to do with crash, spin, or fewer (answers)
 *     poison X        fine, but then the question about the next object ends as X says
 *
 * As the opener it finds nothing; "silent" in a path makes it sleep, and "locked" when it is to open
 * the file by its mapping.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/parcel.h"
#include "worker/misbehave.h"
#include "worker/protocol.h"

enum { MAX_FILES = 100, MAX_KNOWN = 64, TEXT_BYTES = 64 };

static const char *role;

/* ---- messages ---- */

static ssize_t receive(void *data, size_t size, int *fds, unsigned *count)
{
	char control[CMSG_SPACE((1 + MESSAGE_MAX_FDS) * sizeof(int))];
	struct iovec part = { data, size };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	ssize_t got = recvmsg(WORKER_SOCKET, &message, 0);
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	*count = 0;
	if (got > 0 && head) {
		*count = (unsigned)((head->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(head), *count * sizeof(int));
	}
	return got;
}

/* files: so many descriptors of /dev/null. Returns whether it could be sent. */
static int send_bytes(const void *data, size_t size, unsigned files, int flags)
{
	char control[CMSG_SPACE(MAX_FILES * sizeof(int))] = {};
	struct iovec part = { (void *)(uintptr_t)data, size };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	int null = open("/dev/null", O_RDONLY);
	ssize_t sent;

	if (files) {
		struct cmsghdr *head;

		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(files * sizeof(int));
		head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(files * sizeof(int));
		for (unsigned i = 0; i < files; i++)
			memcpy(CMSG_DATA(head) + i * sizeof(int), &null, sizeof(int));
	}
	sent = sendmsg(WORKER_SOCKET, &message, MSG_NOSIGNAL | flags);
	close(null);
	return sent >= 0;
}

static void answer(const struct answer_head *head, unsigned files)
{
	(void)send_bytes(head, sizeof(*head), files, 0);
}

static void sleep_for_ever(void)
{
	for (;;)
		pause();
}

static void work_ms(unsigned ms)
{
	struct timespec begin, now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	while ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 < ms);
}

/* ---- how it is asked to misbehave ---- */

static void flood(struct answer_head head)
{
	do {
		answer(&head, 0);
		head.sequence++;
	} while (send_bytes(&head, sizeof(head), 0, MSG_DONTWAIT));
	sleep_for_ever();
}

/* Answers with `size` bytes behind the head, of which it says that they are `told`. */
static void answer_behind(struct answer_head head, const char *bytes, size_t size, size_t told)
{
	static char message[sizeof(head) + 2 * ANSWER_BEHIND_MAX];

	head.size = told;
	memcpy(message, &head, sizeof(head));
	memcpy(message + sizeof(head), bytes, size);
	(void)send_bytes(message, sizeof(head) + size, 0, 0);
}

static void misbehave(const struct question *question, const char *payload, size_t size, int memory)
{
	struct answer_head head = { .sequence = question->sequence };
	char message[2 * sizeof(head)] = {}, echo[256] = {};
	static const char many[ANSWER_BEHIND_MAX + 1];
	unsigned files = 0;

	if (question->what == BEHIND || question->what == BEHIND_TOO_FEW) {
		size_t all =
			(size_t)snprintf(echo, sizeof(echo), "%.*s%s", (int)size, payload, role);

		answer_behind(head, echo, all, all + (question->what == BEHIND_TOO_FEW));
		return;
	}
	if (question->what == BEHIND_TOO_MANY) {
		answer_behind(head, many, sizeof(many), sizeof(many));
		return;
	}
	if (write(memory, payload, size) != (ssize_t)size ||
	    write(memory, role, strlen(role)) != (ssize_t)strlen(role))
		abort();
	head.size = size + strlen(role);
	switch (question->what) {
	case HONEST_FILES:
		head.fd_count = files = 2;
		break;
	case SLOW:
		for (unsigned i = 0; i < 20; i++) {
			work_ms(5);
			usleep(5000);
		}
		break;
	case CRASH:
		abort();
	case EXIT:
		_exit(0);
	case CLOSE:
		close(WORKER_SOCKET);
		sleep_for_ever();
		break;
	case WRONG_SEQUENCE:
		head.sequence--;
		break;
	case SIZE_TOO_LARGE:
		head.size++;
		break;
	case SIZE_TOO_SMALL:
		head.size--;
		break;
	case SIZE_ENORMOUS:
		head.size = UINT64_MAX;
		break;
	case FILE_ENORMOUS:
		head.size = 1ULL << 40;
		if (ftruncate(memory, 1LL << 40) < 0)
			abort();
		break;
	case STILL_MAPPED:
		(void)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
		break;
	case SEALED_BEFORE:
		(void)fcntl(memory, F_ADD_SEALS, F_SEAL_SEAL);
		break;
	case NO_ERRNO:
		head.result = INT_MIN;
		break;
	case SHORT_MESSAGE:
		(void)send_bytes(&head, sizeof(head) - 1, 0, 0);
		return;
	case LONG_MESSAGE:
		memcpy(message, &head, sizeof(head));
		(void)send_bytes(message, sizeof(message), 0, 0);
		return;
	case EMPTY_MESSAGE:
		(void)send_bytes(&head, 0, 0, 0);
		return;
	case EMPTY_MESSAGE_WITH_FILES:
		(void)send_bytes(&head, 0, 3, 0);
		return;
	case UNANNOUNCED_FILES:
		files = 3;
		break;
	case MISSING_FILES:
		head.fd_count = 3;
		break;
	case TOO_MANY_FILES:
		head.fd_count = files = MAX_FILES;
		break;
	case SLEEP:
		sleep_for_ever();
		break;
	case STOP:
		raise(SIGSTOP);
		break;
	case SPIN:
		for (;;)
			work_ms(1000);
	case DRIP:
		for (;;) {
			work_ms(2);
			usleep(50000);
		}
	case FLOOD:
		flood(head);
		break;
	default:
		break;
	}
	answer(&head, files);
}

/* ---- as the reader ---- */

static struct {
	uint32_t object;
	char text[TEXT_BYTES];
} known[MAX_KNOWN];
static unsigned known_count, asked;
static char poison[TEXT_BYTES];

static const char *text_of(const struct question *question, int file)
{
	for (unsigned i = 0; i < known_count; i++)
		if (known[i].object == question->object)
			return known[i].text;
	if (!question->has_object || known_count == MAX_KNOWN)
		return NULL;
	known[known_count].object = question->object;
	(void)pread(file, known[known_count].text, TEXT_BYTES - 1, 0);
	return known[known_count++].text;
}

static void forget(uint32_t object)
{
	for (unsigned i = 0; i < known_count; i++)
		if (known[i].object == object)
			known[i].object = 0;
}

static size_t fine_answer(const struct question *question, int file, int memory)
{
	struct {
		struct wire_object object;
		struct wire_segment segment;
	} object = { { .segment_count = 1 }, { .memory_size = 4096, .executable = 1 } };
	const struct wire_needed needed = {};
	struct stat st;

	if (question->what != READER_OBJECT)
		return (size_t)write(memory, &needed, sizeof(needed));
	if (fstat(file, &st) == 0)
		object.object.file_size = (uint64_t)st.st_size;
	return (size_t)write(memory, &object, sizeof(object));
}

static void be_killed(const char *text, int file)
{
	char fewer[TEXT_BYTES];
	int times = atoi(text + strlen("kill "));

	if (times == 0)
		return;
	snprintf(fewer, sizeof(fewer), "kill %d", times - 1);
	if (pwrite(file, fewer, strlen(fewer), 0) < 0)
		abort();
	(void)raise(SIGKILL);
}

static void answer_as_told(const struct question *question, const char *payload, size_t size,
			   int memory, int file)
{
	struct answer_head head = { .sequence = question->sequence };
	const char *text = poison[0] ? poison : text_of(question, file);

	asked++;
	if (question->what == READER_DEMANGLE) {
		/* What the names say. */
		if (memmem(payload, size, "crash", 5))
			abort();
		if (memmem(payload, size, "spin", 4))
			for (;;)
				work_ms(1000);
		if (memmem(payload, size, "fewer", 5))
			size--;
		head.size = (uint64_t)write(memory, payload, size);
	} else if (question->what == READER_FORGET) {
		forget(question->object);
	} else if (!text) {
		head.result = -ENOENT;
	} else if (strcmp(text, "crash") == 0) {
		abort();
	} else if (strcmp(text, "sleep") == 0) {
		sleep_for_ever();
	} else if (strcmp(text, "memory") == 0 ||
		   (strcmp(text, "memory later") == 0 && asked > 1)) {
		head.result = -ENOMEM;
	} else if (strcmp(text, "nonsense") == 0) {
		head.size = (uint64_t)write(memory, "???", 3);
	} else {
		if (strncmp(text, "poison ", 7) == 0)
			strcpy(poison, text + 7);
		if (strncmp(text, "kill ", 5) == 0)
			be_killed(text, file);
		head.size = fine_answer(question, file, memory);
	}
	answer(&head, 0);
}

/* ---- as the opener ---- */

static void open_as_told(const struct question *question, const char *payload)
{
	const struct answer_head head = { .sequence = question->sequence, .result = -ENOENT };
	const struct wire_open_mapping *mapping = (const void *)payload;
	const char *path = question->what == OPENER_FILES ? payload + sizeof(struct wire_open_files)
							  : (const char *)(mapping + 1);

	if (strstr(path, "silent") ||
	    (question->what == OPENER_MAPPING && mapping->still_there && strstr(path, "locked")))
		sleep_for_ever();
	answer(&head, 0);
}

/* As the reader takes it: a file or a parcel. */
static int open_object(int *fds, unsigned count)
{
	if (count < 2)
		return -1;
	fds[1] = parcel_open(fds[1]);
	return fds[1];
}

int main(int argc, char **argv)
{
	static _Alignas(8) char message[QUESTION_BYTES_MAX];
	int fds[1 + MESSAGE_MAX_FDS];
	unsigned count;
	ssize_t size;

	if (argc != 3 || strcmp(argv[1], "_worker") != 0)
		return 2;
	role = argv[2];
	while ((size = receive(message, sizeof(message), fds, &count)) > 0) {
		const struct question *question = (const void *)message;

		if (count == 0)
			return 3;
		if (question->what >= HONEST)
			misbehave(question, message + sizeof(*question),
				  (size_t)size - sizeof(*question), fds[0]);
		else if (strcmp(role, "opener") == 0)
			open_as_told(question, message + sizeof(*question));
		else
			answer_as_told(question, message + sizeof(*question),
				       (size_t)size - sizeof(*question), fds[0],
				       open_object(fds, count));
		for (unsigned i = 0; i < count; i++)
			close(fds[i]);
	}
	return 0;
}
