// SPDX-License-Identifier: Apache-2.0
/* Release, settings and mounts: what can be read without trying anything. */
#include "cmd/probes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "fetch/library.h"
#include "fetch/servers.h"
#include "proc/cgroup.h"
#include "source/bpf_features.h"
#include "worker/symbol_cache.h"

/* Only named: what is needed of it has probes of its own. */
static void kernel(struct probe_result *ret)
{
	struct utsname name;

	if (uname(&name) < 0) {
		probe_say(ret, PROBE_UNKNOWN, "its release cannot be read");
		return;
	}
	probe_say(ret, PROBE_OK, "%.80s %.20s", name.release, name.machine);
}

static void btf(struct probe_result *ret)
{
	cleanup(close) int fd = open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC);
	uint16_t magic = 0;

	if (fd < 0) {
		probe_say(ret, PROBE_MISSING, "/sys/kernel/btf/vmlinux: %s", strerror(errno));
		if (errno == ENOENT)
			probe_fix(ret, "use a kernel built with CONFIG_DEBUG_INFO_BTF=y");
	} else if (fs_read_at(fd, &magic, sizeof(magic), 0) < 0 || magic != 0xeb9f) {
		/* BTF_MAGIC, include/uapi/linux/btf.h */
		probe_say(ret, PROBE_MISSING, "/sys/kernel/btf/vmlinux holds something else");
	} else {
		probe_say(ret, PROBE_OK, "/sys/kernel/btf/vmlinux can be read");
	}
}

/* Of itself, where distributions' kernels know higher values than 2: they may ask for CAP_SYS_ADMIN. */
static bool may_open_events(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_DUMMY,
		.size = sizeof(attr),
		.exclude_kernel = 1,
	};
	cleanup(close) int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	return fd >= 0 || (errno != EACCES && errno != EPERM);
}

static void paranoid(struct probe_result *ret)
{
	long long value;

	if (probe_read_sysctl(&value, "perf_event_paranoid") < 0)
		probe_say(ret, PROBE_UNKNOWN, "kernel.perf_event_paranoid cannot be read");
	else if (value < 0)
		probe_say(ret, PROBE_OK, "kernel.perf_event_paranoid is %lld", value);
	else if (probe_has_capability(CAP_SYS_ADMIN) ||
		 (probe_has_capability(CAP_PERFMON) && may_open_events()))
		probe_say(ret, PROBE_OK,
			  "kernel.perf_event_paranoid is %lld; privileges override it", value);
	else if (probe_has_capability(CAP_PERFMON)) {
		probe_say(ret, PROBE_MISSING,
			  "kernel.perf_event_paranoid is %lld, which CAP_PERFMON does not override here",
			  value);
		probe_fix(ret, "sysctl -w kernel.perf_event_paranoid=2");
	} else {
		probe_say(ret, PROBE_MISSING, "kernel.perf_event_paranoid is %lld", value);
		probe_fix_as_root(ret);
	}
}

static void sample_rate(struct probe_result *ret)
{
	long long value;

	if (probe_read_sysctl(&value, "perf_event_max_sample_rate") < 0) {
		probe_say(ret, PROBE_UNKNOWN, "kernel.perf_event_max_sample_rate cannot be read");
	} else if (value >= 99) {
		probe_say(ret, PROBE_OK, "up to %lld samples per second and CPU", value);
	} else {
		probe_say(ret, PROBE_DEGRADED,
			  "only %lld samples per second and CPU: the kernel lowers it where an "
			  "interrupt took too long (dmesg tells), and then throttles what samples faster",
			  value);
		probe_fix(ret, "sysctl -w kernel.perf_event_max_sample_rate=100000");
	}
}

static void rate_throttle(struct probe_result *ret)
{
	long long value;

	if (probe_read_sysctl(&value, "perf_cpu_time_max_percent") < 0)
		probe_say(ret, PROBE_UNKNOWN, "kernel.perf_cpu_time_max_percent cannot be read");
	else if (value == 0 || value == 100)
		probe_say(ret, PROBE_OK, "the kernel never lowers the rate by itself");
	else
		probe_say(ret, PROBE_OK,
			  "the kernel lowers the rate when sampling takes over %lld %% of a CPU",
			  value);
}

static void kernel_symbols(struct probe_result *ret)
{
	cleanup(close) int fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
	long long restrict_value = -1;
	char text[4096];
	ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	(void)probe_read_sysctl(&restrict_value, "kptr_restrict");
	if (size <= 0) {
		probe_say(ret, PROBE_DEGRADED, "no /proc/kallsyms: kernel frames have no names");
		return;
	}
	text[size] = '\0';
	/* The first symbols of x86 are per-CPU offsets near 0: look for any address at all. */
	for (char *line = text; line && *line; line = strchr(line, '\n'), line += line ? 1 : 0) {
		if (strtoull(line, NULL, 16) != 0) {
			probe_say(ret, PROBE_OK,
				  "/proc/kallsyms has addresses (kptr_restrict %lld)",
				  restrict_value);
			return;
		}
	}
	if (!probe_has_capability(CAP_SYSLOG)) {
		probe_say(
			ret, PROBE_DEGRADED,
			"/proc/kallsyms hides addresses from this user: kernel frames have no names");
		probe_fix_as_root(ret);
	} else {
		probe_say(ret, PROBE_DEGRADED,
			  "kptr_restrict is %lld and hides addresses: kernel frames have no names",
			  restrict_value);
		probe_fix(ret, "sysctl -w kernel.kptr_restrict=1");
	}
}

static void lockdown(struct probe_result *ret)
{
	char line[128];

	if (probe_has_capability(CAP_BPF) && !bpf_may_read_kernel())
		probe_say(ret, PROBE_MISSING,
			  "BPF programs may not read memory (lockdown=confidentiality): stacks are copied "
			  "and unwound afterwards");
	else if (probe_read_line(line, sizeof(line), "/sys/kernel/security/lockdown") < 0)
		probe_say(ret, PROBE_UNKNOWN,
			  "/sys/kernel/security/lockdown cannot be read "
			  "(not built in, or securityfs not mounted)");
	else if (strstr(line, "[confidentiality]"))
		probe_say(ret, PROBE_MISSING,
			  "confidentiality: BPF programs may not read memory; boot without it");
	else
		probe_say(ret, PROBE_OK, "%.80s", line);
}

static void unprivileged_bpf(struct probe_result *ret)
{
	bool privileged = probe_has_capability(CAP_BPF) || probe_has_capability(CAP_SYS_ADMIN);
	long long value;

	if (probe_read_sysctl(&value, "unprivileged_bpf_disabled") < 0)
		probe_say(ret, PROBE_UNKNOWN, "kernel.unprivileged_bpf_disabled cannot be read");
	else if (privileged)
		probe_say(ret, PROBE_OK,
			  "kernel.unprivileged_bpf_disabled is %lld; privileges override "
			  "it",
			  value);
	else {
		/* Even 0 allows others only socket filters. */
		probe_say(
			ret, PROBE_MISSING,
			"kernel.unprivileged_bpf_disabled is %lld: this user may not load programs",
			value);
		probe_fix_as_root(ret);
	}
}

static bool mounted(const char *path, unsigned long magic)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && (unsigned long)fs.f_type == magic;
}

static void tracefs(struct probe_result *ret)
{
	if (mounted("/sys/kernel/tracing", TRACEFS_MAGIC))
		probe_say(ret, PROBE_OK, "mounted at /sys/kernel/tracing");
	else if (mounted("/sys/kernel/debug/tracing", TRACEFS_MAGIC))
		probe_say(ret, PROBE_OK, "mounted at /sys/kernel/debug/tracing");
	else {
		probe_say(ret, PROBE_MISSING, "not mounted; recording CPU time does not need it");
		probe_fix(ret, "mount -t tracefs tracefs /sys/kernel/tracing");
	}
}

static void cgroup2(struct probe_result *ret)
{
	cleanup(close) int fd = -1;

	if (mounted("/sys/fs/cgroup", CGROUP2_SUPER_MAGIC))
		probe_say(ret, PROBE_OK, "mounted at /sys/fs/cgroup");
	else if (mounted("/sys/fs/cgroup/unified", CGROUP2_SUPER_MAGIC))
		probe_say(ret, PROBE_OK, "mounted at /sys/fs/cgroup/unified");
	else if (cgroup_open(&fd, "/") == 0)
		probe_say(ret, PROBE_OK, "not mounted in its usual place, but can be opened");
	else {
		probe_say(ret, PROBE_MISSING, "not mounted in its usual place: --cgroup needs it");
		probe_fix(ret, "mount -t cgroup2 cgroup2 DIRECTORY");
	}
}

static void debug_files(struct probe_result *ret)
{
	cleanup(closedir) DIR *folder = opendir("/usr/lib/debug/.build-id");
	const struct dirent *entry;
	unsigned count = 0;

	while (folder && (entry = readdir(folder)))
		count += entry->d_name[0] != '.';
	if (count) {
		probe_say(ret, PROBE_OK, "/usr/lib/debug/.build-id has %u folders", count);
		return;
	}
	probe_say(ret, PROBE_DEGRADED,
		  "no files in /usr/lib/debug/.build-id: stripped programs show "
		  "exported names only");
	probe_fix(ret, "apt-get install PACKAGE-dbgsym");
}

/* It is made by the first recording. */
static void symbol_cache(struct probe_result *ret)
{
	cleanup(bytes_fini) struct bytes path = {};
	cleanup(closedir) DIR *folder = NULL;
	const struct dirent *entry;
	unsigned count = 0;

	if (symbol_cache_usual_folder(&path) < 0 || !bytes_str(&path)) {
		probe_say(ret, PROBE_MISSING, "no folder for it: neither HOME nor XDG_CACHE_HOME is set");
		return;
	}
	folder = opendir(path.at);
	while (folder && (entry = readdir(folder)))
		count += entry->d_name[0] != '.';
	if (folder)
		probe_say(ret, PROBE_OK, "%u files about programs are kept in %s", count,
			  path.at);
	else if (errno == ENOENT)
		probe_say(ret, PROBE_OK, "will be kept in %s", path.at);
	else
		probe_say(ret, PROBE_MISSING, "%s cannot be opened: %s", path.at, strerror(errno));
}

static void debuginfod(struct probe_result *ret)
{
	cleanup(bytes_fini) struct bytes servers = {};
	const char *urls = getenv("DEBUGINFOD_URLS"), *trouble = library_trouble();
	enum servers_origin origin = servers_find(&servers, NULL, urls, SERVERS_FOLDER);

	if (!library_is_built_in()) {
		probe_say(ret, PROBE_MISSING, "%s: only debug files that are here are used",
			  trouble);
	} else if (trouble) {
		probe_say(ret, PROBE_MISSING, "%s: --debuginfod does not work", trouble);
		probe_fix(ret, "apt-get install libdebuginfod1");
	} else if (origin == SERVERS_NONE || !bytes_str(&servers)) {
		probe_say(ret, PROBE_MISSING, "no server is known: DEBUGINFOD_URLS is %s",
			  urls ? "empty" : "not set, and " SERVERS_FOLDER " has no list of them");
		probe_fix(ret, "profd record --debuginfod=https://SERVER");
	} else {
		probe_say(ret, PROBE_OK, "with --debuginfod, those of %s: %.120s",
			  origin == SERVERS_FILES ? SERVERS_FOLDER : "DEBUGINFOD_URLS", servers.at);
	}
}

static void perf_maps(struct probe_result *ret)
{
	cleanup(closedir) DIR *folder = opendir("/tmp");
	const struct dirent *entry;
	unsigned count = 0;

	while (folder && (entry = readdir(folder)))
		count += fnmatch("perf-[0-9]*.map", entry->d_name, 0) == 0;
	if (count) {
		probe_say(ret, PROBE_OK, "%u in /tmp: generated code of these processes has names",
			  count);
		return;
	}
	probe_say(ret, PROBE_MISSING, "no /tmp/perf-PID.map: generated (JIT) code has no names");
	probe_fix(ret, "node --perf-basic-prof, python3 -X perf, java -XX:+DumpPerfMapAtExit");
}

const struct probe probes_kernel[] = {
	{ "kernel", PROBE_FOR_ALL, kernel },
	{ "btf", PROBE_FOR_TABLES, btf },
	{ "lockdown", PROBE_NICE, lockdown },
	{ "perf-event-paranoid", PROBE_FOR_TABLES, paranoid },
	{ "max-sample-rate", PROBE_NICE, sample_rate },
	{ "rate-throttle", PROBE_NICE, rate_throttle },
	{ "kernel-symbols", PROBE_NICE, kernel_symbols },
	{ "unprivileged-bpf", PROBE_FOR_TABLES, unprivileged_bpf },
	{ "tracefs", PROBE_NICE, tracefs },
	{ "cgroup2", PROBE_NICE, cgroup2 },
	{ "debug-files", PROBE_NICE, debug_files },
	{ "symbol-cache", PROBE_NICE, symbol_cache },
	{ "debuginfod", PROBE_NICE, debuginfod },
	{ "perf-maps", PROBE_NICE, perf_maps },
	{},
};
