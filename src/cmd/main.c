// SPDX-License-Identifier: Apache-2.0
/* Finds the command and runs it: its exit status is profd's. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cmd/command.h"
#include "cmd/completion.h"
#include "cmd/tidy.h"
#include "fetch/fetcher.h"
#include "reader/opener.h"
#include "reader/reader.h"
#include "server/server.h"
#include "session/invoking_user.h"
#include "verify/program.h"

/* A descriptor opened later must not become stdout by chance: a profile could end up in it. */
static void open_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		(void)close(fd);
}

static int run_worker(const char *role)
{
	char name[16];

	/* Else it would be called "exe", after /proc/self/exe. */
	snprintf(name, sizeof(name), "profd-%s", role);
	(void)prctl(PR_SET_NAME, name);
	if (strcmp(role, "opener") == 0)
		return opener_main();
	return reader_main(strcmp(role, "walker") == 0);
}

/* Downloads one debug file, as the person behind sudo: the cache is theirs. */
static int run_fetcher(const char *build_id)
{
	cleanup(invoking_user_free) struct invoking_user *user = NULL;
	int r = invoking_user_find(&user);

	(void)prctl(PR_SET_NAME, "profd-fetcher");
	if (r < 0 || (user && invoking_user_become(user) < 0))
		return 1;
	if (user)
		environ = user->environment;
	return fetcher_main(build_id);
}

static int run_option(const char *word)
{
	FOR_EACH_OPTION (row, profd_option_rows) {
		bool is_long = strncmp(word, "--", 2) == 0 && strcmp(word + 2, row->name) == 0;

		if (!is_long && !(word[1] == row->letter && !word[2]))
			continue;
		if (row->apply)
			(void)row->apply(NULL, NULL, NULL);
		else
			command_print_usage(stdout);
		return options_finish_stdout();
	}
	log_error("unknown option %.64s; see 'profd --help'", word);
	return OPTIONS_USAGE;
}

int main(int argc, char **argv)
{
	const struct command *command;

	open_standard_descriptors();
	log_find_journal();
	if (argc < 2) {
		command_print_usage(stderr);
		return OPTIONS_USAGE;
	}
	if (argv[1][0] == '-')
		return run_option(argv[1]);
	/* What profd starts itself as; see worker/worker.h. */
	if (argc == 3 && strcmp(argv[1], "_worker") == 0)
		return run_worker(argv[2]);
	if (argc == 3 && strcmp(argv[1], "_fetch") == 0)
		return run_fetcher(argv[2]);
	if (argc == 2 && strcmp(argv[1], "_server") == 0) {
		(void)prctl(PR_SET_NAME, "profd-server");
		return server_main();
	}
	/* The program that `profd verify` knows all about. */
	if (argc == 5 && strcmp(argv[1], "_verify") == 0)
		return program_main(argv + 2);
	/* What the daemon starts itself as. */
	if (argc == 5 && strcmp(argv[1], "_tidy") == 0)
		return tidy_main(argv[2], argv[3], argv[4]);
	/* What the build installs for the shells. */
	if (argc == 3 && strcmp(argv[1], "_completion") == 0)
		return completion_print(argv[2]);
	command = command_find(argv[1]);
	return command ? command->run(argc - 1, argv + 1) : OPTIONS_USAGE;
}
