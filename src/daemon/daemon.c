// SPDX-License-Identifier: Apache-2.0
#include "daemon/daemon.h"

#include "base/log.h"

int daemon_run(struct daemon_config *config)
{
	(void)config;
	log_error("this build reads the configuration of the daemon, but cannot record yet");
	return 1;
}
