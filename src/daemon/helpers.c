// SPDX-License-Identifier: Apache-2.0
/* The processes beside the one that records: the HTTP server, and who keeps the history small. */
#include "daemon/daemon_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/again.h"
#include "proc/cgroup_find.h"

#define TIDY_NS 60000000000ULL
/* After it has ended by itself; doubled each time, up to the second. */
#define AGAIN_NS 1000000000ULL
#define AGAIN_MAX_NS 60000000000ULL

/* ---- the HTTP server ---- */

/* Zeros where there is none. */
static void read_store_folder(const struct daemon *d, struct stat *ret)
{
	if (!d->has_windows || stat(d->config->store_folder, ret) < 0)
		*ret = (struct stat){};
}

static void start_server(struct daemon *d)
{
	struct stat folder;
	int r;

	read_store_folder(d, &folder);
	d->server_store_device = folder.st_dev;
	d->server_store_inode = folder.st_ino;
	r = server_start(&d->server);
	d->server_again_ns = 0;
	if (r == 0) {
		control_init(&d->control, d->server.control);
		r = recording_wake_on(&d->recording, d->server.control);
	}
	if (r < 0) {
		log_error("cannot start the HTTP server: %s", strerror(-r));
		d->server_again_ns = clock_ns(CLOCK_MONOTONIC) + AGAIN_MAX_NS;
	}
}

static void end_server(struct daemon *d, const char *why)
{
	uint64_t pause = AGAIN_NS << (d->server_failures < 6 ? d->server_failures : 6);

	log_error("the HTTP server has ended (%s); it is started again", why);
	captures_drop_all(&d->captures);
	recorders_cancel_all(&d->recorders);
	control_fini(&d->control);
	server_stop(&d->server);
	d->server_failures++;
	d->server_again_ns =
		clock_ns(CLOCK_MONOTONIC) + (pause < AGAIN_MAX_NS ? pause : AGAIN_MAX_NS);
}

/* It is confined to the folder that was there when it began, not to that path. */
static void mind_store_folder(struct daemon *d)
{
	struct stat folder;

	if (d->server_again_ns)
		return;
	read_store_folder(d, &folder);
	if (folder.st_dev == d->server_store_device && folder.st_ino == d->server_store_inode)
		return;
	log_info("the folder of the history is another one: the HTTP server is started again");
	captures_drop_all(&d->captures);
	recorders_cancel_all(&d->recorders);
	control_fini(&d->control);
	server_stop(&d->server);
	start_server(d);
}

static int answer(struct daemon *d, enum control_result result, uint64_t id, const char *words)
{
	struct control_answer told = { .result = result, .id = id, .text = words };

	return control_answer(&d->control, &told);
}

/* Whether there is such a target now; where that is not to be found out, it is waited for. */
static bool is_there(const struct control_request *request)
{
	cleanup(bytes_fini) struct bytes path = {};

	if (request->kind != CONTROL_UNIT && request->kind != CONTROL_CONTAINER)
		return true;
	/* Of a pattern any one may come. */
	return strpbrk(request->value, "*?[") ||
	       cgroup_find_here(&path,
				request->kind == CONTROL_UNIT ? CGROUP_UNIT : CGROUP_CONTAINER,
				request->value) != -ENOENT;
}

static const char *missing(const struct control_request *request)
{
	switch (request->kind) {
	case CONTROL_UNIT:
		return "no such unit has processes now";
	case CONTROL_CONTAINER:
		return "no such container is running";
	default:
		return "no such process";
	}
}

static const char is_stopped[] = "sampling is stopped by the stop file";

void helpers_stopped(struct daemon *d)
{
	uint64_t id;

	while (captures_break_off(&d->captures, &id))
		(void)answer(d, CONTROL_BUSY, id, is_stopped);
	for (uint32_t i = 0; i < d->recorders.list.count; i++)
		if (d->recorders.list.at[i].id)
			(void)answer(d, CONTROL_BUSY, d->recorders.list.at[i].id, is_stopped);
	recorders_cancel_all(&d->recorders);
}

/* r: of what was to begin; where it does, the answer comes in the end. */
static void answer_start(struct daemon *d, const struct control_request *request, int r)
{
	if (r == -ESRCH)
		(void)answer(d, CONTROL_ABSENT, request->id, missing(request));
	else if (r == -EAGAIN)
		(void)answer(d, CONTROL_BUSY, request->id, "too many are under way");
	else if (r < 0)
		(void)answer(d, CONTROL_FAILED, request->id, strerror(-r));
}

/* What goes wrong with sending is seen when the socket is served next. */
static void handle(void *context, const struct control_request *request)
{
	struct daemon *d = context;
	cleanup(bytes_fini) struct bytes json = {};

	switch (request->verb) {
	case CONTROL_STATUS:
		daemon_status(d, &json);
		(void)answer(d, json.failed ? CONTROL_FAILED : CONTROL_IS_STATUS, request->id,
			     bytes_str(&json) ? json.at : "out of memory");
		return;
	case CONTROL_CANCEL:
		captures_cancel(&d->captures, request->id);
		recorders_cancel(&d->recorders, request->id);
		return;
	case CONTROL_RECORD:
		if (d->paused)
			(void)answer(d, CONTROL_BUSY, request->id, is_stopped);
		else
			answer_start(d, request,
				     is_there(request) ? recorders_start(&d->recorders, request) : -ESRCH);
		return;
	case CONTROL_CAPTURE:
		if (!d->has_windows) {
			(void)answer(d, CONTROL_FAILED, request->id,
				     "profd runs without a history, which holds what is asked for");
		} else if (d->paused) {
			(void)answer(d, CONTROL_BUSY, request->id, is_stopped);
		} else {
			answer_start(d, request,
				     is_there(request) ? captures_add(&d->captures, request) : -ESRCH);
		}
	}
}

static void answer_captures(struct daemon *d)
{
	struct capture done;

	while (captures_take(&d->captures, &done, d->written.written_number)) {
		struct control_answer told = { .result = CONTROL_CAPTURED,
					       .id = done.asked.id,
					       .from_ns = done.from_wall,
					       .until_ns = done.until_wall };

		/* Then its windows are nowhere to be found. */
		if (d->written.trouble[0])
			told = (struct control_answer){ .result = CONTROL_BUSY,
							.id = done.asked.id,
							.text = d->written.trouble };
		/* The clock was set back meanwhile. */
		if (told.until_ns <= told.from_ns)
			told.until_ns = told.from_ns + done.asked.seconds * 1000000000LL;
		(void)control_answer(&d->control, &told);
	}
}

static void answer_recorders(struct daemon *d)
{
	cleanup(bytes_fini) struct bytes words = {};
	struct control_answer told;
	int fd;

	while (recorders_take(&d->recorders, &told, &fd, &words)) {
		if (fd >= 0)
			(void)control_answer_with(&d->control, &told, fd);
		else
			(void)control_answer(&d->control, &told);
	}
}

void helpers_answer(struct daemon *d)
{
	int r;

	if (!d->has_server || d->server_again_ns)
		return;
	r = control_serve(&d->control, handle, d);
	if (r < 0)
		end_server(d, r == -EPIPE     ? "it closed the connection"
			      : r == -EBADMSG ? "it said what makes no sense"
					      : strerror(-r));
}

static void look_at_server(struct daemon *d, uint64_t now_ns)
{
	if (d->server_again_ns) {
		if (now_ns < d->server_again_ns)
			return;
		start_server(d);
		d->server_began_ns = now_ns;
	}
	if (now_ns - d->server_began_ns > AGAIN_MAX_NS)
		d->server_failures = 0;
	answer_captures(d);
	answer_recorders(d);
	helpers_answer(d);
}

/* ---- the history ---- */

static void start_tidy(struct daemon *d, uint64_t now_ns)
{
	char bytes[32], age[32];
	char *arguments[] = { (char *)"profd",
			      (char *)"_tidy",
			      d->config->store_folder,
			      bytes,
			      age,
			      NULL };
	int r;

	d->tidied_ns = now_ns;
	snprintf(bytes, sizeof(bytes), "%" PRIu64, d->config->store_bytes);
	snprintf(age, sizeof(age), "%" PRIu64, d->config->store_age_ns);
	r = start_again(&d->tidy_pid, arguments, NULL);
	if (r < 0) {
		d->tidy_pid = 0;
		log_error("cannot start a process that keeps the history small: %s", strerror(-r));
	}
}

static void take_tidy_away(struct daemon *d)
{
	struct rusage used;
	int status;

	if (!d->tidy_pid || wait4(d->tidy_pid, &status, WNOHANG, &used) != d->tidy_pid)
		return;
	d->tidy_pid = 0;
	d->ended_cpu_ns +=
		(uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000000ULL +
		(uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1000ULL;
	if (WIFSIGNALED(status))
		log_error("the process that keeps the history small was ended by signal %d (%s)",
			  WTERMSIG(status), strsignal(WTERMSIG(status)));
}

/* ---- all of them ---- */

void helpers_open(struct daemon *d)
{
	control_init(&d->control, -1);
	if (d->has_server)
		start_server(d);
	/* The first time soon: the last run may have left much. */
	d->tidied_ns = clock_ns(CLOCK_MONOTONIC) - TIDY_NS / 2;
}

void helpers_look(struct daemon *d, uint64_t now_ns)
{
	if (d->has_windows) {
		uint64_t before = d->written.written;

		windows_look(&d->windows, &d->written);
		if (d->has_server && d->written.written != before)
			mind_store_folder(d);
		if (d->written.names_lost)
			known_names_forget(&d->known);
		take_tidy_away(d);
		if (!d->tidy_pid && now_ns - d->tidied_ns >= TIDY_NS)
			start_tidy(d, now_ns);
	}
	if (d->has_server)
		look_at_server(d, now_ns);
}

void helpers_close(struct daemon *d)
{
	if (d->has_server) {
		control_fini(&d->control);
		server_stop(&d->server);
		server_close(&d->server);
	}
	recorders_fini(&d->recorders);
	if (d->tidy_pid) {
		(void)kill(d->tidy_pid, SIGTERM);
		(void)waitpid(d->tidy_pid, NULL, 0);
		d->tidy_pid = 0;
	}
}
