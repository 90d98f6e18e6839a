/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings of `profd daemon`: one table for its command line, --help, the configuration file,
 * and what the tests compare with tools/profd.conf and the manual profd.conf(5).
 */
#pragma once

#include "cmd/options.h"
#include "daemon/daemon_config.h"

extern const struct option_row daemon_option_rows[];

/*
 * Fills an uninitialised config from the command line and the configuration file, which is
 * DAEMON_CONFIG_FILE if it is there, or the one of --config. *check: --check-config was given.
 * Every mistake in the file has been logged in a line of its own, as has been one of the command
 * line. argv is kept for daemon_config_reload(). To be freed in any case.
 * Returns an options_outcome or -ENOMEM.
 */
int daemon_options_load(struct daemon_config *ret, bool *check, int argc, char **argv);
