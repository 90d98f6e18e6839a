// SPDX-License-Identifier: Apache-2.0
/*
 * syscalls [SECONDS]
 *
 * Reads 64 KiB at a time from /dev/zero: nearly all of its time is the kernel's. True stack: main,
 * spin, libc's read, then kernel frames.
 */
#include <fcntl.h>

#include "target.h"

FUNCTION long spin(int fd);

long spin(int fd)
{
	static char buffer[64 * 1024];
	long total = 0;

	for (int i = 0; i < 100; i++)
		total += read(fd, buffer, sizeof(buffer));
	return total;
}

int main(int argc, char **argv)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	long total = 0;

	if (fd < 0)
		return 1;
	target_begin(argc > 1 ? argv[1] : NULL);
	target_ready();
	while (!target_stopped)
		total += spin(fd);
	printf("{\"bytes\": %ld}\n", total);
	return 0;
}
