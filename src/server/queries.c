// SPDX-License-Identifier: Apache-2.0
#include "server/queries.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/privileges.h"
#include "server/site.h"

/* Sanitizers map more than any limit allows. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#define SECOND_NS 1000000000ULL

enum {
	WORDS_MAX = 32,
	COMPLAINT_BYTES = 480,
	EXIT_USAGE = 2, /* what was asked cannot be understood */
};

/* ---- what is asked ---- */

static void free_query(struct query *query)
{
	for (uint32_t i = 0; i < query->words.count; i++)
		free(query->words.at[i]);
	array_fini(&query->words);
	if (query->pidfd >= 0)
		close(query->pidfd);
	if (query->output >= 0)
		close(query->output);
	if (query->errors >= 0)
		close(query->errors);
	free(query);
}

/* word: consumed. */
static bool add_word(struct query *query, char *word)
{
	char **slot = word && query->words.count < WORDS_MAX ? array_push(&query->words) : NULL;

	if (slot)
		*slot = word;
	else
		free(word);
	return slot;
}

struct query *query_new(struct site *site)
{
	struct query *query = calloc(1, sizeof(*query));

	if (!query)
		return NULL;
	query->pidfd = query->output = query->errors = -1;
	if (!add_word(query, strdup("profd")) || !add_word(query, strdup("query"))) {
		free_query(query);
		return NULL;
	}
	query_add(query, "--store", site->settings.store ? site->settings.store : "");
	return query;
}

void query_add(struct query *query, const char *name, const char *value)
{
	char *word = NULL;

	if (asprintf(&word, "%s%s%s", name, value ? "=" : "", value ? value : "") < 0)
		word = NULL;
	/* It must not be asked without it: then there is no end of its words. */
	if (!add_word(query, word))
		query->is_overdue = true;
}

void query_abandon(struct query *query)
{
	free_query(query);
}

void query_ask(struct exchange *exchange, struct query *query)
{
	struct queries *queries = &exchange->site->queries;
	struct query **end = &queries->first;

	if (!query || query->is_overdue) {
		if (query)
			free_query(query);
		exchange_fail(exchange, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
		return;
	}
	if (!exchange->site->settings.store) {
		free_query(query);
		exchange_fail(exchange, MHD_HTTP_NOT_FOUND, "this daemon keeps no history");
		return;
	}
	if (queries->waiting >= QUERIES_WAITING ||
	    queries->held_bytes > ANSWERS_BYTES_MAX - QUERIES_AT_ONCE * QUERY_OUTPUT_BYTES) {
		free_query(query);
		queries->refused++;
		exchange_fail_for_now(exchange, MHD_HTTP_SERVICE_UNAVAILABLE, 5,
				      "too many questions about the history at once");
		return;
	}
	queries->asked++;
	query->exchange = exchange;
	query->deadline_ns = clock_ns(CLOCK_MONOTONIC) + QUERY_SECONDS * SECOND_NS;
	exchange->query = query;
	while (*end)
		end = &(*end)->next;
	*end = query;
	queries->waiting++;
}

static void kill_query(const struct query *query)
{
	(void)syscall(SYS_pidfd_send_signal, query->pidfd, SIGKILL, NULL, 0);
}

void query_cancel(struct query *query)
{
	query->exchange = NULL;
	if (query->pid)
		kill_query(query);
}

/* Also the largest answer must find its place. */
static bool may_start(const struct queries *queries)
{
	return queries->running < QUERIES_AT_ONCE &&
	       queries->held_bytes + (uint64_t)(queries->running + 1) * QUERY_OUTPUT_BYTES <=
		       ANSWERS_BYTES_MAX;
}

/* ---- the process ---- */

/* Only what is safe between fork and exec. */
static void become_query(const struct query *query, pid_t parent)
{
	int null;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	(void)signal(SIGPIPE, SIG_DFL);
	null = open("/dev/null", O_RDWR);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(query->output, STDOUT_FILENO) < 0 ||
	    dup2(query->errors, STDERR_FILENO) < 0 ||
	    syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0) < 0 ||
	    privileges_limit(RLIMIT_CPU, QUERY_CPU_SECONDS) < 0 ||
	    privileges_limit(RLIMIT_FSIZE, QUERY_OUTPUT_BYTES) < 0 ||
	    (!SANITIZED && privileges_limit(RLIMIT_AS, QUERY_MEMORY_BYTES) < 0))
		_exit(126);
	execve("/proc/self/exe", query->words.at, environ);
	_exit(127);
}

/* Returns 0 or a negative errno. */
static int start(struct query *query)
{
	pid_t parent = getpid(), pid;

	if (!array_push(&query->words))
		return -ENOMEM;
	query->words.count--; /* the NULL stays behind it */
	query->output = memfd_create("answer", MFD_CLOEXEC);
	query->errors = memfd_create("errors", MFD_CLOEXEC);
	if (query->output < 0 || query->errors < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		become_query(query, parent);
	query->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (query->pidfd < 0) {
		int r = -errno;

		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		return r;
	}
	query->pid = pid;
	return 0;
}

/* ---- its end ---- */

static uint64_t size_of(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 ? (uint64_t)status.st_size : 0;
}

/* The first line that it has complained in, without "profd: "; "" when there is none. */
static void read_complaint(const struct query *query, char text[COMPLAINT_BYTES])
{
	uint64_t size = size_of(query->errors);
	const char *begin;

	if (size >= COMPLAINT_BYTES)
		size = COMPLAINT_BYTES - 1;
	if (fs_read_at(query->errors, text, size, 0) < 0)
		size = 0;
	text[size] = '\0';
	begin = strncmp(text, "profd: ", 7) == 0 ? text + 7 : text;
	size = strcspn(begin, "\n");
	memmove(text, begin, size);
	text[size] = '\0';
}

static void answer(struct queries *queries, struct query *query, int status)
{
	struct exchange *exchange = query->exchange;
	const int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	char complaint[COMPLAINT_BYTES];
	uint64_t size = size_of(query->output);

	exchange->query = NULL;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		exchange->held_bytes = size;
		queries->held_bytes += size;
		exchange_reply_file(exchange, TAKE_FD(query->output), size);
		return;
	}
	queries->failed++;
	read_complaint(query, complaint);
	/* The limit on CPU time ends it with SIGKILL, or the kernel where memory is short. */
	if (query->is_overdue || number == SIGXCPU || number == SIGKILL)
		exchange_fail(exchange, MHD_HTTP_GATEWAY_TIMEOUT,
			      "this takes too long; ask for a shorter interval");
	else if (number == SIGXFSZ || size >= QUERY_OUTPUT_BYTES)
		exchange_fail(
			exchange, MHD_HTTP_UNPROCESSABLE_CONTENT,
			"the answer is larger than %d MiB; ask for a shorter interval, or less",
			QUERY_OUTPUT_BYTES >> 20);
	else if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_USAGE)
		exchange_fail(exchange, MHD_HTTP_BAD_REQUEST, "%s",
			      *complaint ? complaint : "this is not understood");
	else if (WIFEXITED(status) && *complaint)
		exchange_fail(exchange, MHD_HTTP_NOT_FOUND, "%s", complaint);
	else
		exchange_fail(exchange, MHD_HTTP_INTERNAL_SERVER_ERROR,
			      "the process that reads the history has crashed");
}

/* Returns whether it is over. */
static bool reap(struct queries *queries, struct query *query)
{
	int status;
	pid_t done;

	do
		done = waitpid(query->pid, &status, WNOHANG);
	while (done < 0 && errno == EINTR);
	if (done == 0)
		return false;
	if (query->exchange)
		answer(queries, query, status);
	queries->running--;
	return true;
}

static bool keep_limit(struct queries *queries, struct query *query, uint64_t now)
{
	if (now < query->deadline_ns || query->is_overdue)
		return false;
	query->is_overdue = true;
	if (query->pid) {
		kill_query(query);
		return false;
	}
	if (query->exchange) {
		query->exchange->query = NULL;
		exchange_fail_for_now(query->exchange, MHD_HTTP_SERVICE_UNAVAILABLE, 10,
				      "too many questions about the history at once");
	}
	queries->refused++;
	queries->waiting--;
	return true;
}

/* Returns whether it is over: it could not be started, or nobody waits for it. */
static bool begin(struct site *site, struct query *query)
{
	struct queries *queries = &site->queries;
	int r;

	queries->waiting--;
	if (!query->exchange)
		return true;
	r = start(query);
	if (r == 0) {
		queries->running++;
		return false;
	}
	query->exchange->query = NULL;
	exchange_fail(query->exchange, MHD_HTTP_INTERNAL_SERVER_ERROR,
		      "the history cannot be asked: %s", strerror(-r));
	return true;
}

void queries_run(struct site *site)
{
	struct queries *queries = &site->queries;
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	struct query **at = &queries->first;

	while (*at) {
		struct query *query = *at;
		bool is_over = query->pid ? reap(queries, query) : false;

		if (!is_over)
			is_over = keep_limit(queries, query, now);
		if (!is_over && !query->pid && (may_start(queries) || !query->exchange))
			is_over = begin(site, query);
		if (is_over) {
			*at = query->next;
			free_query(query);
		} else {
			at = &query->next;
		}
	}
}

unsigned queries_poll_fds(const struct queries *queries, struct pollfd *fds)
{
	unsigned count = 0;

	for (const struct query *query = queries->first; query; query = query->next)
		if (query->pid && count < QUERIES_AT_ONCE)
			fds[count++] = (struct pollfd){ .fd = query->pidfd, .events = POLLIN };
	return count;
}

int queries_timeout_ms(const struct queries *queries)
{
	if (!queries->first)
		return -1;
	/* What waits while others would be free is to be started now. */
	return queries->waiting && may_start(queries) ? 0 : 500;
}

void queries_release(struct queries *queries, uint64_t bytes)
{
	queries->held_bytes -= bytes;
}

void queries_fini(struct queries *queries)
{
	while (queries->first) {
		struct query *query = queries->first;

		queries->first = query->next;
		if (query->pid) {
			kill_query(query);
			(void)waitpid(query->pid, NULL, 0);
		}
		free_query(query);
	}
}
