// SPDX-License-Identifier: Apache-2.0
/*
 * `lines` is in the order of the file. The first `sorted` of them are also in `ranges`, where each
 * address has the last line that covers it. The others wait until sorting pays: until then a
 * look-up asks them one by one, last one first.
 */
#include "symbol/perf_map.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fs.h"
#include "base/strtab.h"
#include "elf/rooted.h"
#include "elf/spans.h"
#include "proc/stat.h"

enum {
	CHUNK_BYTES = 65536,
	MAX_NAME_BYTES = 4096,
	/* Together at most some 50 MB for one process; node's maps grow by 1 to 10 MB an hour. */
	MAX_LINES = 1 << 20,
	MAX_NAMES_BYTES = 24 << 20,
	/* This many lines, or an eighth of the sorted ones, may wait unsorted. */
	MIN_UNSORTED = 256,
	PROC_FILE_BYTES = 65536,
};

static const uint64_t MAX_FILE_BYTES = UINT64_C(1) << 30;
/* How often to look for a file that was not there: most processes never have one. */
static const int64_t RETRY_NS = 100 * 1000 * 1000;

struct line {
	uint64_t start;
	uint32_t size;
	uint32_t name; /* id in names */
};

struct map_range {
	uint64_t start;
	uint32_t line; /* or SPAN_NONE */
};

struct perf_map {
	ARRAY_OF(struct line) lines;
	ARRAY_OF(struct map_range) ranges;
	uint32_t sorted;
	struct strtab names;
	int fd;		  /* -1: not found so far */
	uint64_t taken;	  /* bytes of the file */
	int64_t retry_ns; /* CLOCK_MONOTONIC before which the file is not looked for again */
	bool gone;	  /* the process is, and it had no file */
	bool full;	  /* nothing more is read */
};

struct perf_map *perf_map_new(void)
{
	struct perf_map *map = calloc(1, sizeof(*map));

	if (!map)
		return NULL;
	map->fd = -1;
	if (strtab_init(&map->names) < 0) {
		free(map);
		return NULL;
	}
	return map;
}

void perf_map_free(struct perf_map *map)
{
	if (!map)
		return;
	if (map->fd >= 0)
		(void)close(map->fd);
	array_fini(&map->lines);
	array_fini(&map->ranges);
	strtab_fini(&map->names);
	free(map);
}

/* A hexadecimal number (HotSpot's begin with 0x) and the blank after it. */
static bool parse_hex(uint64_t *ret, const char **at, const char *end)
{
	uint64_t value = 0;
	unsigned digits = 0;

	if (end - *at > 2 && (*at)[0] == '0' && ((*at)[1] | 0x20) == 'x')
		*at += 2;
	for (; *at < end; (*at)++, digits++) {
		char c = **at, letter = (char)(c | 0x20);

		if (c >= '0' && c <= '9')
			value = value << 4 | (uint64_t)(c - '0');
		else if (letter >= 'a' && letter <= 'f')
			value = value << 4 | (uint64_t)(letter - 'a' + 10);
		else
			break;
		if (value >> 60 && digits > 15)
			return false;
	}
	if (digits == 0 || *at == end || **at != ' ')
		return false;
	while (*at < end && **at == ' ')
		(*at)++;
	*ret = value;
	return true;
}

static int add_line(struct perf_map *map, const char *at, const char *end)
{
	uint64_t start, size, name_size;
	struct line *line;
	uint32_t name;
	int r;

	if (!parse_hex(&start, &at, end) || !parse_hex(&size, &at, end))
		return 0;
	if (end > at && end[-1] == '\r')
		end--;
	name_size = (uint64_t)(end - at);
	if (name_size == 0 || *at == '\0' || size == 0 || size > UINT32_MAX ||
	    start > UINT64_MAX - size)
		return 0;
	if (name_size > MAX_NAME_BYTES)
		name_size = MAX_NAME_BYTES;
	if (map->lines.count >= MAX_LINES || map->names.bytes.count > MAX_NAMES_BYTES)
		return -E2BIG;
	r = strtab_add(&map->names, &name, at, name_size);
	if (r < 0)
		return r;
	line = array_push(&map->lines);
	if (!line)
		return -ENOMEM;
	*line = (struct line){ start, (uint32_t)size, name };
	return 0;
}

int perf_map_add(struct perf_map *map, const char *text, size_t size, size_t *ret_taken)
{
	const char *at = text, *end = text + size, *newline;
	int r = 0;

	while (r == 0 && at < end && (newline = memchr(at, '\n', (size_t)(end - at)))) {
		r = add_line(map, at, newline);
		at = newline + 1;
	}
	*ret_taken = (size_t)(at - text);
	return r;
}

struct sorting {
	struct perf_map *map;
	uint32_t *order; /* lines by start */
};

static int compare(const void *a, const void *b, void *map)
{
	const struct line *lines = ((const struct perf_map *)map)->lines.at;
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;

	if (lines[i].start != lines[j].start)
		return lines[i].start < lines[j].start ? -1 : 1;
	return (i > j) - (i < j);
}

static void get_span(void *context, uint32_t number, struct span *ret)
{
	struct sorting *sorting = context;
	uint32_t i = sorting->order[number];
	const struct line *line = &sorting->map->lines.at[i];

	*ret = (struct span){
		.start = line->start,
		.end = line->start + line->size,
		.priority = UINT32_MAX - i,
		.value = i,
	};
}

static int add_range(void *context, uint64_t start, uint32_t value)
{
	struct map_range *range = array_push(&((struct sorting *)context)->map->ranges);

	if (!range)
		return -ENOMEM;
	*range = (struct map_range){ start, value };
	return 0;
}

static int sort(struct perf_map *map)
{
	uint32_t count = map->lines.count;
	cleanup(free) uint32_t *order = malloc((count + 1ULL) * sizeof(*order));
	struct sorting sorting = { map, order };
	int r;

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	qsort_r(order, count, sizeof(*order), compare, map);
	map->ranges.count = 0;
	map->sorted = 0;
	r = spans_flatten(count, get_span, add_range, &sorting);
	if (r == 0)
		map->sorted = count;
	else
		map->ranges.count = 0;
	return r;
}

int perf_map_find(struct perf_map *map, uint64_t address, const char **ret)
{
	uint32_t waiting = map->lines.count - map->sorted, low = 0, high;
	const struct line *lines;

	if (waiting > MIN_UNSORTED && waiting > map->sorted / 8) {
		int r = sort(map);

		if (r < 0)
			return r;
	}
	lines = map->lines.at;
	for (uint32_t i = map->lines.count; i > map->sorted; i--) {
		if (address >= lines[i - 1].start &&
		    address - lines[i - 1].start < lines[i - 1].size) {
			*ret = strtab_get(&map->names, lines[i - 1].name);
			return 0;
		}
	}
	for (high = map->ranges.count; low < high;) {
		uint32_t middle = low + (high - low) / 2;

		if (map->ranges.at[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || map->ranges.at[low - 1].line == SPAN_NONE)
		return -ENOENT;
	*ret = strtab_get(&map->names, lines[map->ranges.at[low - 1].line].name);
	return 0;
}

/* What /proc/PID/status says of a process. */
struct status {
	pid_t inner_pid; /* in its own, innermost pid namespace */
	uid_t effective_uid, filesystem_uid;
};

static int read_status(struct status *ret, int process)
{
	cleanup(bytes_fini) struct bytes text = {};
	const char *pids, *uids;
	int r = fs_read(&text, process, "status", PROC_FILE_BYTES);

	if (r < 0)
		return r;
	if (!bytes_str(&text))
		return -ENOMEM;
	uids = strstr(text.at, "\nUid:");
	pids = strstr(text.at, "\nNSpid:");
	if (!uids ||
	    sscanf(uids + 5, "%*u %u %*u %u", &ret->effective_uid, &ret->filesystem_uid) != 2)
		return -EINVAL;
	/* NSpid lists the pid in each namespace from ours inwards; the last one is its own. */
	ret->inner_pid = 0;
	if (pids) {
		pids += strlen("\nNSpid:");
		for (int pid, used; sscanf(pids, " %d%n", &pid, &used) == 1; pids += used) {
			ret->inner_pid = pid;
			if (pids[used] != '\t')
				break;
		}
	}
	return 0;
}

/* Whether the process whose /proc folder is open is the one that is meant. */
static int check_start_time(int process, uint64_t start_time)
{
	cleanup(bytes_fini) struct bytes text = {};
	struct proc_stat stat;
	int r = fs_read(&text, process, "stat", PROC_FILE_BYTES);

	if (r == 0)
		r = proc_stat_parse(&stat, text.at, text.size);
	if (r == 0 && start_time && stat.start_time != start_time)
		r = -ESRCH;
	return r;
}

static int open_owned(int root, pid_t pid, const struct status *status)
{
	cleanup(close) int fd = -1;
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)pid);
	fd = rooted_openat(root, path, false, MAX_FILE_BYTES);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	/* /tmp is everybody's: another user's file could put any name on this process. */
	if (st.st_uid != 0 && st.st_uid != status->effective_uid &&
	    st.st_uid != status->filesystem_uid)
		return -EPERM;
	return TAKE_FD(fd);
}

/* Returns a descriptor, -ESRCH when the process is gone, or another negative errno. */
static int open_file(pid_t pid, uint64_t start_time)
{
	cleanup(close) int process = -1, root = -1;
	struct status status;
	char path[32];
	int r;

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	process = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (process < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	r = check_start_time(process, start_time);
	if (r == 0)
		r = read_status(&status, process);
	if (r < 0)
		return r;
	root = openat(process, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	r = open_owned(root, status.inner_pid ? status.inner_pid : pid, &status);
	/* Some runtimes in a container know the outer pid. */
	if (r == -ENOENT && status.inner_pid && status.inner_pid != pid)
		r = open_owned(root, pid, &status);
	return r;
}

static int64_t now_ns(void)
{
	struct timespec now = {};

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int read_on(struct perf_map *map)
{
	cleanup(free) char *chunk = NULL;
	struct stat st;
	size_t taken;
	int r = 0;

	if (fstat(map->fd, &st) < 0)
		return -errno;
	if ((uint64_t)st.st_size < map->taken)
		map->taken = 0; /* begun anew, by the next program in the same process */
	if ((uint64_t)st.st_size == map->taken)
		return 0;
	chunk = malloc(CHUNK_BYTES);
	if (!chunk)
		return -ENOMEM;
	while (r == 0) {
		ssize_t size = pread(map->fd, chunk, CHUNK_BYTES, (off_t)map->taken);

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return -errno;
		r = perf_map_add(map, chunk, (size_t)size, &taken);
		/* A line as long as the chunk is none; a shorter rest is still being written. */
		if (taken == 0 && size == CHUNK_BYTES)
			taken = CHUNK_BYTES;
		if (taken == 0)
			break;
		map->taken += taken;
	}
	map->full = r == -E2BIG;
	return map->full ? 0 : r;
}

int perf_map_update(struct perf_map *map, pid_t pid, uint64_t start_time)
{
	if (map->gone || map->full)
		return 0;
	if (map->fd < 0) {
		int64_t now = now_ns();
		int fd;

		if (now < map->retry_ns)
			return 0;
		map->retry_ns = now + RETRY_NS;
		fd = open_file(pid, start_time);
		map->gone = fd == -ESRCH;
		if (fd < 0)
			return fd == -ENOMEM ? fd : 0;
		map->fd = fd;
	}
	return read_on(map);
}
