// SPDX-License-Identifier: Apache-2.0
#include "daemon/daemon.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "cmd/command.h"
#include "cmd/daemon_options.h"
#include "daemon/become.h"

static int run(int argc, char **argv)
{
	cleanup(daemon_config_fini) struct daemon_config config;
	bool check;
	int r = daemon_options_load(&config, &check, argc, argv);

	if (r != 0)
		return options_exit_status(r);
	if (check) {
		if (config.path)
			printf("%s: no mistakes\n", config.path);
		else
			puts("there is no " DAEMON_CONFIG_FILE ": the defaults hold");
		return options_finish_stdout();
	}
	if (config.verbose)
		log_set_level(LOG_DEBUG);
	return daemon_become(&config) < 0 ? 1 : daemon_run(&config);
}

const struct command command_daemon = {
	.name = "daemon",
	.summary = "record the whole machine all day, and keep its history",
	.usage = { "[OPTION]...", NULL },
	.description =
		"Records everything on the machine at a low rate, within a bound on its own cost, "
		"keeps the last days on disk for 'profd query', and answers over HTTP. Every option "
		"with a default can also be set in " DAEMON_CONFIG_FILE ", without its dashes; see "
		"profd.conf(5).",
	.options = daemon_option_rows,
	.run = run,
};
