// SPDX-License-Identifier: Apache-2.0
/*
 * pid_again COUNT MILLISECONDS EVEN ODD
 *
 * Runs the programs EVEN and ODD (of exec_chain.c) in turn, MILLISECONDS of CPU time each, COUNT in
 * all, every one of them with the same pid (clone3 with set_tid: needs CAP_SYS_ADMIN). Prints how
 * many ran, the pid, and the CPU time of either kind.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "target.h"

static void run(char **argv, const char *program)
{
	int null = open("/dev/null", O_WRONLY);

	dup2(null, STDOUT_FILENO);
	execl(program, program, "0", argv[2], "nothing", (char *)NULL);
	_exit(127);
}

/* Returns the pid, or -1: the pid is taken just now. */
static pid_t start_as(pid_t pid)
{
	struct clone_args args = { .exit_signal = SIGCHLD,
				   .set_tid = (uintptr_t)&pid,
				   .set_tid_size = 1 };

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

static uint64_t nanoseconds(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_usec * 1000u;
}

int main(int argc, char **argv)
{
	uint64_t cpu_ns[2] = { 0, 0 };
	long count, done = 0;
	struct rusage usage;
	pid_t pid, child;

	if (argc < 5)
		return 2;
	count = atol(argv[1]);
	pid = fork();
	if (pid == 0)
		_exit(0);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	target_begin(NULL);
	target_ready();
	while (done < count && !target_stopped) {
		child = start_as(pid);
		if (child < 0 && errno != EEXIST)
			return 1;
		if (child == 0)
			run(argv, argv[3 + done % 2]);
		if (child < 0) {
			usleep(1000);
			continue;
		}
		if (wait4(child, NULL, 0, &usage) == child)
			cpu_ns[done++ % 2] += nanoseconds(&usage.ru_utime) +
					      nanoseconds(&usage.ru_stime);
	}
	printf("{\"count\": %ld, \"pid\": %d, \"even_ns\": %llu, \"odd_ns\": %llu}\n", done, pid,
	       (unsigned long long)cpu_ns[0], (unsigned long long)cpu_ns[1]);
	return 0;
}
