// SPDX-License-Identifier: Apache-2.0
#include "worker/ask_opener.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/hash.h"

enum {
	ATTEMPTS = 2,	/* an accident may have been somebody else's */
	KILLED_MAX = 3, /* processes that somebody kills over one question */
};

/* /proc, and paths that lead to who knows which file system. */
static const struct payer unknown = { .owner = PAYER_ANYBODY, .unknown = true };

/*
 * The same through a process's memory, which is locked while somebody changes it: nobody who means
 * well does so for longer, and there is another way.
 */
static const struct payer memory = { .owner = PAYER_ANYBODY,
				     .unknown = true,
				     .most_waiting_ns = 1000000000 };

/* Outcomes that another attempt would not change. local: see struct payer. */
static bool is_final(int outcome, bool local)
{
	return (outcome == WORKER_STUCK && !local) || outcome >= WORKER_ENDING;
}

/* Returns 0, a worker_outcome, or a negative errno. */
static int ask_again(struct workers *workers, struct answer *ret, uint32_t what,
		     const void *payload, size_t size, const int *fds, unsigned fd_count,
		     const struct payer *payer)
{
	struct worker *opener = &workers->opener;
	unsigned killed = 0;
	int r = 0;

	for (unsigned i = 0; i < ATTEMPTS;) {
		r = workers_ask(workers, opener, payer, ret, (struct question){ .what = what },
				payload, size, fds, fd_count);
		if (r <= 0 || is_final(r, payer->local))
			break;
		i += r != WORKER_DIED || !opener->was_killed || killed++ >= KILLED_MAX;
	}
	if (r == 0 && ret->result < 0) {
		r = ret->result;
		answer_fini(ret);
	}
	return r;
}

/*
 * The same of what may be anywhere. about: what is given up when there is no answer. Returns 0 or a
 * negative errno.
 */
static int ask(struct workers *workers, struct answer *ret, uint32_t what, const void *payload,
	       size_t size, const int *fds, unsigned fd_count, const char *about)
{
	int r = ask_again(workers, ret, what, payload, size, fds, fd_count, &unknown);

	if (r > 0)
		workers_give_up(workers, about, worker_outcome_text(r));
	return r > 0 ? -EIO : r;
}

static int take_opened(struct opened *ret, struct answer *answer)
{
	const struct wire_opened *opened = (const void *)answer->at;

	if (answer->size < sizeof(*opened) || answer->fd_count < 1)
		return -EBADMSG;
	*ret = (struct opened){
		.identity = { opened->device, opened->inode, opened->size, opened->mtime_ns,
			      opened->ctime_ns, opened->owner },
		.may_block = opened->may_block,
		.overlay = opened->overlay,
		.honest = opened->honest,
	};
	return TAKE_FD(answer->fds[0]);
}

/*
 * Beside devices, other things that make wait are left alone for a while. Their ids are none of
 * devices, which have 32 bits.
 */
enum { MEMORY = 1, PLACE, PROCESS, DEBUG_FILES, DEBUG_FILES_OF };
#define PERF_MAPS (1ULL << 32) /* instead of a device */

static uint64_t id_of(unsigned kind, uint64_t what)
{
	return (uint64_t)kind << 61 | (what & (UINT64_MAX >> 3));
}

static uint64_t memory_of(pid_t thread)
{
	return id_of(MEMORY, (uint32_t)thread);
}

static bool has_our_root(pid_t thread)
{
	char path[32], root[2];

	snprintf(path, sizeof(path), "/proc/%d/root", (int)thread);
	return readlink(path, root, sizeof(root)) == 1;
}

/*
 * The device in a process's view: where paths lead is a matter of mounts and of the root, which
 * whoever has a namespace of his own can have as he likes.
 */
static uint64_t place_of(pid_t thread, uint64_t device)
{
	struct stat ours, theirs;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)thread);
	if (stat(path, &theirs) < 0 || stat("/proc/self/ns/mnt", &ours) < 0)
		return device;
	if (theirs.st_ino != ours.st_ino)
		return id_of(PLACE, hash_pair(device, theirs.st_ino));
	return has_our_root(thread) ? device : id_of(PROCESS, hash_pair(device, (uint32_t)thread));
}

/*
 * By the mapping itself, or else by its path. Returns 0, a worker_outcome, or a negative errno.
 */
static int open_mapping(struct workers *workers, struct answer *ret, struct bytes *payload)
{
	struct wire_open_mapping *head = (void *)payload->at;
	/* What is on no device of its own, the kernel gives numbers with a major number of 0. */
	const struct payer payer = { .device = place_of(head->thread, head->device),
				     .owner = PAYER_ANYBODY,
				     .local = major(head->device) != 0 };
	bool locked = false;
	int r;

	if (head->still_there && !workers_is_stuck(workers, memory_of(head->thread))) {
		r = ask_again(workers, ret, OPENER_MAPPING, payload->at, payload->size, NULL, 0,
			      &memory);
		if (r != WORKER_STUCK)
			return r;
		locked = true;
	}
	head->still_there = false;
	if (workers_is_stuck(workers, payer.device))
		return WORKER_STUCK;
	r = ask_again(workers, ret, OPENER_MAPPING, payload->at, payload->size, NULL, 0, &payer);
	if (locked && r != WORKER_STUCK)
		workers_note_stuck(workers, memory_of(head->thread));
	/* A disk is for all, and was not made by anybody who could make it hang. */
	if (r == WORKER_STUCK && !payer.local)
		workers_note_stuck(workers, payer.device);
	return r;
}

int ask_mapping(struct workers *workers, struct opened *ret, int *root_fd, pid_t thread,
		const struct file_mapping *mapping)
{
	struct wire_open_mapping head = {
		.start = mapping->start,
		.end = mapping->end,
		.inode = mapping->inode,
		.device = mapping->device,
		.inode_generation = mapping->inode_generation,
		.mapped_ns = mapping->mapped_ns,
		.thread = thread,
		.still_there = mapping->still_there,
	};
	cleanup(bytes_fini) struct bytes payload = {};
	cleanup(answer_fini) struct answer answer = {};
	int r;

	for (unsigned i = 0; i < WIRE_ANCESTORS; i++)
		head.ancestors[i] = mapping->ancestors[i];
	if (strlen(mapping->path) >= PATH_MAX)
		return -ENAMETOOLONG;
	bytes_add(&payload, &head, sizeof(head));
	bytes_add(&payload, mapping->path, strlen(mapping->path) + 1);
	if (payload.failed)
		return -ENOMEM;
	r = workers_is_stuck(workers, mapping->device) ? WORKER_STUCK
						       : open_mapping(workers, &answer, &payload);
	if (r > 0)
		workers_give_up(workers, mapping->path, worker_outcome_text(r));
	if (r != 0)
		return r > 0 ? -EIO : r;
	r = take_opened(ret, &answer);
	*root_fd = r >= 0 && answer.fd_count > 1 ? TAKE_FD(answer.fds[1]) : -1;
	return r;
}

/* What is to blame when debug files are waited for: who made the root, or the object's folder. */
static uint64_t debug_place_of(int root_fd, const struct object_identity *object)
{
	cleanup(bytes_fini) struct bytes text = {};
	unsigned long mount = 0;
	const char *line;
	char path[40];

	if (root_fd < 0)
		return id_of(DEBUG_FILES_OF, hash_pair(object->device, object->owner));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", root_fd);
	if (fs_read(&text, AT_FDCWD, path, 4096) == 0 && bytes_str(&text)) {
		line = strstr(text.at, "mnt_id:");
		if (line)
			(void)sscanf(line, "mnt_id: %lu", &mount);
	}
	return id_of(DEBUG_FILES, mount);
}

int ask_files(struct workers *workers, int *ret, int root_fd, const struct object_identity *object,
	      const char *paths, size_t size)
{
	const struct wire_open_files head = { .owner = object->owner };
	uint64_t place = debug_place_of(root_fd, object);
	cleanup(bytes_fini) struct bytes payload = {};
	cleanup(answer_fini) struct answer answer = {};
	int r = WORKER_STUCK;

	bytes_add(&payload, &head, sizeof(head));
	bytes_add(&payload, paths, size);
	if (payload.failed)
		return -ENOMEM;
	if (!workers_is_stuck(workers, place)) {
		r = ask_again(workers, &answer, OPENER_FILES, payload.at, payload.size, &root_fd,
			      root_fd >= 0, &unknown);
		if (r == WORKER_STUCK)
			workers_note_stuck(workers, place);
	}
	if (r > 0)
		workers_give_up(workers, paths, worker_outcome_text(r));
	if (r != 0)
		return r > 0 ? -EIO : r;
	for (uint32_t i = 0; i < answer.fd_count; i++)
		ret[i] = TAKE_FD(answer.fds[i]);
	return (int)answer.fd_count;
}

int ask_program(struct workers *workers, struct program_file *ret, const char *path)
{
	cleanup(answer_fini) struct answer answer = {};
	const struct wire_opened *opened;
	const char *end;
	int r;

	*ret = (struct program_file){};
	r = ask(workers, &answer, OPENER_PROGRAM, path, strlen(path) + 1, NULL, 0, path);
	if (r < 0)
		return r;
	opened = (const void *)answer.at;
	if (answer.size <= sizeof(*opened))
		return -EBADMSG;
	bytes_add(&ret->texts, answer.at + sizeof(*opened), answer.size - sizeof(*opened));
	if (ret->texts.failed)
		return -ENOMEM;
	end = memchr(ret->texts.at, '\0', ret->texts.size);
	if (!end)
		return -EBADMSG;
	ret->path = ret->texts.at;
	ret->beginning = end + 1;
	ret->size = ret->texts.size - (size_t)(end + 1 - ret->texts.at);
	ret->executable = opened->executable;
	return take_opened(&ret->opened, &answer);
}

void program_file_fini(struct program_file *file)
{
	bytes_fini(&file->texts);
}

static int ask_proc(struct workers *workers, struct bytes *ret, uint32_t what, const char *name,
		    pid_t tid)
{
	const struct wire_named_process process = { tid, tid, 0 };
	cleanup(answer_fini) struct answer answer = {};
	int r = WORKER_STUCK;
	char about[64];

	if (!workers_is_stuck(workers, memory_of(tid))) {
		r = ask_again(workers, &answer, what, &process, sizeof(process), NULL, 0, &unknown);
		if (r == WORKER_STUCK)
			workers_note_stuck(workers, memory_of(tid));
	}
	snprintf(about, sizeof(about), "/proc/%d/%s", (int)tid, name);
	if (r > 0)
		workers_give_up(workers, about,
				r == WORKER_STUCK ? "its process keeps its memory locked"
						  : worker_outcome_text(r));
	if (r != 0)
		return r > 0 ? -EIO : r;
	bytes_add(ret, answer.at, answer.size);
	return ret->failed ? -ENOMEM : 0;
}

int ask_maps(struct workers *workers, struct bytes *ret, pid_t tid)
{
	return ask_proc(workers, ret, OPENER_MAPS, "maps", tid);
}

int ask_cmdline(struct workers *workers, struct bytes *ret, pid_t pid)
{
	return ask_proc(workers, ret, OPENER_CMDLINE, "cmdline", pid);
}

int ask_perf_map(struct workers *workers, struct opened *ret, pid_t pid, uint64_t start_time)
{
	const struct wire_named_process process = { pid, pid, start_time };
	uint64_t place = place_of(pid, PERF_MAPS);
	cleanup(answer_fini) struct answer answer = {};
	int r = WORKER_STUCK;
	char about[32];

	if (!workers_is_stuck(workers, place)) {
		r = ask_again(workers, &answer, OPENER_PERF_MAP, &process, sizeof(process), NULL, 0,
			      &unknown);
		/* Where we see the same, others have their maps, too. */
		if (r == WORKER_STUCK && place != PERF_MAPS)
			workers_note_stuck(workers, place);
	}
	snprintf(about, sizeof(about), "/tmp/perf-%d.map", (int)pid);
	if (r > 0)
		workers_give_up(workers, about, worker_outcome_text(r));
	if (r != 0)
		return r > 0 ? -EIO : r;
	return take_opened(ret, &answer);
}

int ask_bytes(struct workers *workers, struct bytes *ret, int fd, uint64_t offset, uint64_t limit)
{
	const struct wire_read range = { offset, limit };
	cleanup(answer_fini) struct answer answer = {};
	int r = ask(workers, &answer, OPENER_READ, &range, sizeof(range), &fd, 1, "a perf map");

	if (r == 0)
		bytes_add(ret, answer.at, answer.size < limit ? answer.size : limit);
	return r < 0 ? r : ret->failed ? -ENOMEM : 0;
}

int ask_place(struct workers *workers, int fd)
{
	cleanup(answer_fini) struct answer answer = {};
	int r = ask(workers, &answer, OPENER_PLACE, "", 1, &fd, 1, "a file on an overlay");

	if (r < 0)
		return r;
	return answer.fd_count == 1 ? TAKE_FD(answer.fds[0]) : -EBADMSG;
}

static int take_runs(const struct answer *answer,
		     int (*handle)(void *context, uint64_t from, uint64_t to, unsigned flags),
		     void *context)
{
	const struct wire_run *runs = (const void *)answer->at;
	int r = 0;

	for (size_t i = 0; i < answer->size / sizeof(*runs) && r == 0; i++)
		if (runs[i].start < runs[i].end)
			r = handle(context, runs[i].start, runs[i].end, runs[i].flags);
	return r;
}

static int ask_some_resident(struct workers *workers, struct answer *ret, pid_t pid, const int *fds,
			     unsigned fd_count, bool words, const struct wire_range *ranges,
			     uint32_t count)
{
	const struct wire_resident head = { .words = words };
	cleanup(bytes_fini) struct bytes payload = {};
	int r = WORKER_STUCK;
	char about[64];

	bytes_add(&payload, &head, sizeof(head));
	bytes_add(&payload, ranges, count * sizeof(*ranges));
	if (payload.failed)
		return -ENOMEM;
	if (!workers_is_stuck(workers, memory_of(pid))) {
		r = ask_again(workers, ret, OPENER_RESIDENT, payload.at, payload.size, fds,
			      fd_count, &memory);
		if (r == WORKER_STUCK)
			workers_note_stuck(workers, memory_of(pid));
	}
	if (r <= 0)
		return r;
	snprintf(about, sizeof(about), "/proc/%d/pagemap", (int)pid);
	workers_give_up(workers, about,
			r == WORKER_STUCK ? "its process keeps its memory locked"
					  : worker_outcome_text(r));
	return -EIO;
}

int ask_resident(struct workers *workers, pid_t pid, const int *fds, unsigned fd_count, bool words,
		 const struct wire_range *ranges, uint32_t count,
		 int (*handle)(void *context, uint64_t from, uint64_t to, unsigned flags),
		 void *context)
{
	int r = 0;

	for (uint32_t at = 0; at < count && r == 0; at += WIRE_RANGES_MAX) {
		uint32_t some = count - at < WIRE_RANGES_MAX ? count - at : WIRE_RANGES_MAX;
		cleanup(answer_fini) struct answer answer = {};

		r = ask_some_resident(workers, &answer, pid, fds, fd_count, words, ranges + at,
				      some);
		if (r == 0)
			r = take_runs(&answer, handle, context);
	}
	return r;
}
