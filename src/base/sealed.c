// SPDX-License-Identifier: Apache-2.0
#include "base/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fs.h"

enum { ALL_SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE };

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* linux/memfd.h, since 6.3 */
#endif

int sealed_new(void)
{
	int fd = memfd_create("profd", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("profd", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd < 0 ? -errno : fd;
}

int sealed_make(const void *data, size_t size)
{
	cleanup(close) int fd = sealed_new();
	int r;

	if (fd < 0)
		return fd;
	r = fs_write_all(fd, data, size);
	if (r < 0)
		return r;
	if (fcntl(fd, F_ADD_SEALS, ALL_SEALS) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int sealed_map(const unsigned char **ret, size_t *ret_size, int fd, size_t limit)
{
	struct stat st;
	void *memory;

	/* Not while somebody has it mapped for writing (EBUSY). */
	if (fcntl(fd, F_ADD_SEALS, ALL_SEALS) < 0)
		return errno == EBUSY ? -EBADMSG : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if ((uint64_t)st.st_size > limit)
		return -EFBIG;
	if (st.st_size == 0) {
		*ret = NULL;
		*ret_size = 0;
		return 0;
	}
	memory = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	*ret = memory;
	*ret_size = (size_t)st.st_size;
	return 0;
}

void sealed_unmap(const unsigned char *at, size_t size)
{
	if (at)
		munmap((void *)(uintptr_t)at, size);
}
