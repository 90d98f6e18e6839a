// SPDX-License-Identifier: Apache-2.0
#include "base/fs.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file_kind.h"
#include "base/parse.h"

int fs_read_fd(struct bytes *ret, int fd, size_t limit_bytes)
{
	size_t start = ret->size, left;
	char chunk[16384];

	for (;;) {
		ssize_t size = read(fd, chunk, sizeof(chunk));

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return -errno;
		if (size == 0)
			return 0;
		left = limit_bytes - (ret->size - start);
		bytes_add(ret, chunk, (size_t)size < left ? (size_t)size : left);
		if (ret->failed)
			return -ENOMEM;
		if ((size_t)size > left)
			return -EFBIG;
	}
}

int fs_read(struct bytes *ret, int dirfd, const char *path, size_t limit_bytes)
{
	/* Not to wait for a writer, should the name be a pipe that somebody left there. */
	cleanup(close) int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	return S_ISREG(st.st_mode) ? fs_read_fd(ret, fd, limit_bytes) : -EINVAL;
}

int fs_read_at(int fd, void *ret, size_t size, off_t offset)
{
	char *at = ret;

	while (size) {
		ssize_t got = pread(fd, at, size, offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return -ENODATA;
		at += got;
		offset += got;
		size -= (size_t)got;
	}
	return 0;
}

/* For what a recording needs until its end: outputs, /proc, a temporary file. */
enum { SPARE_FDS = 64 };

int fs_spare(int fd)
{
	struct rlimit limit;

	if (fd < 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur <= 2 * SPARE_FDS ||
	    (rlim_t)fd < limit.rlim_cur - SPARE_FDS)
		return fd;
	(void)close(fd);
	return -EMFILE;
}

int fs_open_regular(const char *path)
{
	cleanup(close) int place = open(path, O_PATH | O_CLOEXEC);
	struct stat st;
	char again[32];
	int fd;

	if (place < 0 || fstat(place, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || file_kind_of(place) == FILE_KERNEL)
		return -EINVAL;
	snprintf(again, sizeof(again), "/proc/self/fd/%d", place);
	fd = open(again, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd < 0 ? -errno : fs_spare(fd);
}

static void *close_it(void *fd)
{
	(void)close((int)(intptr_t)fd);
	return NULL;
}

void fs_close_aside(int fd)
{
	pthread_attr_t attributes;
	pthread_t thread;
	sigset_t all, before;
	int r;

	if (fd < 0)
		return;
	/* Signals are for the thread that waits for them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&attributes, 65536);
	r = pthread_create(&thread, &attributes, close_it, (void *)(intptr_t)fd);
	pthread_attr_destroy(&attributes);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r != 0)
		(void)close(fd);
}

int fs_write_all(int fd, const void *data, size_t size)
{
	const char *at = data;

	while (size) {
		ssize_t put = write(fd, at, size);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && errno == EAGAIN) {
			/* Somebody who shares the pipe made it non-blocking. */
			struct pollfd writable = { .fd = fd, .events = POLLOUT };

			(void)poll(&writable, 1, -1);
			continue;
		}
		if (put < 0)
			return -errno;
		at += put;
		size -= (size_t)put;
	}
	return 0;
}

/* Under sudo, what profd writes belongs to the person who typed the command. */
static void give_to_invoking_user(int fd)
{
	const char *uid_text = getenv("SUDO_UID"), *gid_text = getenv("SUDO_GID");
	uint64_t uid, gid;

	if (geteuid() != 0 || !uid_text || !gid_text)
		return;
	if (parse_u64(&uid, uid_text, UINT32_MAX - 1) < 0 ||
	    parse_u64(&gid, gid_text, UINT32_MAX - 1) < 0)
		return;
	/* A file system without owners is no reason to fail. */
	if (fchown(fd, (uid_t)uid, (gid_t)gid) < 0)
		return;
}

static int open_named_temp(struct fs_atomic *file, const char *folder)
{
	int fd = -EEXIST;

	/* Not mkostemp: open gives the file the mode that umask and default ACLs ask for. */
	for (unsigned attempt = 0; attempt < 100 && fd == -EEXIST; attempt++) {
		if (asprintf(&file->temp, "%s/.profd-%d-%u", folder, (int)getpid(), attempt) < 0) {
			file->temp = NULL;
			return -ENOMEM;
		}
		fd = open(file->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
		if (fd < 0) {
			fd = -errno;
			free(file->temp);
			file->temp = NULL;
		}
	}
	return fd;
}

/*
 * /dev/stdout and the like: links that lead to an open file. When that is a regular one, replacing
 * "the file beside its name" would replace the link, for every program on the machine.
 */
static bool leads_to_open_file(const char *path)
{
	static const char *const places[] = { "/dev/std", "/dev/fd/", "/proc/" };
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (strncmp(path, places[i], strlen(places[i])) == 0)
			return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
	return false;
}

int fs_atomic_open(struct fs_atomic *file, const char *path, bool exclusive)
{
	cleanup(free) char *copy = NULL;
	const char *folder;
	struct stat st;

	*file = (struct fs_atomic){ .fd = -1, .exclusive = exclusive };
	if (strcmp(path, "-") == 0) {
		file->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
		return file->fd < 0 ? -errno : 0;
	}
	/* Behind what is there: others write to an open file, too. */
	if (leads_to_open_file(path)) {
		file->fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY);
		return file->fd < 0 ? -errno : 0;
	}
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		file->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
		return file->fd < 0 ? -errno : 0;
	}
	copy = strdup(path);
	file->path = strdup(path);
	if (!copy || !file->path) {
		fs_atomic_abandon(file);
		return -ENOMEM;
	}
	folder = dirname(copy);
	file->fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
	if (file->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
		file->fd = open_named_temp(file, folder);
	else if (file->fd < 0)
		file->fd = -errno;
	if (file->fd < 0) {
		int r = file->fd;

		file->fd = -1;
		fs_atomic_abandon(file);
		return r;
	}
	give_to_invoking_user(file->fd);
	return 0;
}

/*
 * Gives a nameless file its name; or, when that is taken, a temporary one to be renamed, since
 * linkat cannot replace an existing file. Returns 1: in place, 0: has a temporary name, or -errno.
 */
static int name_nameless(struct fs_atomic *file)
{
	char link[64], *slash = strrchr(file->path, '/');
	int folder_size = slash ? (int)(slash - file->path) : 1;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", file->fd);
	if (linkat(AT_FDCWD, link, AT_FDCWD, file->path, AT_SYMLINK_FOLLOW) == 0)
		return 1; /* the name was free: done */
	if (errno != EEXIST || file->exclusive)
		return -errno;
	for (unsigned attempt = 0; attempt < 100; attempt++) {
		free(file->temp);
		if (asprintf(&file->temp, "%.*s/.profd-%d-%u", folder_size ? folder_size : 1,
			     slash ? (folder_size ? file->path : "/") : ".", (int)getpid(),
			     attempt) < 0) {
			file->temp = NULL;
			return -ENOMEM;
		}
		if (linkat(AT_FDCWD, link, AT_FDCWD, file->temp, AT_SYMLINK_FOLLOW) == 0)
			return 0;
		if (errno != EEXIST)
			break;
	}
	free(file->temp);
	file->temp = NULL;
	return -errno;
}

/* Renames the temporary file. Exclusive: with whichever of two ways the file system has. */
static int rename_temp(struct fs_atomic *file)
{
	if (!file->exclusive)
		return rename(file->temp, file->path) < 0 ? -errno : 0;
	if (renameat2(AT_FDCWD, file->temp, AT_FDCWD, file->path, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL)
		return -errno;
	if (link(file->temp, file->path) < 0)
		return -errno;
	(void)unlink(file->temp);
	return 0;
}

int fs_atomic_commit(struct fs_atomic *file)
{
	int r = 0;

	if (file->fd < 0)
		return -EBADF;
	if (file->path && !file->temp)
		r = name_nameless(file);
	/* Before the file is visible: network file systems report a full disk here. */
	if (close(TAKE_FD(file->fd)) < 0 && r == 0)
		r = -errno;
	if (file->temp && r == 0) {
		r = rename_temp(file);
		if (r == 0) {
			free(file->temp);
			file->temp = NULL;
		}
	}
	fs_atomic_abandon(file);
	return r < 0 ? r : 0;
}

void fs_atomic_abandon(struct fs_atomic *file)
{
	if (file->fd >= 0)
		(void)close(file->fd);
	if (file->temp)
		(void)unlink(file->temp);
	free(file->temp);
	free(file->path);
	*file = (struct fs_atomic)FS_ATOMIC_NULL;
}
