// SPDX-License-Identifier: Apache-2.0
#include "daemon/resident.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/fs.h"

enum { SMAPS_BYTES_MAX = 4 << 20 }; /* some thousand mappings; what is cut off is little */

/* "7f12-7f13 rw-p 0 0:0 123    /path": a mapping begins; else it is "Name:   12 kB". */
static bool begins_mapping(const char *line)
{
	size_t digits = strspn(line, "0123456789abcdef");

	return digits && line[digits] == '-';
}

uint64_t resident_parse(const char *smaps)
{
	uint64_t sum = 0, kib;
	bool counts = true;

	for (const char *line = smaps; *line; line += *line == '\n') {
		size_t size = strcspn(line, "\n");

		if (begins_mapping(line))
			counts = !memmem(line, size, "anon_inode:bpf", 14);
		else if (counts && strncmp(line, "Pss:", 4) == 0 &&
			 sscanf(line + 4, "%" SCNu64, &kib) == 1 && kib < UINT32_MAX)
			sum += kib * 1024;
		line += size;
	}
	return sum;
}

uint64_t resident_bytes(pid_t pid)
{
	cleanup(bytes_fini) struct bytes text = {};
	char path[64];

	if (pid <= 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
	if (fs_read(&text, AT_FDCWD, path, SMAPS_BYTES_MAX) < 0 || !bytes_str(&text))
		return 0;
	return resident_parse(text.at);
}
