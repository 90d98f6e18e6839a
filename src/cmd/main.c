// SPDX-License-Identifier: Apache-2.0
/* Finds the command and runs it: its exit status is profd's. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cmd/command.h"
#include "reader/opener.h"
#include "reader/reader.h"

static const struct command *const commands[] = { &command_record, &command_doctor };

static void print_usage(FILE *out)
{
	fputs("Usage: profd COMMAND [OPTION]...\n"
	      "\n"
	      "A sampling CPU profiler for Linux: complete, named stacks of any program,\n"
	      "without restarting, changing or pausing it.\n"
	      "\n"
	      "Commands:\n",
	      out);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
	fputs("  help       explain a command: profd help record\n"
	      "\n"
	      "Options:\n"
	      "  -h, --help     print this and exit\n"
	      "  -V, --version  print the version and exit\n"
	      "\n"
	      "A command may be shortened as long as it stays the only one: profd rec.\n"
	      "Start here: sudo profd record -d 10 -p PID -o out.svg\n",
	      out);
}

static int print_names(const char *prefix, char *ret, size_t size)
{
	int matches = 0;
	size_t used = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		int more;

		if (strncmp(commands[i]->name, prefix, strlen(prefix)) != 0)
			continue;
		more = snprintf(ret + used, size - used, "%s%s", matches++ ? ", " : "",
				commands[i]->name);
		if (more > 0 && (size_t)more < size - used)
			used += (size_t)more;
	}
	return matches;
}

/* By its name or a prefix that fits no other; NULL with a line logged. */
static const struct command *find_command(const char *name)
{
	const struct command *found = NULL;
	char names[256];

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
		if (name[0] && strncmp(commands[i]->name, name, strlen(name)) == 0)
			found = commands[i];
	}
	if (found && print_names(name, names, sizeof(names)) == 1)
		return found;
	if (found)
		log_error("'%.64s' could be %s; see 'profd --help'", name, names);
	else
		log_error("'%.64s' is not a command; see 'profd --help'", name);
	return NULL;
}

static int help(int argc, char **argv)
{
	const struct command *command;

	if (argc > 2) {
		log_error("help takes one command; see 'profd --help'");
		return OPTIONS_USAGE;
	}
	if (argc < 2) {
		print_usage(stdout);
		return options_finish_stdout();
	}
	command = find_command(argv[1]);
	if (!command)
		return OPTIONS_USAGE;
	options_print_help(command, stdout);
	return options_finish_stdout();
}

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
	bool reads = strcmp(role, "reader") == 0;

	/* Else it would be called "exe", after /proc/self/exe. */
	(void)prctl(PR_SET_NAME, reads ? "profd-reader" : "profd-opener");
	return reads ? reader_main() : opener_main();
}

int main(int argc, char **argv)
{
	const struct command *command;

	open_standard_descriptors();
	if (argc < 2) {
		print_usage(stderr);
		return OPTIONS_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return help(1, argv);
	if (strcmp(argv[1], "help") == 0)
		return help(argc - 1, argv + 1);
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		puts("profd " PROFD_VERSION);
		return options_finish_stdout();
	}
	/* What profd starts itself as; see worker/worker.h. */
	if (argc == 3 && strcmp(argv[1], "_worker") == 0)
		return run_worker(argv[2]);
	if (argv[1][0] == '-') {
		log_error("unknown option %.64s; see 'profd --help'", argv[1]);
		return OPTIONS_USAGE;
	}
	command = find_command(argv[1]);
	return command ? command->run(argc - 1, argv + 1) : OPTIONS_USAGE;
}
