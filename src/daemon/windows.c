// SPDX-License-Identifier: Apache-2.0
#include "daemon/windows.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"

enum { WAITING_MAX = 6 };

static void tell(struct windows *w)
{
	uint64_t once = 1;

	(void)!write(w->done_fd, &once, sizeof(once));
}

/* Once for the same words: a full disk is said once, and when it is over. */
static void note_trouble(struct windows *w, const char *words)
{
	char before[sizeof(w->figures.trouble)];

	pthread_mutex_lock(&w->lock);
	memcpy(before, w->figures.trouble, sizeof(before));
	snprintf(w->figures.trouble, sizeof(w->figures.trouble), "%s", words);
	pthread_mutex_unlock(&w->lock);
	if (words[0] && strcmp(before, w->figures.trouble) != 0)
		log_error("%s; recording goes on", words);
	else if (before[0] && !words[0])
		log_info("the history is written again");
}

static int open_store(struct windows *w, struct bytes *why)
{
	int r = store_open(&w->store, &w->options, why);

	if (r == STORE_SET_ASIDE) {
		log_error("%s", bytes_str(why));
		r = 0;
	}
	return r;
}

static void write_window(struct windows *w, const struct window *window)
{
	cleanup(bytes_fini) struct bytes why = {};
	int r = w->store ? 0 : open_store(w, &why);

	if (r == 0) {
		why.size = 0;
		r = store_add_window(w->store, window->profile, &window->health, &why);
	}
	if (r == STORE_SET_ASIDE)
		log_error("%s", bytes_str(&why));
	note_trouble(w, r == 0 || r == STORE_SET_ASIDE ? ""
			: why.size && bytes_str(&why)  ? why.at
						       : strerror(r < 0 ? -r : EIO));
	pthread_mutex_lock(&w->lock);
	w->figures.written += r == 0 || r == STORE_SET_ASIDE;
	w->figures.lost += r != 0 && r != STORE_SET_ASIDE;
	w->figures.names_lost |= r != 0;
	w->figures.written_number = window->number;
	if (w->store)
		w->figures.store_bytes = store_bytes(w->store);
	pthread_mutex_unlock(&w->lock);
	tell(w);
}

static void *run(void *context)
{
	struct windows *w = context;

	for (;;) {
		struct window window;

		pthread_mutex_lock(&w->lock);
		while (!w->queue.count && !w->ending)
			pthread_cond_wait(&w->filled, &w->lock);
		if (!w->queue.count) {
			pthread_mutex_unlock(&w->lock);
			return NULL;
		}
		window = w->queue.at[0];
		memmove(w->queue.at, w->queue.at + 1, --w->queue.count * sizeof(window));
		pthread_mutex_unlock(&w->lock);
		write_window(w, &window);
		profile_free(window.profile);
	}
}

/* Signals are the other thread's. */
static int start_thread(struct windows *w)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = -pthread_create(&w->thread, NULL, run, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	w->runs = r == 0;
	return r;
}

int windows_open(struct windows *w, const struct store_options *options)
{
	cleanup(bytes_fini) struct bytes why = {};
	int r;

	*w = (struct windows){ .options = *options, .done_fd = -1 };
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->filled, NULL);
	r = open_store(w, &why);
	if (r > 0) {
		log_error("%s", bytes_str(&why));
		return r;
	}
	if (r < 0)
		note_trouble(w, why.size && bytes_str(&why) ? why.at : strerror(-r));
	else
		w->figures.store_bytes = store_bytes(w->store);
	w->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = w->done_fd < 0 ? -errno : start_thread(w);
	if (r < 0)
		log_error("cannot write the history: %s", strerror(-r));
	return r;
}

uint64_t windows_add(struct windows *w, struct profile *profile, const struct store_health *health)
{
	struct profile *lost = NULL;
	struct window *window;
	uint64_t number;

	pthread_mutex_lock(&w->lock);
	number = ++w->numbered;
	if (w->queue.count >= WAITING_MAX) {
		lost = w->queue.at[0].profile;
		memmove(w->queue.at, w->queue.at + 1, --w->queue.count * sizeof(*w->queue.at));
	}
	window = array_push(&w->queue);
	if (window)
		*window = (struct window){ profile, *health, number };
	else
		lost = profile;
	w->figures.lost += lost != NULL;
	w->figures.names_lost |= lost != NULL;
	pthread_cond_signal(&w->filled);
	pthread_mutex_unlock(&w->lock);
	profile_free(lost);
	return number;
}

void windows_look(struct windows *w, struct windows_figures *ret)
{
	uint64_t times;

	if (w->done_fd >= 0)
		(void)!read(w->done_fd, &times, sizeof(times));
	pthread_mutex_lock(&w->lock);
	*ret = w->figures;
	w->figures.names_lost = false;
	pthread_mutex_unlock(&w->lock);
}

void windows_set_limits(struct windows *w, uint64_t max_bytes, uint64_t max_age_ns)
{
	pthread_mutex_lock(&w->lock);
	w->options.max_bytes = max_bytes;
	w->options.max_age_ns = max_age_ns;
	pthread_mutex_unlock(&w->lock);
}

void windows_close(struct windows *w, unsigned wait_ms)
{
	struct timespec until;

	pthread_mutex_lock(&w->lock);
	w->ending = true;
	pthread_cond_signal(&w->filled);
	pthread_mutex_unlock(&w->lock);
	if (w->runs) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += wait_ms / 1000;
		until.tv_nsec += wait_ms % 1000 * 1000000L;
		if (until.tv_nsec >= 1000000000L) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000L;
		}
		if (pthread_timedjoin_np(w->thread, NULL, &until) != 0) {
			log_error("the disk does not answer: the last windows are not in the history");
			return; /* the thread has all of it still */
		}
	}
	store_close(w->store);
	for (uint32_t i = 0; i < w->queue.count; i++)
		profile_free(w->queue.at[i].profile);
	array_fini(&w->queue);
	if (w->done_fd >= 0)
		close(w->done_fd);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->filled);
	w->runs = false;
}
