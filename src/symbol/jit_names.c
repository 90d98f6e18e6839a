// SPDX-License-Identifier: Apache-2.0
#include "symbol/jit_names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "symbol/perf_map.h"
#include "worker/ask_opener.h"

enum {
	PIECE_BYTES = 1 << 20,
	/* What a map may hold (perf_map.c) fits in; who goes on has lines that mean nothing. */
	FILE_BYTES_MAX = 128 << 20,
};

/* How often to look for a file that was not there: most processes never have one. */
#define RETRY_NS 100000000ULL

struct jit_names {
	pid_t pid;
	uint64_t start_time;
	struct perf_map *map;
	int fd; /* -1: not found so far */
	bool may_block;
	struct payer payer; /* once it was found */
	bool gone; /* the process is, and it had no file; or the file is closed */
	bool full;
	uint64_t taken;	   /* bytes of the file */
	uint64_t retry_ns; /* CLOCK_MONOTONIC before which the file is not looked for again */
};

struct jit_names *jit_names_new(pid_t pid, uint64_t start_time)
{
	struct jit_names *names = calloc(1, sizeof(*names));

	if (!names)
		return NULL;
	*names = (struct jit_names){ .pid = pid,
				     .start_time = start_time,
				     .fd = -1,
				     .payer = { .owner = PAYER_ANYBODY, .unknown = true } };
	names->map = perf_map_new();
	if (!names->map) {
		free(names);
		return NULL;
	}
	return names;
}

static void close_file(struct jit_names *names)
{
	if (names->fd >= 0)
		close(names->fd);
	names->fd = -1;
}

void jit_names_free(struct jit_names *names)
{
	if (!names)
		return;
	close_file(names);
	perf_map_free(names->map);
	free(names);
}

/* Names that are missing must not be so silently. */
static void note_too_many(struct jit_names *names, struct workers *workers)
{
	char path[32];

	names->full = true;
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)names->pid);
	workers_give_up(workers, path, "it has more names than profd allows");
}

static int read_on(struct jit_names *names, struct workers *workers)
{
	struct stat st;

	if (!names->may_block && fstat(names->fd, &st) == 0) {
		if ((uint64_t)st.st_size < names->taken)
			names->taken = 0; /* begun anew, by the next program in the same process */
		if ((uint64_t)st.st_size == names->taken)
			return 0;
	}
	for (;;) {
		cleanup(bytes_fini) struct bytes piece = {};
		size_t taken;
		int r = ask_bytes(workers, &piece, names->fd, names->taken, PIECE_BYTES);

		if (r == 0)
			r = perf_map_add(names->map, piece.at, piece.size, &taken);
		if (r == -ENOMEM)
			return r;
		if (r == -E2BIG || names->taken > FILE_BYTES_MAX) {
			note_too_many(names, workers);
			return 0;
		}
		if (r < 0) { /* it cannot be read */
			names->full = true;
			return 0;
		}
		/* A line as long as the piece is none; a shorter rest is still being written. */
		if (taken == 0 && piece.size == PIECE_BYTES)
			taken = PIECE_BYTES;
		names->taken += taken;
		if (piece.size < PIECE_BYTES)
			return 0;
	}
}

int jit_names_update(struct jit_names *names, struct workers *workers)
{
	struct opened opened;

	if (names->gone || names->full)
		return 0;
	if (names->fd < 0) {
		uint64_t now = clock_ns(CLOCK_MONOTONIC);
		int fd;

		if (now < names->retry_ns)
			return 0;
		names->retry_ns = now + RETRY_NS;
		fd = ask_perf_map(workers, &opened, names->pid, names->start_time);
		names->gone = fd == -ESRCH || fd == -EIO;
		if (fd < 0)
			return fd == -ENOMEM ? fd : 0;
		names->fd = fd;
		names->may_block = opened.may_block;
		names->payer = (struct payer){ opened.identity.device, opened.identity.owner,
					       !opened.may_block, false };
	}
	return read_on(names, workers);
}

struct payer jit_names_payer(const struct jit_names *names)
{
	return names->payer;
}

uint64_t jit_names_bytes(const struct jit_names *names)
{
	return perf_map_bytes(names->map);
}

int jit_names_give_up(struct jit_names *names, struct workers *workers)
{
	struct perf_map *empty = perf_map_new();

	if (!empty)
		return -ENOMEM;
	perf_map_free(names->map);
	names->map = empty;
	note_too_many(names, workers);
	return 0;
}

int jit_names_find(struct jit_names *names, uint64_t address, const char **ret)
{
	return perf_map_find(names->map, address, ret);
}
