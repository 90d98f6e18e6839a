// SPDX-License-Identifier: Apache-2.0
/* Capabilities (capabilities(7)), namespaces and limits of this process. */
#include "cmd/probes.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "proc/view.h"
#include "source/bpf_features.h"
#include "worker/worker.h"

/* CAP_SYS_ADMIN stands in for those that were split off it later. */
static void capability(struct probe_result *ret, unsigned number, bool admin_is_enough,
		       enum probe_status without, const char *use)
{
	if (probe_has_capability(number)) {
		probe_say(ret, PROBE_OK, "%s", use);
	} else if (admin_is_enough && probe_has_capability(CAP_SYS_ADMIN)) {
		probe_say(ret, PROBE_OK, "%s (by CAP_SYS_ADMIN)", use);
	} else if (proc_view_in_user_namespace()) {
		probe_say(ret, without, "%s: not permitted in a user namespace, even to its root",
			  use);
		probe_fix_as_root(ret);
	} else {
		probe_say(ret, without, "%s: not permitted", use);
		probe_fix_as_root(ret);
	}
}

static void cap_bpf(struct probe_result *ret)
{
	capability(ret, CAP_BPF, true, PROBE_MISSING, "to load BPF programs");
}

static void cap_perfmon(struct probe_result *ret)
{
	capability(ret, CAP_PERFMON, true, PROBE_MISSING, "to sample every CPU");
}

static void cap_sys_ptrace(struct probe_result *ret)
{
	capability(ret, CAP_SYS_PTRACE, false, PROBE_DEGRADED,
		   "to read the mappings and memory of other users' processes");
}

static void cap_syslog(struct probe_result *ret)
{
	capability(ret, CAP_SYSLOG, true, PROBE_DEGRADED, "to see kernel addresses");
}

static void cap_checkpoint_restore(struct probe_result *ret)
{
	capability(ret, CAP_CHECKPOINT_RESTORE, true, PROBE_DEGRADED,
		   "to open deleted files through /proc/PID/map_files");
}

static void cap_dac_read_search(struct probe_result *ret)
{
	capability(ret, CAP_DAC_READ_SEARCH, false, PROBE_DEGRADED,
		   "to read programs that only their owners may read");
}

/* The process that parses files (reader/reader.h), started as a recording does. */
static void reader_process(struct probe_result *ret)
{
	cleanup(bytes_fini) struct bytes status = {};
	struct worker reader;
	char path[32];

	worker_init(&reader, "reader");
	if (worker_check(&reader) < 0) {
		probe_say(ret, PROBE_MISSING,
			  "the process that reads programs' files does not start (is /proc mounted, "
			  "and the kernel built with seccomp?)");
	} else {
		snprintf(path, sizeof(path), "/proc/%d/status", (int)reader.pid);
		if (fs_read(&status, AT_FDCWD, path, 65536) == 0 && bytes_str(&status) &&
		    strstr(status.at, "\nCapEff:\t0000000000000000\n") &&
		    strstr(status.at, "\nSeccomp:\t2\n"))
			probe_say(ret, PROBE_OK,
				  "programs' files are read without capabilities, behind seccomp");
		else
			probe_say(ret, PROBE_DEGRADED,
				  "the process that reads programs' files keeps privileges");
	}
	worker_fini(&reader);
}

static void pid_namespace(struct probe_result *ret)
{
	bool pids_differ = false;
	int r = proc_view_check(&pids_differ);

	if (r < 0) {
		probe_say(ret, PROBE_UNKNOWN, "/proc cannot be read: %s", strerror(-r));
	} else if (r == PROC_VIEW_NOT_MOUNTED) {
		probe_say(ret, PROBE_MISSING, "/proc, which shows its pids, is not mounted");
		probe_fix(ret, "mount -t proc proc /proc");
	} else if (r == PROC_VIEW_FOREIGN) {
		probe_say(ret, PROBE_MISSING, "/proc shows the pids of another one");
		probe_fix(ret, "nsenter -m -p ..., unshare --mount-proc ...");
	} else if (pids_differ) {
		probe_say(ret, PROBE_DEGRADED,
			  "not the initial one: processes outside of it are not recorded");
	} else {
		probe_say(ret, PROBE_OK, "the initial one: pids are the kernel's");
	}
}

static void memlock(struct probe_result *ret)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0) {
		probe_say(ret, PROBE_UNKNOWN, "RLIMIT_MEMLOCK cannot be read");
	} else if (!probe_has_capability(CAP_SYS_RESOURCE) && bpf_memory_is_limited()) {
		probe_say(ret, PROBE_MISSING,
			  "%llu KiB, to which this kernel counts BPF memory, too: raising it takes "
			  "CAP_SYS_RESOURCE",
			  (unsigned long long)limit.rlim_cur / 1024);
		probe_fix(ret, "ulimit -l unlimited");
	} else if (probe_has_capability(CAP_IPC_LOCK)) {
		probe_say(ret, PROBE_OK, "CAP_IPC_LOCK overrides it");
	} else if (limit.rlim_cur == RLIM_INFINITY) {
		probe_say(ret, PROBE_OK, "unlimited");
	} else {
		probe_say(ret, PROBE_DEGRADED,
			  "%llu KiB: rings may not fit on machines with many CPUs",
			  (unsigned long long)limit.rlim_cur / 1024);
		probe_fix(ret, "ulimit -l unlimited");
	}
}

const struct probe probes_privileges[] = {
	{ "CAP_BPF", PROBE_FOR_TABLES, cap_bpf },
	{ "CAP_PERFMON", PROBE_FOR_TABLES, cap_perfmon },
	{ "CAP_SYS_PTRACE", PROBE_NICE, cap_sys_ptrace },
	{ "CAP_SYSLOG", PROBE_NICE, cap_syslog },
	{ "CAP_CHECKPOINT_RESTORE", PROBE_NICE, cap_checkpoint_restore },
	{ "CAP_DAC_READ_SEARCH", PROBE_NICE, cap_dac_read_search },
	{ "reader", PROBE_FOR_ALL, reader_process },
	{ "pid-namespace", PROBE_FOR_ALL, pid_namespace },
	{ "memlock", PROBE_NICE, memlock },
	{},
};
