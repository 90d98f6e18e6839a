// SPDX-License-Identifier: Apache-2.0
#include "proc/resident.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fs.h"

/* include/uapi/linux/fs.h of Linux 6.7, which headers to build with may lack. */
struct scan_region {
	uint64_t start, end, categories;
};

struct scan_argument {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define SCAN_IOCTL _IOWR('f', 16, struct scan_argument)

enum {
	SCAN_FILE = 1 << 2,
	SCAN_PRESENT = 1 << 3,
	SCAN_SWAPPED = 1 << 4,
	SCAN_PFNZERO = 1 << 5,
	SCAN_HUGE = 1 << 6,
};

/* Words of /proc/PID/pagemap and of /proc/kpageflags. */
#define WORD_PRESENT (1ULL << 63)
#define WORD_SWAPPED (1ULL << 62)
#define WORD_FILE (1ULL << 61)
#define WORD_PFN ((1ULL << 55) - 1)
#define KPF_THP (1ULL << 22)
#define KPF_ZERO_PAGE (1ULL << 24)

enum { PAGE_BYTES = 4096 };

int resident_open(struct resident *ret, pid_t pid, bool words)
{
	struct resident resident = { .kpageflags = -1, .words = words };
	struct scan_argument nothing = { .size = sizeof(nothing) };
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)pid);
	resident.pagemap = open(path, O_RDONLY | O_CLOEXEC);
	if (resident.pagemap < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	resident.pagemap = fs_spare(resident.pagemap);
	if (resident.pagemap < 0)
		return resident.pagemap;
	if (!words && ioctl(resident.pagemap, SCAN_IOCTL, &nothing) < 0)
		resident.words = errno == ENOTTY;
	if (resident.words)
		resident.kpageflags = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	*ret = resident;
	return 0;
}

void resident_close(struct resident *resident)
{
	if (resident->pagemap >= 0)
		close(resident->pagemap);
	if (resident->kpageflags >= 0)
		close(resident->kpageflags);
	resident->pagemap = resident->kpageflags = -1;
}

bool resident_alive(const struct resident *resident)
{
	char byte;

	/*
	 * Half a word cannot be read of memory that is there, and nothing of memory that nobody uses any more;
	 * for neither is its lock taken (pagemap_read, fs/proc/task_mmu.c).
	 */
	return pread(resident->pagemap, &byte, sizeof(byte), 0) < 0 && errno == EINVAL;
}

static int scan(const struct resident *resident, uint64_t start, uint64_t end,
		int (*handle)(void *, uint64_t, uint64_t, unsigned), void *context)
{
	struct scan_region regions[128];
	struct scan_argument argument = {
		.size = sizeof(argument),
		.end = end,
		.vec = (uintptr_t)regions,
		.vec_len = sizeof(regions) / sizeof(regions[0]),
		.category_inverted = SCAN_PFNZERO,
		.category_mask = SCAN_PFNZERO,
		.category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED,
		.return_mask = SCAN_PRESENT | SCAN_SWAPPED | SCAN_FILE | SCAN_HUGE,
	};

	while (start < end) {
		int count, r = 0;

		argument.start = start;
		count = ioctl(resident->pagemap, SCAN_IOCTL, &argument);
		if (count < 0)
			return errno == ESRCH ? 0 : -errno; /* the memory is gone */
		for (int i = 0; i < count && r == 0; i++) {
			uint64_t what = regions[i].categories;

			r = handle(context, regions[i].start, regions[i].end,
				   (what & SCAN_SWAPPED ? RESIDENT_SWAPPED : 0) |
					   (what & SCAN_FILE ? RESIDENT_FILE : 0) |
					   (what & SCAN_HUGE ? RESIDENT_HUGE : 0));
		}
		if (r != 0)
			return r;
		if (argument.walk_end <= start)
			return 0;
		start = argument.walk_end;
	}
	return 0;
}

static unsigned huge_flag(const struct resident *resident, uint64_t word, bool *zeros)
{
	uint64_t flags, pfn = word & WORD_PFN;

	*zeros = false;
	if (resident->kpageflags < 0 || !(word & WORD_PRESENT) || pfn == 0 ||
	    pread(resident->kpageflags, &flags, sizeof(flags), (off_t)(pfn * 8)) != sizeof(flags))
		return 0;
	*zeros = flags & KPF_ZERO_PAGE;
	return flags & KPF_THP ? RESIDENT_HUGE : 0;
}

static int read_words(const struct resident *resident, uint64_t start, uint64_t end,
		      int (*handle)(void *, uint64_t, uint64_t, unsigned), void *context)
{
	uint64_t words[512];

	while (start < end) {
		uint64_t left = (end - start) / PAGE_BYTES;
		size_t want = left < 512 ? left : 512;
		ssize_t got =
			pread(resident->pagemap, words, want * 8, (off_t)(start / PAGE_BYTES * 8));

		if (got < 0)
			return -errno;
		if (got < 8) /* past the end of all addresses, or the memory is gone */
			return 0;
		for (size_t i = 0; i < (size_t)got / 8; i++) {
			uint64_t at = start + i * PAGE_BYTES;
			unsigned flags;
			bool zeros;
			int r;

			if (!(words[i] & (WORD_PRESENT | WORD_SWAPPED)))
				continue;
			flags = huge_flag(resident, words[i], &zeros);
			flags |= words[i] & WORD_PRESENT ? 0 : RESIDENT_SWAPPED;
			flags |= words[i] & WORD_FILE ? RESIDENT_FILE : 0;
			r = zeros ? 0 : handle(context, at, at + PAGE_BYTES, flags);
			if (r != 0)
				return r;
		}
		start += (uint64_t)got / 8 * PAGE_BYTES;
	}
	return 0;
}

int resident_scan(struct resident *resident, uint64_t start, uint64_t end,
		  int (*handle)(void *, uint64_t, uint64_t, unsigned), void *context)
{
	return (resident->words ? read_words : scan)(resident, start, end, handle, context);
}
