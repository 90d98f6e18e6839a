// SPDX-License-Identifier: Apache-2.0
/*
 * Two threads: this one samples, as `profd record` does, the other one draws; see feed.h. Both are in
 * a child of the process that was started; see guard.h.
 */
#include "top/top.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "session/describe.h"
#include "session/keep_names.h"
#include "session/recording.h"
#include "top/once.h"
#include "top/ui.h"

enum {
	SAID_BYTES = 65536, /* of what was written to stderr while the screen was there */
	LEAVE_S = 2,	    /* for a terminal that takes nothing */
};

struct session {
	struct top_config *config;
	struct guard *guard;
	struct recording recording;
	struct feed feed;
	struct ui ui;
	struct profile *words;	/* what the target is called */
	int said_fd, stderr_fd; /* what is said meanwhile, and where to */
	int ui_result;
};

static void *draw(void *context)
{
	struct session *session = context;
	struct ui *ui = &session->ui;

	/* A terminal that is somebody else's by then is not waited for. */
	signal(SIGTTOU, SIG_IGN);
	session->ui_result = screen_open(&ui->screen, session->guard);
	if (session->ui_result == 0) {
		session->ui_result = ui_run(ui);
		screen_close(&ui->screen, session->guard);
	}
	recording_stop(&session->recording);
	return NULL;
}

/* Nothing but the screen is to be written to the terminal. */
static int redirect_stderr(struct session *session)
{
	session->said_fd = memfd_create("profd-top-stderr", MFD_CLOEXEC);
	session->stderr_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (session->said_fd < 0 || session->stderr_fd < 0)
		return -errno;
	return dup2(session->said_fd, STDERR_FILENO) < 0 ? -errno : 0;
}

static void say_what_was_said(struct session *session)
{
	cleanup(bytes_fini) struct bytes said = {};

	if (session->stderr_fd < 0)
		return;
	(void)dup2(session->stderr_fd, STDERR_FILENO);
	if (lseek(session->said_fd, 0, SEEK_SET) == 0)
		(void)fs_read_fd(&said, session->said_fd, SAID_BYTES);
	if (said.size)
		(void)fs_write_all(STDERR_FILENO, said.at, said.size);
}

static int sample(struct session *session)
{
	struct recording *rec = &session->recording;
	struct health health;
	int r = recording_run(rec);

	/* The picture stays until somebody has seen it, or a signal has come meanwhile. */
	if (r == 0 && rec->end == RECORDING_TARGET_GONE) {
		r = recording_finish(rec, &health);
		if (r == 0 && rec->end == RECORDING_TARGET_GONE)
			feed_serve(&session->feed);
	}
	feed_leave(&session->feed);
	return r;
}

static int run_threads(struct session *session)
{
	struct timespec until;
	sigset_t resized;
	pthread_t thread;
	int r;

	sigemptyset(&resized);
	sigaddset(&resized, SIGWINCH);
	pthread_sigmask(SIG_BLOCK, &resized, NULL);
	r = redirect_stderr(session);
	if (r == 0)
		r = -pthread_create(&thread, NULL, draw, session);
	if (r < 0) {
		say_what_was_said(session);
		log_error("cannot set up: %s", strerror(-r));
		return r;
	}
	r = sample(session);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += LEAVE_S;
	/* The guard gives the terminal back then. */
	if (pthread_timedjoin_np(thread, NULL, &until) != 0)
		_exit(1);
	say_what_was_said(session);
	return r < 0 ? r : session->ui_result;
}

static int prepare(struct session *session)
{
	struct recording *rec = &session->recording;
	int r = recording_open(rec, &session->config->record);

	if (r < 0)
		return r;
	/* Always, for the view of threads; they are put together where they are not to be told apart. */
	rec->pipeline.threads = true;
	r = feed_init(&session->feed, rec);
	if (r == 0)
		r = profile_new(&session->words);
	if (r == 0)
		r = describe(rec, &(struct health){}, session->words);
	if (r < 0) {
		log_error("cannot set up: %s", strerror(-r));
		return r;
	}
	rec->watch = feed_watch;
	rec->watch_context = &session->feed;
	default_name_word(session->ui.file_name, &session->config->record.target);
	session->ui.title = session->words->meta.title;
	return 0;
}

static int work(struct guard *guard, void *context)
{
	struct top_config *config = context;
	struct session *session = calloc(1, sizeof(*session));
	struct recording *rec;
	int r;

	if (!session)
		return 1;
	rec = &session->recording;
	*session = (struct session){
		.config = config, .guard = guard, .said_fd = -1, .stderr_fd = -1
	};
	session->feed.ready_fd = session->feed.want_fd = -1;
	session->ui.config = config;
	session->ui.feed = &session->feed;
	session->ui.guard = guard;
	r = prepare(session);
	if (r == 0)
		r = run_threads(session);
	if (r == 0) {
		recording_let_signals_through(rec);
		keep_names(&rec->pipeline);
		if (rec->launch.pid)
			r = recording_end_command(rec);
	}
	ui_fini(&session->ui);
	profile_free(session->words);
	feed_fini(&session->feed);
	recording_fini(rec);
	free(session);
	return r < 0 ? 1 : r;
}

int top_run(struct top_config *config)
{
	if (config->once)
		return top_once(config);
	if (screen_check() < 0)
		return 1;
	config->record.on_screen = true;
	return guard_run(work, config);
}
