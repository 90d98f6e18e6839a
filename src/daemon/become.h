/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who the daemon is: started as root it becomes an ordinary user with six capabilities, as
 * profd.service starts it.
 */
#pragma once

#include "daemon/daemon_config.h"

/*
 * Where we are root and config->user is somebody else: makes the folders that the config names, where
 * they are missing, for that user, raises the limits that only root may, and becomes that user.
 * A default user that does not exist is no error: root stays root, which is logged. Whoever is not
 * root stays what they are. Before there are threads.
 * Returns 0 or a negative errno, logged.
 */
int daemon_become(const struct daemon_config *config);
