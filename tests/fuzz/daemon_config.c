// SPDX-License-Identifier: Apache-2.0
/*
 * The daemon's configuration: a file is taken or not, whatever is in it; what is taken lies within
 * its bounds, and is the same when it is read again.
 */
#include "cmd/daemon_options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "fuzz.h"

/* Each mistake is a line: nobody reads thousands of them. Returns what stderr was. */
static int silence(void)
{
	int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3),
	    null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	FUZZ_CHECK(saved >= 0 && null >= 0 && dup2(null, STDERR_FILENO) >= 0);
	close(null);
	return saved;
}

static void end_silence(int saved)
{
	(void)dup2(saved, STDERR_FILENO);
	close(saved);
}

static void check(const struct daemon_config *config)
{
	const struct target *target = &config->record.target;

	FUZZ_CHECK(config->record.frequency_hz >= 1 && config->record.frequency_hz <= 10000);
	FUZZ_CHECK(config->record.max_depth >= 1 && config->record.max_depth <= 1024);
	FUZZ_CHECK(config->max_overhead_percent >= 0.01 && config->max_overhead_percent <= 100);
	FUZZ_CHECK(config->memory_bytes >= 16 << 20 && config->kernel_bytes >= 4 << 20);
	FUZZ_CHECK(config->store_bytes >= 8 << 20 && config->store_age_ns >= 600000000000ULL);
	FUZZ_CHECK(config->window_ns >= 1000000000 && config->window_ns <= 600000000000ULL);
	FUZZ_CHECK(config->store_folder && config->store_folder[0] == '/');
	FUZZ_CHECK(!config->socket_path ||
		   (config->socket_path[0] == '/' && strlen(config->socket_path) <= 107));
	FUZZ_CHECK(!config->stop_file || config->stop_file[0] == '/');
	FUZZ_CHECK(config->allowed_hosts.count <= 64);
	FUZZ_CHECK(target->everything && !target->pids.count && !target->tids.count);
	FUZZ_CHECK(!target->comm || target->comm[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("profd.conf", MFD_CLOEXEC), saved, r, again = 0;
	struct daemon_config config;
	char path[64];
	char *words[] = { (char *)"daemon", (char *)"--config", path, NULL };
	bool chosen;

	FUZZ_CHECK(fd >= 0 && fs_write_all(fd, data, size) == 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	saved = silence();
	r = daemon_options_load(&config, &chosen, 3, words);
	if (r == 0)
		again = daemon_config_reload(&config);
	end_silence(saved);
	FUZZ_CHECK(r == 0 || r == OPTIONS_USAGE || r == OPTIONS_REFUSED);
	FUZZ_CHECK(again == 0);
	if (r == 0)
		check(&config);
	daemon_config_fini(&config);
	log_set_level(LOG_INFO);
	close(fd);
	return 0;
}
