/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon is asked to do: by /etc/profd/profd.conf, and by the command line, which is
 * stronger. Filled by cmd/daemon_options, which has the table of all settings.
 *
 * Only daemon_config_reload() changes it afterwards, and only what it says there.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "session/config.h"

#define DAEMON_CONFIG_FILE "/etc/profd/profd.conf"

/* A setting that a file may have, as it stands now: how it would be written there. */
struct daemon_setting {
	const char *name; /* of the table of settings: for ever */
	char *text;	  /* owned */
	bool at_start;	  /* a new text takes effect when profd is started again */
};

struct daemon_config {
	struct config record;	     /* its texts are borrowed from `texts` and the command line */
	double max_overhead_percent; /* of all CPUs together, above 0 */
	bool itself;		     /* profd's own processes are sampled, too */
	uint64_t memory_bytes;	     /* resident, of all processes */
	uint64_t kernel_bytes;	     /* BPF maps and perf buffers */
	char *stop_file;	     /* while it exists nothing is sampled; NULL: there is none */

	bool history; /* false: nothing is written to disk */
	char *store_folder;
	uint64_t store_bytes, store_age_ns;
	uint64_t window_ns;

	char *socket_path;  /* NULL: no Unix socket */
	char *socket_group; /* who may connect to it; NULL: its user only */
	char *listen;	    /* ADDRESS:PORT, IPv6 in brackets; NULL: no TCP */
	char *token_file; /* holds the word that clients of TCP must know; NULL: none is asked for */
	ARRAY_OF(char *)
	allowed_hosts; /* names for the Host header, beside those of this machine */

	char *user;	  /* who root becomes; NULL: stays root */
	bool user_chosen; /* else `user` is the default, and need not exist */
	bool verbose;

	char *path; /* of the configuration file; NULL: there is none */
	ARRAY_OF(struct daemon_setting) settings; /* in the order of the table */
	ARRAY_OF(char *) texts;
	/*
	 * Reads everything anew, as `running` was read, into an uninitialised *ret. Returns 0, above 0
	 * for mistakes, each of them logged, or a negative errno; *ret is to be freed in any case.
	 */
	int (*load)(struct daemon_config *ret, const struct daemon_config *running);
	int argc; /* what `load` reads again */
	char **argv;
};

/* All defaults but the settings, which the table has. */
void daemon_config_init(struct daemon_config *config);
void daemon_config_fini(struct daemon_config *config);
static inline void daemon_config_fini_cleanup(struct daemon_config *config)
{
	daemon_config_fini(config);
}

/* A copy that lives as long as the config. Returns NULL when out of memory. */
const char *daemon_config_keep(struct daemon_config *config, const char *text);

/*
 * For SIGHUP: reads the file again. With any mistake all stays as it was. Else what can change while
 * profd runs is changed: frequency_hz or period_ns, max_overhead_percent, memory_bytes, stop_file,
 * store_bytes, store_age_ns, and what is logged. Every change is logged, also of what waits for the
 * next start.
 * Returns how many settings took effect, above or equal 0, or a negative errno (-EINVAL: mistakes),
 * logged.
 */
int daemon_config_reload(struct daemon_config *running);

/* Whether the file is there that stops sampling. What cannot be looked at is not there. */
bool daemon_config_is_stopped(const struct daemon_config *config);
