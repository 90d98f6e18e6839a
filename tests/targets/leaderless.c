// SPDX-License-Identifier: Apache-2.0
/*
 * leaderless WORKERS [PLUGIN.so [PROGRAM ARGUMENT...]]
 *
 * The first thread ends at once (pthread_exit), and the workers go on: the process is a zombie with
 * living threads. After 4 s, longer than anybody waits for an ended process, one of them loads
 * PLUGIN and works in that from then on; at the end it executes PROGRAM, if there is one. True
 * stacks: start_thread, worker, worker_leaf or worker, plugin_run, ...
 */
#include <dlfcn.h>
#include <pthread.h>

#include "target.h"

FUNCTION void *worker(void *argument);
LEAF uint64_t worker_leaf(uint64_t value);

static char **arguments;

uint64_t worker_leaf(uint64_t value)
{
	return target_work(value, 200000);
}

static void rest(unsigned int milliseconds)
{
	struct timespec pause = { milliseconds / 1000, milliseconds % 1000 * 1000000L };

	nanosleep(&pause, NULL);
}

void *worker(void *argument)
{
	uint64_t (*run)(uint64_t) = worker_leaf, value = 1, begin = target_clock_ns(CLOCK_MONOTONIC);
	const char *plugin = argument;
	void *handle;

	/* Long enough asleep to be forgotten. */
	rest(3000);
	while (!target_stopped) {
		if (plugin && target_clock_ns(CLOCK_MONOTONIC) - begin > 4000000000u) {
			handle = dlopen(plugin, RTLD_NOW);
			if (!handle)
				exit(1);
			run = (uint64_t(*)(uint64_t))(uintptr_t)dlsym(handle, "plugin_run");
			plugin = NULL;
		}
		value = run(value);
		rest(1);
	}
	if (!argument && arguments[2])
		return NULL; /* the one with the plugin has the last word */
	if (argument && arguments[3])
		execv(arguments[3], arguments + 3);
	printf("{\"value\": %llu}\n", (unsigned long long)value);
	exit(0);
}

int main(int argc, char **argv)
{
	pthread_t thread;
	int workers;

	if (argc < 2)
		return 2;
	workers = atoi(argv[1]);
	arguments = argv;
	target_begin(NULL);
	for (int i = 0; i < workers; i++) {
		if (pthread_create(&thread, NULL, worker, i == 0 && argc > 2 ? argv[2] : NULL) != 0)
			return 1;
	}
	target_ready();
	pthread_exit(NULL);
}
