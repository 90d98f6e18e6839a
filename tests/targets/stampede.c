// SPDX-License-Identifier: Apache-2.0
/*
 * stampede COUNT PARALLEL FOLDER PROGRAM [ARGUMENT...]
 *
 * Starts PROGRAM COUNT times, as fast as it goes, PARALLEL of them at once. FOLDER "-": the file
 * itself; else each time a new copy of it, FOLDER/0, FOLDER/1, ..., which is deleted when it ended.
 * Says 40 times how many it started so far, and at the end how many there were and their CPU time.
 * Ends early when told to.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "target.h"

enum { MAX_PARALLEL = 4096 };

extern char **environ;

static struct {
	pid_t pid;
	long number;
} running[MAX_PARALLEL];

static const char *folder;
static char *program;
static size_t program_bytes;

static void read_program(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		exit(1);
	program_bytes = (size_t)st.st_size;
	program = malloc(program_bytes);
	if (!program || read(fd, program, program_bytes) != st.st_size)
		exit(1);
	close(fd);
}

static const char *copy_path(long number)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/%ld", folder, number);
	return path;
}

static const char *make_copy(long number)
{
	const char *path = copy_path(number);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	if (fd < 0 || write(fd, program, program_bytes) != (ssize_t)program_bytes)
		exit(1);
	close(fd);
	return path;
}

/* Waits for one of them. Returns its place, or -1: there is none. */
static long reap(long parallel)
{
	pid_t pid;

	do
		pid = wait(NULL);
	while (pid < 0 && errno == EINTR);
	for (long i = 0; pid > 0 && i < parallel; i++) {
		if (running[i].pid != pid)
			continue;
		running[i].pid = 0;
		if (folder)
			unlink(copy_path(running[i].number));
		return i;
	}
	return -1;
}

int main(int argc, char **argv)
{
	posix_spawn_file_actions_t quiet;
	long count, parallel, started = 0;
	struct rusage usage;

	if (argc < 5)
		return 2;
	count = atol(argv[1]);
	parallel = atol(argv[2]);
	if (parallel < 1 || parallel > MAX_PARALLEL)
		return 2;
	if (strcmp(argv[3], "-") != 0) {
		folder = argv[3];
		read_program(argv[4]);
	}
	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	target_begin(NULL);
	target_ready();
	while (started < count && !target_stopped) {
		long place = started < parallel ? started : reap(parallel);
		const char *path = folder ? make_copy(started) : argv[4];

		running[place].number = started;
		if (place < 0 ||
		    posix_spawn(&running[place].pid, path, &quiet, NULL, argv + 4, environ) != 0)
			return 1;
		if (++started % (count / 40 + 1) == 0) {
			printf("%ld\n", started);
			fflush(stdout);
		}
	}
	while (reap(parallel) >= 0)
		;
	getrusage(RUSAGE_CHILDREN, &usage);
	printf("{\"started\": %ld, \"cpu_s\": %.6f}\n", started,
	       (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
	return 0;
}
