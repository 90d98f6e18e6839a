// SPDX-License-Identifier: Apache-2.0
#include "reader/opener.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/parcel.h"
#include "elf/object.h"
#include "elf/rooted.h"
#include "proc/perf_map_file.h"
#include "proc/resident.h"
#include "reader/file_system.h"
#include "reader/mapped_file.h"
#include "reader/serve.h"

enum { MAPS_BYTES_MAX = 64 << 20, CMDLINE_BYTES_MAX = 4096 };

/* Of debug files; libLLVM's has 1.5 GB. */
#define DEBUG_FILE_BYTES_MAX (8ULL << 30)

/* Who closes a file there may have to wait for ever. */
static bool may_block(int fd)
{
	return file_system_is_remote(fd) || file_system_is_overlay(fd);
}

/* Consumes fd, before the answer: who waits for ever for that should do it for this question. */
static int pack(int fd)
{
	int parcel = parcel_make(fd);

	close(fd);
	return parcel;
}

/* pid: that led to the file */
static int describe(struct reply *reply, int file, pid_t pid)
{
	cleanup(close) int fd = file;
	struct object_identity identity;
	struct wire_opened opened;
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	identity = object_identity_of(&st);
	opened = (struct wire_opened){
		.device = identity.device,
		.inode = identity.inode,
		.size = identity.size,
		.mtime_ns = identity.mtime_ns,
		.ctime_ns = identity.ctime_ns,
		.may_block = may_block(fd),
		.overlay = file_system_is_overlay(fd),
		.owner = identity.owner,
		.executable = (st.st_mode & 0111) != 0,
		.honest = file_system_is_honest(fd, pid),
	};
	if (opened.may_block)
		fd = pack(fd);
	if (fd < 0)
		return fd;
	reply->fds[reply->fd_count++] = TAKE_FD(fd);
	bytes_add(&reply->bytes, &opened, sizeof(opened));
	return 0;
}

/*
 * The root of a process where it is another than ours, or a negative errno. Of one that is gone nobody can
 * tell any more: a folder without any of the files that are looked for below roots.
 */
static int open_foreign_root(pid_t pid)
{
	const unsigned wanted = STATX_INO | STATX_MNT_ID;
	cleanup(close) int fd = -1;
	struct statx theirs, ours;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ESRCH))
		return open("/proc/self/fdinfo", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, wanted, &theirs) < 0 ||
	    statx(AT_FDCWD, "/", 0, wanted, &ours) < 0)
		return -errno;
	return theirs.stx_mnt_id == ours.stx_mnt_id && theirs.stx_ino == ours.stx_ino ? -ENOENT
										      : TAKE_FD(fd);
}

/*
 * Is the file at that path below our own root, too? Only what the kernel knows without asking any
 * file system counts: the path was chosen below another root, and may lead anywhere here.
 */
static bool is_ours(const char *path, const struct wire_opened *opened)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_CACHED };
	cleanup(close) int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	struct statx found;

	return fd >= 0 &&
	       statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &found) == 0 &&
	       found.stx_ino == opened->inode &&
	       makedev(found.stx_dev_major, found.stx_dev_minor) == opened->device;
}

static int open_mapping(struct reply *reply, const struct wire_open_mapping *mapping,
			const char *path)
{
	pid_t whose;
	int fd = mapped_file_open(mapping, path, &whose), root;
	int r = fd < 0 ? fd : describe(reply, fd, whose);

	if (r < 0)
		return r;
	root = open_foreign_root(whose);
	/* A file that our own programs run, too, is not called by what lies below another root. */
	if (root >= 0 && is_ours(path, (const void *)reply->bytes.at))
		close(root);
	else if (root >= 0)
		reply->fds[reply->fd_count++] = root;
	return 0;
}

static int open_program(struct reply *reply, const char *path)
{
	cleanup(close) int fd = fs_open_regular(path);
	char self[32], real[PATH_MAX], beginning[WIRE_BEGINNING];
	ssize_t real_size, size;
	int r;

	if (fd < 0)
		return fd;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	real_size = readlink(self, real, sizeof(real) - 1);
	if (real_size < 0)
		return -errno;
	real[real_size] = '\0';
	size = pread(fd, beginning, sizeof(beginning), 0);
	r = describe(reply, TAKE_FD(fd), getpid());
	bytes_add(&reply->bytes, real, (size_t)real_size + 1);
	if (size > 0)
		bytes_add(&reply->bytes, beginning, (size_t)size);
	return r;
}

/*
 * Is a file of root's one that packages put below /usr/lib/debug for everybody? Whoever made the root
 * that its path was looked up below may have put links there; into our own only root puts them.
 */
static bool is_for_all(int root, int fd, const char *path, const struct stat *st)
{
	static const char folder[] = "/usr/lib/debug/";
	char self[32], above[PATH_MAX], real[PATH_MAX];
	ssize_t above_size, real_size;

	if (st->st_uid != 0 || !(st->st_mode & S_IROTH) ||
	    strncmp(path, folder, strlen(folder)) != 0 || strstr(path, "/../"))
		return false;
	if (root < 0)
		return true;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", root);
	above_size = readlink(self, above, sizeof(above) - 1);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	real_size = readlink(self, real, sizeof(real) - 1);
	if (above_size < 1 || real_size < 1)
		return false;
	above[above_size] = real[real_size] = '\0';
	if (above_size == 1) /* "/" */
		above_size = 0;
	return strncmp(real, above, (size_t)above_size) == 0 &&
	       strncmp(real + above_size, folder, strlen(folder)) == 0;
}

/*
 * A debug file says what the code of its object is called, for all who run it: that is not for
 * anybody to say who can put a file beside a link to the object, or below a root of his own. And the
 * object, its path and its debug information choose what is opened: nothing that its owner may not
 * read is to get into the hands of who reads that.
 */
static bool may_help(int root, int fd, const char *path, uint32_t owner)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_uid == owner || is_for_all(root, fd, path, &st));
}

static int open_files(struct reply *reply, int root, const struct wire_open_files *question,
		      const char *paths, size_t size)
{
	/* Only to help: what might never answer is left out. */
	const unsigned flags = ROOTED_FOLLOW | ROOTED_LOCAL;

	for (const char *path = paths; path < paths + size && reply->fd_count < MESSAGE_MAX_FDS - 2;
	     path += strlen(path) + 1) {
		int fd = root < 0 ? rooted_open("", path, flags, DEBUG_FILE_BYTES_MAX)
				  : rooted_openat(root, path, flags, DEBUG_FILE_BYTES_MAX);

		if (fd < 0)
			continue;
		if (!may_help(root, fd, path, question->owner)) {
			close(fd);
			continue;
		}
		if (file_system_is_overlay(fd))
			fd = pack(fd);
		if (fd >= 0)
			reply->fds[reply->fd_count++] = fd;
	}
	return 0;
}

/* Both wait for the memory of the process, which may be waiting for a page of a file. */
static int read_proc(struct reply *reply, const struct wire_named_process *process,
		     const char *name, size_t limit)
{
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)process->tid, name);
	r = fs_read(&reply->bytes, AT_FDCWD, path, limit);
	return r == -ENOENT ? -ESRCH : r;
}

static int add_run(void *context, uint64_t from, uint64_t to, unsigned flags)
{
	struct reply *reply = context;
	struct wire_run run = { from, to, flags, 0 };

	bytes_add(&reply->bytes, &run, sizeof(run));
	return reply->bytes.failed || reply->bytes.size > ANSWER_BYTES_MAX ? -ENOMEM : 0;
}

static int find_resident(struct reply *reply, const int *fds, unsigned fd_count,
			 const struct wire_resident *question, size_t size)
{
	const struct wire_range *ranges = (const void *)(question + 1);
	struct resident resident = { .pagemap = fds[0],
				     .kpageflags = fd_count > 1 ? fds[1] : -1,
				     .words = question->words };
	int r = 0;

	for (size_t i = 0; i < (size - sizeof(*question)) / sizeof(*ranges) && r == 0; i++)
		r = resident_scan(&resident, ranges[i].start, ranges[i].end, add_run, reply);
	return r;
}

static int read_on(struct reply *reply, int fd, const struct wire_read *range)
{
	char chunk[65536];
	uint64_t done = 0;

	while (done < range->limit) {
		size_t want = range->limit - done < sizeof(chunk) ? range->limit - done
								  : sizeof(chunk);
		ssize_t size = pread(fd, chunk, want, (off_t)(range->offset + done));

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return -errno;
		if (size == 0)
			break;
		bytes_add(&reply->bytes, chunk, (size_t)size);
		done += (uint64_t)size;
	}
	return 0;
}

/* fd: a file or a parcel; consumed. */
static int read_file(struct reply *reply, int *fd, const struct wire_read *range)
{
	cleanup(close) int file = parcel_open(TAKE_FD(*fd));

	return file < 0 ? file : read_on(reply, file, range);
}

/*
 * fd: a file or a parcel; consumed. What it answers with is good for its name only, and closing that asks no
 * file system (open(2), O_PATH).
 */
static int find_place(struct reply *reply, int *fd)
{
	cleanup(close) int file = parcel_open(TAKE_FD(*fd));
	char self[32];
	int place;

	if (file < 0)
		return file;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", file);
	place = open(self, O_PATH | O_CLOEXEC);
	if (place < 0)
		return -errno;
	reply->fds[reply->fd_count++] = place;
	return 0;
}

int opener_answer(void *state, const struct question *question, const void *payload, size_t size,
		  int *fds, unsigned fd_count, struct reply *reply)
{
	const struct wire_open_mapping *mapping = payload;
	const struct wire_named_process *process = payload;
	const struct wire_open_files *files = payload;
	const char *texts = payload;
	int r;

	(void)state;
	switch (question->what) {
	case OPENER_MAPPING:
		if (size <= sizeof(*mapping) || texts[size - 1])
			break;
		return open_mapping(reply, mapping, (const char *)(mapping + 1));
	case OPENER_FILES:
		if (size <= sizeof(*files) || texts[size - 1])
			break;
		return open_files(reply, fd_count ? fds[0] : -1, files,
				  (const char *)(files + 1), size - sizeof(*files));
	case OPENER_MAPS:
		if (size != sizeof(*process))
			break;
		return read_proc(reply, process, "maps", MAPS_BYTES_MAX);
	case OPENER_RESIDENT:
		if (size < sizeof(struct wire_resident) || fd_count < 1)
			break;
		return find_resident(reply, fds, fd_count, payload, size);
	case OPENER_CMDLINE:
		if (size != sizeof(*process))
			break;
		r = read_proc(reply, process, "cmdline", CMDLINE_BYTES_MAX);
		return r == -EFBIG ? 0 : r;
	case OPENER_PERF_MAP:
		if (size != sizeof(*process))
			break;
		return describe(reply, perf_map_file_open(process->pid, process->start_time),
				process->pid);
	case OPENER_READ:
		if (size != sizeof(struct wire_read) || fd_count != 1)
			break;
		return read_file(reply, &fds[0], payload);
	case OPENER_PLACE:
		if (size != 1 || fd_count != 1)
			break;
		return find_place(reply, &fds[0]);
	case OPENER_PROGRAM:
		if (size == 0 || texts[size - 1])
			break;
		return open_program(reply, texts);
	}
	return -EBADMSG;
}

int opener_main(void)
{
	return serve(opener_answer, NULL);
}
