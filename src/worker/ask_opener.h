/* SPDX-License-Identifier: Apache-2.0 */
/* Files of targets, opened by a process that may hang in our place; see reader/opener.h. */
#pragma once

#include "worker/workers.h"

/* A file that was opened. */
struct opened {
	struct object_identity identity;
	bool may_block; /* the descriptor is a parcel (base/parcel.h): its file may never answer */
	bool overlay;	/* on an overlayfs: the same file may be on others, too */
	/*
	 * Nobody but this machine's root chose who tells of the file: on FUSE, and on an overlay in a
	 * user's own mount namespace, a user makes up inode numbers, sizes and stamps as he likes.
	 */
	bool honest;
	pid_t whose;	/* the process whose mapping led there; 0: none did */
};

/* A program or library that is about to be run. */
struct program_file {
	struct opened opened;
	bool executable; /* by somebody */
	struct bytes texts;
	const char *path;      /* without symbolic links; in `texts`, as what follows */
	const char *beginning; /* `size` bytes of the file, WIRE_BEGINNING at most */
	size_t size;
};

/* A mapping of a file, as /proc/PID/maps and mapping events tell it. */
struct file_mapping {
	uint64_t start, end, inode, device; /* device: makedev(3) of what they say */
	uint64_t inode_generation; /* 0: not known */
	uint64_t mapped_ns;        /* CLOCK_MONOTONIC; 0: not known */
	bool still_there;          /* nothing was mapped over it so far */
	const char *path;
	/* Parent, its parent, ...: when the process is gone, they may still have its root. 0: none. */
	pid_t ancestors[WIRE_ANCESTORS];
};

/*
 * The file behind a mapping of a process. thread: a living one of it. *root_fd: see struct object.
 * Returns a descriptor or a negative errno (-EIO: its file system does not answer, which is noted;
 * -ENOENT: the file, or what it held when it was mapped, is not to be had any more).
 */
int ask_mapping(struct workers *workers, struct opened *ret, int *root_fd, pid_t thread,
		const struct file_mapping *mapping);
/*
 * Opens what is there of several paths below a root (-1 is our own), in their order, and belongs to
 * the owner of the object that they are for or to root. paths: each with its NUL. ret: room for
 * MESSAGE_MAX_FDS. Returns how many, or -errno.
 */
int ask_files(struct workers *workers, int *ret, int root_fd, const struct object_identity *object,
	      const char *paths, size_t size);
/*
 * The regular file at a path of ours. *ret: free with program_file_fini in any case. Returns a
 * descriptor or a negative errno (-EIO: its file system does not answer, which is noted).
 */
int ask_program(struct workers *workers, struct program_file *ret, const char *path);
void program_file_fini(struct program_file *file);
static inline void program_file_fini_cleanup(struct program_file *file)
{
	program_file_fini(file);
}
/* The text of /proc/TID/maps, appended. Returns 0 or a negative errno (-ESRCH: gone). */
int ask_maps(struct workers *workers, struct bytes *ret, pid_t tid);
/* The beginning of a command line, arguments with their NULs, appended. 0 or a negative errno. */
int ask_cmdline(struct workers *workers, struct bytes *ret, pid_t pid);
/*
 * The file in which a process's JIT names its code (proc/perf_map_file.h). start_time: in clock
 * ticks since boot; 0: not known. Returns a descriptor or a negative errno (-ESRCH: gone).
 */
int ask_perf_map(struct workers *workers, struct opened *ret, pid_t pid, uint64_t start_time);
/*
 * Appends what the file holds from an offset on, at most `limit` bytes, which may be fewer than
 * there are. Returns 0 or a negative errno.
 */
int ask_bytes(struct workers *workers, struct bytes *ret, int fd, uint64_t offset, uint64_t limit);
/*
 * A descriptor of where the file in a parcel lies, for calls that want its name; it cannot be read, and
 * closing it never waits. fd: the parcel, which stays the caller's. Or a negative errno (-EIO: its file system
 * does not answer, which is noted).
 */
int ask_place(struct workers *workers, int fd);
/*
 * Hands over the runs of a process's pages that are there, ascending (proc/resident.h). fds: its pagemap,
 * and maybe /proc/kpageflags; words: see struct resident. ranges: ascending, not overlapping.
 * Returns 0, what `handle` returned below 0, or a negative errno (-EIO: its memory stays locked, which is
 * noted).
 */
int ask_resident(struct workers *workers, pid_t pid, const int *fds, unsigned fd_count, bool words,
		 const struct wire_range *ranges, uint32_t count,
		 int (*handle)(void *context, uint64_t from, uint64_t to, unsigned flags),
		 void *context);
