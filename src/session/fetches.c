// SPDX-License-Identifier: Apache-2.0
#include "session/fetches.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "fetch/protocol.h"
#include "session/naming.h"
#include "worker/ask_reader.h"

enum {
	AT_ONCE = 4,
	/* Each keeps its object's file open while it waits. */
	FETCHES_MAX = 256,
	/* After so many silences in a row the servers are not there, and all others would wait, too. */
	SILENCES_MAX = 4,
	/* It gets on when so much has come; but no file has more than so many times its limit. */
	GOT_ON_BYTES = 1 << 20,
	MOST_LIMITS = 20,
	END_MS = 300, /* a process that was told to give up is gone by then */
};

/* What only talks to people on terminals, or is ours to say. */
static const char *const replaced[] = { "DEBUGINFOD_URLS", "DEBUGINFOD_PROGRESS",
					"DEBUGINFOD_VERBOSE" };

static bool is_replaced(const char *variable)
{
	size_t size = strcspn(variable, "=");

	for (size_t i = 0; i < ARRAY_SIZE(replaced); i++)
		if (strlen(replaced[i]) == size && memcmp(replaced[i], variable, size) == 0)
			return true;
	return false;
}

static int add_variable(struct fetches *fetches, char *variable)
{
	char **slot = array_push(&fetches->environment);

	if (!slot)
		return -ENOMEM;
	*slot = variable;
	return 0;
}

int fetches_init(struct fetches *fetches, const char *servers, uint64_t file_limit_ns)
{
	char *urls;
	int r;

	*fetches = (struct fetches){ .file_limit_ns = file_limit_ns };
	if (asprintf(&urls, "DEBUGINFOD_URLS=%s", servers) < 0)
		return -ENOMEM;
	r = add_variable(fetches, urls);
	if (r < 0)
		free(urls);
	for (char **variable = environ; variable && *variable && r == 0; variable++)
		if (!is_replaced(*variable))
			r = add_variable(fetches, *variable);
	return r < 0 ? r : add_variable(fetches, NULL);
}

/* ---- processes ---- */

/* Only what is safe between fork and exec. */
static void become_fetcher(int status, int file, pid_t parent, char *const argv[],
			   char *const environment[])
{
	sigset_t none;
	int null;

	/* Ctrl-C is for profd. */
	(void)setsid();
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	null = open("/dev/null", O_RDWR);
	/* Neither may lie where the other one is to be. */
	status = fcntl(status, F_DUPFD, FETCH_FILE_SOCKET + 1);
	file = fcntl(file, F_DUPFD, FETCH_FILE_SOCKET + 1);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(null, STDERR_FILENO) < 0 || dup2(status, FETCH_STATUS_SOCKET) < 0 ||
	    dup2(file, FETCH_FILE_SOCKET) < 0)
		_exit(126);
	if (syscall(SYS_close_range, FETCH_FILE_SOCKET + 1, ~0U, 0) < 0)
		_exit(126);
	execve("/proc/self/exe", argv, environment);
	_exit(127);
}

/* Returns 0 or a negative errno. */
static int start(struct fetches *fetches, struct fetch *fetch)
{
	char *const argv[] = { (char *)"profd", (char *)"_fetch", fetch->build_id, NULL };
	int status[2], file[2], r = 0;
	pid_t parent = getpid(), pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, status) < 0)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, file) < 0) {
		r = -errno;
		close(status[0]);
		close(status[1]);
		return r;
	}
	pid = fork();
	if (pid == 0)
		become_fetcher(status[1], file[1], parent, argv, fetches->environment.at);
	r = pid < 0 ? -errno : 0;
	close(status[1]);
	close(file[1]);
	if (r < 0) {
		close(status[0]);
		close(file[0]);
		return r;
	}
	/* It is in nobody's way. */
	(void)setpriority(PRIO_PROCESS, (id_t)pid, 5);
	fetch->pid = pid;
	fetch->status = status[0];
	fetch->parcel = file[0];
	return 0;
}

/* Tells it to give up, or ends it when that was a while ago. */
static void end_soon(struct fetch *fetch, uint64_t now)
{
	if (!fetch->pid)
		return;
	if (!fetch->told_ns) {
		fetch->told_ns = now;
		(void)kill(fetch->pid, SIGTERM);
	} else if (now - fetch->told_ns > END_MS * 1000000ULL) {
		(void)kill(fetch->pid, SIGKILL);
	}
}

static void reap(struct fetches *fetches, struct fetch *fetch)
{
	struct rusage usage = {};
	pid_t done;

	if (!fetch->pid)
		return;
	do
		done = wait4(fetch->pid, NULL, WNOHANG, &usage);
	while (done < 0 && errno == EINTR);
	if (done == 0)
		return;
	fetch->pid = 0;
	fetches->cpu_ns +=
		(uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000ULL +
		(uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000ULL;
}

static void finish(struct fetches *fetches, struct fetch *fetch, enum fetch_state state, int error,
		   const char *why)
{
	fetch->state = state;
	fetch->error = error;
	fetch->why = why;
	fetch->ended_ns = clock_ns(CLOCK_MONOTONIC);
	if (fetch->status >= 0)
		close(fetch->status);
	fetch->status = -1;
	if (state != FETCH_FOUND && fetch->parcel >= 0) {
		close(fetch->parcel);
		fetch->parcel = -1;
	}
	end_soon(fetch, fetch->ended_ns);
	/* Whose silence is ours does not count. */
	if (state == FETCH_GIVEN_UP && !fetches->no_more && !fetch->got_on)
		fetches->silent++;
	else if (state == FETCH_FOUND || state == FETCH_NOT_FOUND)
		fetches->silent = 0;
}

/* ---- what they say ---- */

static void take_message(struct fetches *fetches, struct fetch *fetch,
			 const struct fetch_message *message)
{
	switch (message->kind) {
	case FETCH_PROGRESS:
		fetch->done = message->done;
		fetch->total = message->total;
		if (fetch->done > fetch->got_on && fetch->done - fetch->got_on >= GOT_ON_BYTES) {
			fetch->got_on = fetch->done;
			fetch->got_on_ns = clock_ns(CLOCK_MONOTONIC);
		}
		return;
	case FETCH_DONE:
		fetch->from_cache = message->from_cache;
		finish(fetches, fetch, FETCH_FOUND, 0, NULL);
		return;
	case FETCH_UNKNOWN:
		finish(fetches, fetch, FETCH_NOT_FOUND, 0, NULL);
		return;
	case FETCH_NO_CACHE:
		/* So it is for all others. */
		fetches->no_more = true;
		finish(fetches, fetch, FETCH_FAILED, message->error,
		       message->error == -ENOENT ? "neither HOME nor DEBUGINFOD_CACHE_PATH says "
						   "where to put it"
						 : "the cache of debuginfod cannot be written");
		return;
	case FETCH_NO_LIBRARY:
		fetches->no_more = true;
		finish(fetches, fetch, FETCH_FAILED, 0, "libdebuginfod is not installed");
		return;
	default:
		finish(fetches, fetch, FETCH_FAILED, message->error,
		       message->error == -EFBIG ? "it is larger than profd downloads" : NULL);
	}
}

static void listen_to(struct fetches *fetches, struct fetch *fetch)
{
	/* No more than that, whatever it says meanwhile. */
	for (unsigned i = 0; i < 64 && fetch->state == FETCH_RUNS; i++) {
		struct fetch_message message;
		ssize_t size;

		do /* without room for descriptors: they are let go of by the kernel */
			size = recv(fetch->status, &message, sizeof(message), MSG_DONTWAIT);
		while (size < 0 && errno == EINTR);
		if (size < 0 && errno == EAGAIN)
			return;
		if (size == sizeof(message))
			take_message(fetches, fetch, &message);
		else
			finish(fetches, fetch, FETCH_FAILED, 0,
			       "the process that downloads it has crashed");
	}
}

/* ---- objects ---- */

static struct fetch *find(struct fetches *fetches, const char *build_id)
{
	for (uint32_t i = 0; i < fetches->list.count; i++)
		if (strcmp(fetches->list.at[i].build_id, build_id) == 0)
			return &fetches->list.at[i];
	return NULL;
}

/* Is it of the object itself, and not of a file that its debug file goes on in? */
static bool is_own(const struct object *object, const char *build_id)
{
	char own[2 * OBJECT_BUILD_ID_MAX + 1];

	object_build_id_hex(object, own);
	return strcmp(own, build_id) == 0;
}

static struct fetch *add(struct fetches *fetches, const struct object *object, const char *build_id)
{
	struct fetch *fetch = array_push(&fetches->list);

	if (!fetch)
		return NULL;
	*fetch = (struct fetch){ .status = -1, .parcel = -1 };
	snprintf(fetch->build_id, sizeof(fetch->build_id), "%s", build_id);
	if (asprintf(&fetch->path, "%s%s", object->path,
		     is_own(object, build_id) ? "" : " (supplementary file)") < 0) {
		fetches->list.count--;
		return NULL;
	}
	return fetch;
}

static bool knows(const struct fetch *fetch, const struct object *object)
{
	for (uint32_t i = 0; i < fetch->objects.count; i++)
		if (fetch->objects.at[i] == object)
			return true;
	return false;
}

/* An object that knows its file, and has been asked about once more. */
static void judge(struct fetch *fetch, const struct object *object)
{
	if (fetch->state == FETCH_FOUND && object->lacks_debug_info) {
		fetch->state = FETCH_FAILED;
		fetch->why = "what came is not its debug information";
	}
}

static int want(struct fetches *fetches, struct object *object, const char *build_id)
{
	struct fetch *fetch = find(fetches, build_id);
	struct object **slot;

	if (!fetch && (fetches->no_more || fetches->list.count >= FETCHES_MAX)) {
		fetches->refused++;
		return 0;
	}
	if (!fetch)
		fetch = add(fetches, object, build_id);
	if (!fetch)
		return -ENOMEM;
	if ((fetch_is_over(fetch) && fetch->state != FETCH_FOUND) || knows(fetch, object))
		return 0;
	slot = array_push(&fetch->objects);
	if (!slot)
		return -ENOMEM;
	*slot = object_ref(object);
	object->awaited_files++;
	return 0;
}

int fetches_want(struct fetches *fetches, struct object *object)
{
	char build_id[2 * OBJECT_BUILD_ID_MAX + 1];
	struct fetch *fetch;

	/* The vdso is the kernel's, and exports all its functions. */
	if (object->fd < 0 || object->path[0] == '[' || object->given_up || object->lines_given_up)
		return 0;
	object_build_id_hex(object, build_id);
	fetch = object->debug_parcel >= 0 ? find(fetches, build_id) : NULL;
	if (fetch)
		judge(fetch, object);
	else if (object->lacks_debug_info && object->build_id_size)
		return want(fetches, object, build_id);
	if (object->lacks_supplement && object->supplement_parcel < 0)
		return want(fetches, object, object->lacks_supplement);
	return 0;
}

/* Tells objects of their file, or that they need not wait for it any more. */
static void deliver(struct fetch *fetch, struct workers *workers, struct naming *naming)
{
	for (; fetch->delivered < fetch->objects.count; fetch->delivered++) {
		struct object *object = fetch->objects.at[fetch->delivered];

		int *parcel = is_own(object, fetch->build_id) ? &object->debug_parcel
							      : &object->supplement_parcel;

		object->awaited_files--;
		if (fetch->parcel < 0 || *parcel >= 0)
			continue;
		*parcel = fcntl(fetch->parcel, F_DUPFD_CLOEXEC, 0);
		if (*parcel < 0)
			continue;
		ask_lines_anew(workers, object);
		naming_again(naming, object);
	}
}

/* ---- all of them ---- */

static bool takes_too_long(const struct fetches *fetches, const struct fetch *fetch, uint64_t now)
{
	/* It may have got on since `now`. */
	return (now > fetch->got_on_ns && now - fetch->got_on_ns > fetches->file_limit_ns) ||
	       now - fetch->begun_ns > MOST_LIMITS * fetches->file_limit_ns;
}

void fetches_advance(struct fetches *fetches, struct workers *workers, struct naming *naming)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	unsigned running = 0;

	for (uint32_t i = 0; i < fetches->list.count; i++) {
		struct fetch *fetch = &fetches->list.at[i];

		if (fetch->state == FETCH_RUNS)
			listen_to(fetches, fetch);
		if (fetch->state == FETCH_RUNS && takes_too_long(fetches, fetch, now))
			finish(fetches, fetch, FETCH_GIVEN_UP, 0, NULL);
		if (fetch_is_over(fetch))
			end_soon(fetch, now);
		reap(fetches, fetch);
		running += fetch->pid != 0;
	}
	fetches->no_more |= fetches->silent >= SILENCES_MAX;
	for (uint32_t i = 0; i < fetches->list.count; i++) {
		struct fetch *fetch = &fetches->list.at[i];
		int failure;

		if (fetch->state == FETCH_WAITS && fetches->no_more) {
			finish(fetches, fetch, FETCH_GIVEN_UP, 0, NULL);
		} else if (fetch->state == FETCH_WAITS && running < AT_ONCE) {
			fetch->state = FETCH_RUNS;
			fetch->begun_ns = fetch->got_on_ns = now;
			failure = start(fetches, fetch);
			if (failure < 0)
				finish(fetches, fetch, FETCH_FAILED, failure, NULL);
			running++;
		}
		if (fetch_is_over(fetch))
			deliver(fetch, workers, naming);
	}
}

bool fetches_pending(const struct fetches *fetches)
{
	for (uint32_t i = 0; i < fetches->list.count; i++)
		if (!fetch_is_over(&fetches->list.at[i]) ||
		    fetches->list.at[i].delivered < fetches->list.at[i].objects.count)
			return true;
	return false;
}

void fetches_wait(const struct fetches *fetches, int other_fd, int timeout_ms)
{
	struct pollfd poll_fds[AT_ONCE + 1] = { { .fd = other_fd, .events = POLLIN } };
	nfds_t count = 1;

	for (uint32_t i = 0; i < fetches->list.count && count <= AT_ONCE; i++)
		if (fetches->list.at[i].state == FETCH_RUNS)
			poll_fds[count++] = (struct pollfd){ .fd = fetches->list.at[i].status,
							     .events = POLLIN };
	(void)poll(poll_fds, count, timeout_ms);
}

void fetches_give_up(struct fetches *fetches)
{
	fetches->no_more = true;
	for (uint32_t i = 0; i < fetches->list.count; i++)
		if (!fetch_is_over(&fetches->list.at[i]))
			finish(fetches, &fetches->list.at[i], FETCH_GIVEN_UP, 0, NULL);
}

static void end_all(struct fetches *fetches)
{
	bool any = true;

	fetches_give_up(fetches);
	for (unsigned i = 0; i < 2 * END_MS && any; i++) {
		uint64_t now = clock_ns(CLOCK_MONOTONIC);

		any = false;
		for (uint32_t k = 0; k < fetches->list.count; k++) {
			end_soon(&fetches->list.at[k], now);
			reap(fetches, &fetches->list.at[k]);
			any |= fetches->list.at[k].pid != 0;
		}
		if (any)
			usleep(1000);
	}
}

void fetches_fini(struct fetches *fetches)
{
	end_all(fetches);
	for (uint32_t i = 0; i < fetches->list.count; i++) {
		struct fetch *fetch = &fetches->list.at[i];

		for (uint32_t k = 0; k < fetch->objects.count; k++)
			object_unref(fetch->objects.at[k]);
		array_fini(&fetch->objects);
		if (fetch->parcel >= 0)
			close(fetch->parcel);
		free(fetch->path);
	}
	array_fini(&fetches->list);
	if (fetches->environment.count)
		free(fetches->environment.at[0]);
	array_fini(&fetches->environment);
}
