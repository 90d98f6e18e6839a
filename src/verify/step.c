// SPDX-License-Identifier: Apache-2.0
#include "verify/step.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "oracle/oracle.h"

static void step(struct verify_steps *ret, char **argv, uint64_t instructions)
{
	const struct oracle_options options = { .instructions = instructions, .silent = true };
	struct oracle *oracle = oracle_new(&options, argv, &ret->error);
	int status;

	if (!oracle)
		return;
	status = oracle_follow(oracle);
	if (status < 0)
		ret->error = status;
	else if (oracle->comparer.compared == 0)
		ret->error = -ENOEXEC; /* it ended before anything was seen */
	ret->instructions = oracle->instructions;
	ret->compared = oracle->comparer.compared;
	ret->wrong = oracle->report.unexplained;
	ret->explained = oracle->report.explained;
	oracle_free(oracle);
}

int verify_steps(struct verify_steps *ret, char **argv, uint64_t instructions)
{
	cleanup(close) int from = -1, to = -1;
	int ends[2], status;
	ssize_t got;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	from = ends[0];
	to = ends[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		struct verify_steps steps = {};

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		step(&steps, argv, instructions);
		_exit(fs_write_all(to, &steps, sizeof(steps)) < 0);
	}
	close(TAKE_FD(to));
	do
		got = read(from, ret, sizeof(*ret));
	while (got < 0 && errno == EINTR);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return got == sizeof(*ret) ? 0 : -EIO;
}
