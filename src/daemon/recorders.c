// SPDX-License-Identifier: Apache-2.0
#include "daemon/recorders.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "daemon/again.h"

/* Beyond its own time: to set up, and to name what it has found. */
#define PATIENCE_NS 15000000000ULL

enum { WORDS_BYTES = 4096 };

static const char *const options[CONTROL_KINDS] = {
	[CONTROL_PID] = "--pid",
	[CONTROL_UNIT] = "--unit",
	[CONTROL_COMM] = "--comm",
	[CONTROL_CONTAINER] = "--container",
	[CONTROL_ALL] = "--all",
};

static int spawn(struct recorder *recorder, const struct control_request *asked,
		 const char *symbol_cache)
{
	char seconds[16], event[16];
	bool all = asked->kind == CONTROL_ALL;
	char *arguments[] = { (char *)"profd",	(char *)"record",
			      (char *)"--quiet", (char *)"--event",
			      event,		(char *)"--duration",
			      seconds,		(char *)"--format",
			      (char *)"pprof",	(char *)"--output",
			      (char *)"-",	(char *)options[asked->kind],
			      all ? (char *)"--quiet" : (char *)asked->value,
			      symbol_cache ? (char *)"--symbol-cache" : NULL,
			      (char *)symbol_cache, NULL };
	posix_spawn_file_actions_t files;
	int r;

	snprintf(seconds, sizeof(seconds), "%" PRIu32, asked->seconds);
	snprintf(event, sizeof(event), "%s", control_event_names[asked->event]);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, recorder->output, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&files, recorder->errors, STDERR_FILENO);
	r = start_again(&recorder->pid, arguments, &files);
	posix_spawn_file_actions_destroy(&files);
	return r;
}

static void forget(struct recorders *r, uint32_t i)
{
	struct recorder *recorder = &r->list.at[i];

	close(recorder->output);
	close(recorder->errors);
	memmove(recorder, recorder + 1, (r->list.count - i - 1) * sizeof(*recorder));
	r->list.count--;
}

int recorders_start(struct recorders *recorders, const struct control_request *asked)
{
	struct recorder recorder = {
		.id = asked->id,
		.deadline_ns = clock_ns(CLOCK_MONOTONIC) + asked->seconds * 1000000000ULL + PATIENCE_NS,
	};
	struct recorder *slot;
	int r = 0;

	if (recorders->list.count >= RECORDERS_AT_ONCE)
		return -EAGAIN;
	slot = array_push(&recorders->list);
	if (!slot)
		return -ENOMEM;
	recorder.output = memfd_create("profd-recorded", MFD_CLOEXEC);
	if (recorder.output < 0)
		r = -errno;
	recorder.errors = memfd_create("profd-recorder-stderr", MFD_CLOEXEC);
	if (recorder.errors < 0 && r == 0)
		r = -errno;
	if (r == 0)
		r = spawn(&recorder, asked, recorders->symbol_cache);
	*slot = recorder;
	if (r < 0)
		forget(recorders, recorders->list.count - 1);
	return r;
}

void recorders_cancel(struct recorders *r, uint64_t id)
{
	for (uint32_t i = 0; id && i < r->list.count; i++)
		if (r->list.at[i].id == id) {
			r->list.at[i].id = 0;
			(void)kill(r->list.at[i].pid, SIGTERM);
		}
}

void recorders_cancel_all(struct recorders *r)
{
	for (uint32_t i = 0; i < r->list.count; i++)
		recorders_cancel(r, r->list.at[i].id);
}

/* The first line of what it said: why it could not. */
static void read_words(const struct recorder *recorder, struct bytes *words)
{
	size_t size;

	words->size = 0;
	if (lseek(recorder->errors, 0, SEEK_SET) == 0)
		(void)fs_read_fd(words, recorder->errors, WORDS_BYTES);
	if (bytes_str(words) && strncmp(words->at, "profd: ", 7) == 0) {
		words->size -= 7;
		memmove(words->at, words->at + 7, words->size);
	}
	size = words->size && bytes_str(words) ? strcspn(words->at, "\n") : 0;
	words->size = size;
	if (!size)
		bytes_add_str(words, "the process that records has ended, and did not say why");
}

static void fill(const struct recorder *recorder, int status, struct control_answer *ret, int *fd,
		 struct bytes *words)
{
	struct stat file;

	*ret = (struct control_answer){ .id = recorder->id };
	*fd = -1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && fstat(recorder->output, &file) == 0 &&
	    file.st_size > 0 && file.st_size <= CONTROL_RECORD_BYTES_MAX)
		*fd = fcntl(recorder->output, F_DUPFD_CLOEXEC, 3);
	if (*fd >= 0) {
		ret->result = CONTROL_RECORDED;
		ret->size = (uint64_t)file.st_size;
		return;
	}
	ret->result = WIFEXITED(status) && WEXITSTATUS(status) == 1 ? CONTROL_ABSENT : CONTROL_FAILED;
	read_words(recorder, words);
	ret->text = bytes_str(words) ? words->at : "out of memory";
}

bool recorders_take(struct recorders *r, struct control_answer *ret, int *fd, struct bytes *words)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	for (uint32_t i = r->list.count; i-- > 0;) {
		struct recorder *recorder = &r->list.at[i];
		struct rusage used;
		bool wanted = recorder->id != 0;
		int status;

		if (now > recorder->deadline_ns)
			(void)kill(recorder->pid, SIGKILL);
		if (wait4(recorder->pid, &status, WNOHANG, &used) != recorder->pid)
			continue;
		r->ended_cpu_ns +=
			(uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000000ULL +
			(uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1000ULL;
		if (wanted)
			fill(recorder, status, ret, fd, words);
		forget(r, i);
		if (wanted)
			return true;
	}
	return false;
}

void recorders_fini(struct recorders *r)
{
	while (r->list.count) {
		(void)kill(r->list.at[0].pid, SIGKILL);
		(void)waitpid(r->list.at[0].pid, NULL, 0);
		forget(r, 0);
	}
	array_fini(&r->list);
}
