// SPDX-License-Identifier: Apache-2.0
#include "store/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fs.h"
#include "store/database.h"

#define DAMAGED_PREFIX STORE_FILE ".damaged-"

enum { DAMAGED_KEPT = 3 };

static int complain(struct bytes *why, const char *path, int error)
{
	bytes_add_format(why, "history %s: %s", path,
			 error == EROFS ? "it cannot be written (read-only)" : strerror(error));
	return -error;
}

/* Group of the options; -1: that of the process. */
static int find_group(const char *name, gid_t *ret, struct bytes *why)
{
	const struct group *group;

	*ret = (gid_t)-1;
	if (!name)
		return 0;
	group = getgrnam(name);
	if (!group) {
		bytes_add_format(why, "history: there is no group '%.64s'", name);
		return -ENOENT;
	}
	*ret = group->gr_gid;
	return 0;
}

int folder_make(const struct store_options *options, struct bytes *why)
{
	cleanup(close) int folder = -1, file = -1;
	gid_t group;
	int r = find_group(options->group, &group, why);

	if (r < 0)
		return r;
	if (mkdir(options->folder, 0750) < 0 && errno != EEXIST)
		return complain(why, options->folder, errno);
	folder = open(options->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return complain(why, options->folder, errno);
	/* SQLite gives the files beside it the same owner and mode. */
	file = openat(folder, STORE_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		      0640);
	if (file < 0)
		return complain(why, options->folder, errno);
	if (group != (gid_t)-1 &&
	    (fchown(folder, (uid_t)-1, group) < 0 || fchown(file, (uid_t)-1, group) < 0))
		return complain(why, options->folder, errno);
	return 0;
}

int folder_lock(int *ret_fd, const char *folder, const char *name, struct bytes *why)
{
	cleanup(free) char *path = NULL;
	cleanup(close) int fd = -1;
	char pid[16] = {};
	int length;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		return path = NULL, -ENOMEM;
	/* Nobody else's: who may read it could lock it as well. */
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd < 0)
		return complain(why, path, errno);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return complain(why, path, errno);
		(void)!pread(fd, pid, sizeof(pid) - 1, 0);
		pid[strspn(pid, "0123456789")] = '\0';
		bytes_add_format(why, "history %s: another profd%s%s%s is at it", folder,
				 *pid ? " (process " : "", pid, *pid ? ")" : "");
		return STORE_BUSY;
	}
	length = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	/* Only for the words above: a full disk must not keep us from the lock. */
	if (ftruncate(fd, 0) == 0)
		(void)!pwrite(fd, pid, (size_t)length, 0);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* Leaves the newest of those that were set aside earlier. */
static void remove_oldest(const char *folder)
{
	cleanup(closedir) DIR *entries = opendir(folder);
	char oldest[256] = "";
	const struct dirent *entry;
	uint32_t count = 0;

	while (entries && (entry = readdir(entries))) {
		const char *name = entry->d_name;

		if (strncmp(name, DAMAGED_PREFIX, sizeof(DAMAGED_PREFIX) - 1) != 0 ||
		    strstr(name, "-wal"))
			continue;
		count++;
		if (!*oldest || strcmp(name, oldest) < 0)
			snprintf(oldest, sizeof(oldest), "%s", name);
	}
	if (count >= DAMAGED_KEPT) {
		char wal[300];

		snprintf(wal, sizeof(wal), "%s-wal", oldest);
		(void)unlinkat(dirfd(entries), oldest, 0);
		(void)unlinkat(dirfd(entries), wal, 0);
	}
}

int folder_set_aside(const char *folder, struct bytes *why)
{
	cleanup(close) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[64], wal[80], date[32];
	time_t now = time(NULL);
	struct tm parts;

	if (fd < 0)
		return complain(why, folder, errno);
	remove_oldest(folder);
	/* In UTC: names then sort by age. */
	if (!gmtime_r(&now, &parts) || !strftime(date, sizeof(date), "%Y%m%dT%H%M%SZ", &parts))
		snprintf(date, sizeof(date), "%lld", (long long)now);
	snprintf(name, sizeof(name), DAMAGED_PREFIX "%s", date);
	for (int i = 2; i < 100 && faccessat(fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0; i++)
		snprintf(name, sizeof(name), DAMAGED_PREFIX "%s.%d", date, i);
	snprintf(wal, sizeof(wal), "%s-wal", name);
	if (renameat(fd, STORE_FILE, fd, name) < 0)
		return complain(why, folder, errno);
	/* Under the name that SQLite looks for, so that `sqlite3` may still recover something. */
	if (renameat(fd, STORE_FILE "-wal", fd, wal) < 0)
		(void)unlinkat(fd, STORE_FILE "-wal", 0);
	(void)unlinkat(fd, STORE_FILE "-shm", 0);
	(void)unlinkat(fd, STORE_DAMAGED_MARK, 0);
	bytes_add_format(why, "; it is now %s, and a new one was begun", name);
	return 0;
}

bool folder_is_marked_damaged(const char *folder)
{
	cleanup(free) char *path = NULL;

	if (asprintf(&path, "%s/" STORE_DAMAGED_MARK, folder) < 0)
		return path = NULL, false;
	return access(path, F_OK) == 0;
}

void folder_mark_damaged(const char *folder)
{
	cleanup(free) char *path = NULL;
	cleanup(close) int fd = -1;

	if (asprintf(&path, "%s/" STORE_DAMAGED_MARK, folder) < 0) {
		path = NULL;
		return;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
}

uint64_t folder_bytes(const char *folder)
{
	static const char *const names[] = { STORE_FILE, STORE_FILE "-wal", STORE_FILE "-shm" };
	uint64_t bytes = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup(free) char *path = NULL;
		struct stat status;

		if (asprintf(&path, "%s/%s", folder, names[i]) < 0)
			path = NULL;
		if (path && stat(path, &status) == 0)
			bytes += (uint64_t)status.st_size;
	}
	return bytes;
}
