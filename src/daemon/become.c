// SPDX-License-Identifier: Apache-2.0
#include "daemon/become.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/privileges.h"

#ifndef CAP_PERFMON /* Linux 5.8 */
#define CAP_PERFMON 38
#define CAP_BPF 39
#endif
#ifndef CAP_CHECKPOINT_RESTORE /* Linux 5.9 */
#define CAP_CHECKPOINT_RESTORE 40
#endif

/*
 * To open perf events; to load BPF programs; to see other users' mappings, roots and memory; to see
 * where the kernel's functions are; to open deleted files, and those that only their owners may read.
 * AmbientCapabilities= of profd.service.
 */
#define KEPT                                                                                       \
	(1ULL << CAP_PERFMON | 1ULL << CAP_BPF | 1ULL << CAP_SYS_PTRACE | 1ULL << CAP_SYSLOG |     \
	 1ULL << CAP_CHECKPOINT_RESTORE | 1ULL << CAP_DAC_READ_SEARCH)

enum {
	MAX_GROUPS = 256,
	NICE_LIMIT = 30 /* 20 - (-10), getrlimit(2): what a recording raises itself to */
};

/* Looked at by descriptor: what another has put there meanwhile is never given away. */
static int give(const char *path, const struct passwd *user)
{
	cleanup(close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid())
		return -EPERM;
	return fchown(fd, user->pw_uid, user->pw_gid) < 0 ? -errno : 0;
}

/* Makes a folder for the user where there is none; one that is there is left as it is. Logs. */
static int make_folder(const char *path, mode_t mode, const struct passwd *user)
{
	int r = 0;

	if (mkdir(path, mode) < 0)
		r = errno == EEXIST ? 0 : -errno;
	else
		r = give(path, user);
	if (r < 0)
		log_error("cannot make the folder %s for user %s: %s", path, user->pw_name,
			  strerror(-r));
	return r;
}

static int make_folders(const struct daemon_config *config, const struct passwd *user)
{
	cleanup(free) char *folder = NULL;
	const char *cache = config->record.symbol_cache;
	char *slash;
	int r = 0;

	if (config->history)
		r = make_folder(config->store_folder, 0750, user);
	/* Without it names are found again at each start: reason enough for a warning of its own. */
	if (r == 0 && cache && cache[0] == '/')
		(void)make_folder(cache, 0700, user);
	if (r < 0 || !config->socket_path)
		return r;
	folder = strdup(config->socket_path);
	if (!folder)
		return -ENOMEM;
	slash = strrchr(folder, '/');
	if (slash == folder)
		return 0;
	*slash = '\0';
	return make_folder(folder, 0755, user);
}

static void raise_limits(void)
{
	struct rlimit files;

	(void)privileges_limit(RLIMIT_MEMLOCK, RLIM_INFINITY);
	(void)privileges_limit(RLIMIT_NICE, NICE_LIMIT);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max < 65536)
		(void)privileges_limit(RLIMIT_NOFILE, 65536);
}

/* NULL: stays root, or *r says why it cannot be told. */
static const struct passwd *find_user(const struct daemon_config *config, int *r)
{
	const struct passwd *user;

	*r = 0;
	if (geteuid() != 0 || !config->user || strcmp(config->user, "root") == 0)
		return NULL;
	user = getpwnam(config->user);
	if (!user && config->user_chosen) {
		log_error("there is no user '%.64s'", config->user);
		*r = -ENOENT;
	} else if (!user) {
		log_warning("there is no user '%.64s': running as root", config->user);
	}
	return user && user->pw_uid != 0 ? user : NULL;
}

int daemon_become(const struct daemon_config *config)
{
	int r, count = MAX_GROUPS;
	const struct passwd *user = find_user(config, &r);
	gid_t groups[MAX_GROUPS];

	if (!user)
		return r;
	r = make_folders(config, user);
	if (r < 0)
		return r;
	raise_limits();
	if (getgrouplist(user->pw_name, user->pw_gid, groups, &count) < 0)
		count = MAX_GROUPS;
	r = privileges_become(user->pw_uid, user->pw_gid, groups, (size_t)count, KEPT);
	if (r < 0)
		log_error("cannot become user %s: %s; --user root stays root", user->pw_name,
			  strerror(-r));
	else
		log_info("running as user %s, with six capabilities", user->pw_name);
	return r;
}
