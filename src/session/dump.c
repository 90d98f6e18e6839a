// SPDX-License-Identifier: Apache-2.0
#include "session/dump.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "proc/stat.h"
#include "proc/view.h"
#include "session/complain.h"
#include "session/file_limit.h"
#include "session/keep_names.h"
#include "worker/ask_opener.h"
#include "worker/ask_reader.h"

/* Swapped pages come within milliseconds. */
#define MEMORY_PATIENCE_NS 5000000000ULL

static int complain(int r, const char *what)
{
	return session_complain("dump", r, what);
}

static int refuse(pid_t pid, const char *why)
{
	log_error("cannot attach to pid %d: %s", (int)pid, why);
	return -ESRCH;
}

static pid_t process_of(pid_t tid)
{
	cleanup(bytes_fini) struct bytes text = {};
	const char *line;
	char path[64];
	int pid;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	if (fs_read(&text, AT_FDCWD, path, 65536) < 0 || !bytes_str(&text))
		return 0;
	line = strstr(text.at, "\nTgid:");
	return line && sscanf(line, "\nTgid: %d", &pid) == 1 ? pid : 0;
}

/* Logs. */
static int check_process(pid_t pid)
{
	struct proc_stat stat;
	int r = proc_stat_read(&stat, pid);

	if (r == -ESRCH && proc_view_hides(pid))
		return refuse(pid, "/proc is mounted with hidepid, which hides it from all without "
				   "CAP_SYS_PTRACE");
	if (r == -ESRCH)
		return refuse(pid, "no such process");
	if (r < 0)
		return complain(r, "cannot read the process");
	if (stat.state == 'Z' && stat.threads <= 1)
		return refuse(pid, "it has ended (a zombie waits for its parent)");
	if (process_of(pid) != pid)
		return refuse(pid, "it is a thread, not a process");
	return 0;
}

/* What the process was started with, blanks between; the name in brackets where that is not told. */
static void command_of(struct bytes *ret, struct workers *workers, pid_t pid)
{
	struct proc_stat stat;

	/* It is memory of the process, which may never come: see OPENER_CMDLINE. */
	(void)ask_cmdline(workers, ret, pid);
	while (ret->size && ret->at[ret->size - 1] == '\0')
		ret->size--;
	for (size_t i = 0; i < ret->size; i++)
		if (ret->at[i] == '\0')
			ret->at[i] = ' ';
	if (ret->size == 0 && proc_stat_read(&stat, pid) == 0)
		bytes_add_format(ret, "[%s]", stat.comm);
}

/*
 * Who takes a page away in the very moment in which it is read can have us wait for ever, and no
 * signal ends that but one that ends profd.
 */
static void *watch_memory(void *of)
{
	const struct process_memory *memory = of;
	const struct timespec pause = { .tv_nsec = 200000000 };

	for (;;) {
		uint64_t begun = memory->begun_ns;

		if (begun && clock_ns(CLOCK_MONOTONIC) - begun > MEMORY_PATIENCE_NS) {
			log_error("cannot dump: the process's memory does not come");
			_exit(1);
		}
		(void)nanosleep(&pause, NULL);
	}
	return NULL;
}

static int start_watching(struct dump *dump)
{
	pthread_t thread;
	int r = pthread_create(&thread, NULL, watch_memory, &dump->memory);

	if (r == 0)
		dump->watcher = thread;
	return -r;
}

static void stop_watching(struct dump *dump)
{
	if (!dump->watcher)
		return;
	(void)pthread_cancel(dump->watcher);
	(void)pthread_join(dump->watcher, NULL);
	dump->watcher = 0;
}

/* Logs. */
static int take(struct dump *dump, const struct dump_config *config)
{
	struct source_failure failure = {};
	int r = config->stop_ns ? 0
				: thread_source_open(&dump->source, dump->pid, dump->pids_differ,
						     true, &failure);

	if (r == -ESRCH)
		return refuse(dump->pid, "it ended just now");
	if (r < 0) {
		log_error("cannot dump: %s: %s; %s --stop, which needs no BPF but stops the process "
			  "for a moment",
			  failure.what, strerror(-r),
			  geteuid() == 0 ? "there is" : "run it as root, or with");
		return r;
	}
	r = workers_check(&dump->workers);
	if (r < 0) {
		log_error("cannot dump: the processes that read programs' files do not start; see "
			  "'profd doctor'");
		return r;
	}
	r = start_watching(dump);
	if (r < 0)
		return complain(r, "cannot set up");
	r = config->stop_ns ? dump_take_stopped(dump, config->stop_ns, &failure)
			    : dump_take(dump, &failure);
	stop_watching(dump);
	if (r == -ESRCH)
		return refuse(dump->pid, "it ended just now");
	if (r == -EBUSY || r == -ETIMEDOUT)
		return refuse(dump->pid, failure.what);
	if (r < 0)
		return complain(r, failure.what[0] ? failure.what : "cannot take the stacks");
	dump->pipeline.naming.no_inline = config->no_inline;
	r = naming_advance(&dump->pipeline.naming, UINT64_MAX);
	return r < 0 ? complain(r, "cannot name the functions") : 0;
}

/* Logs. */
static int write_out(struct dump *dump, const struct dump_config *config, const char *command)
{
	const char *trouble = symbolizer_kernel_trouble(dump->pipeline.symbolizer);
	cleanup(bytes_fini) struct bytes out = {};
	int r;

	if (config->json)
		dump_json(&out, dump, config, command);
	else
		dump_text(&out, dump, config, command);
	r = out.failed ? -ENOMEM : fs_write_all(STDOUT_FILENO, out.at, out.size);
	if (r == -EPIPE)
		return r; /* whoever reads has seen enough */
	if (r < 0)
		log_error("cannot write to stdout: %s", strerror(-r));
	else if (trouble && !config->no_kernel)
		log_info("kernel frames have no names: %s", trouble);
	return r;
}

static int run(struct dump *dump, const struct dump_config *config)
{
	cleanup(bytes_fini) struct bytes command = {};
	int r = session_check_view("dump", &dump->pids_differ);

	if (r == 0)
		r = check_process(config->pid);
	if (r == 0)
		r = keep_names_open(&dump->workers, config->symbol_cache);
	if (r < 0)
		return r;
	/* They get ready while the rest is set up. */
	r = workers_start(&dump->workers);
	if (r < 0)
		return complain(r, "cannot set up");
	command_of(&command, &dump->workers, config->pid);
	r = take(dump, config);
	if (r == 0)
		r = write_out(dump, config, bytes_str(&command) ? command.at : "");
	if (r == 0)
		keep_names(&dump->pipeline);
	return r;
}

int session_dump(const struct dump_config *config)
{
	struct dump *dump = calloc(1, sizeof(*dump));
	int r;

	if (!dump) {
		(void)complain(-ENOMEM, "cannot set up");
		return 1;
	}
	dump->pid = config->pid;
	file_limit_raise();
	signal(SIGPIPE, SIG_IGN);
	workers_init(&dump->workers);
	r = run(dump, config);
	dump_fini(dump);
	workers_fini(&dump->workers);
	free(dump);
	return r < 0 && r != -EPIPE ? 1 : 0;
}
