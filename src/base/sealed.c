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

int sealed_make(const void *data, size_t size)
{
	cleanup(close) int fd = -1;
	int r;

	fd = memfd_create("profd", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("profd", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	r = fs_write_all(fd, data, size);
	if (r < 0)
		return r;
	if (fcntl(fd, F_ADD_SEALS, ALL_SEALS) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int sealed_map(const unsigned char **ret, size_t *ret_size, int fd, size_t limit)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	void *memory;

	if (seals < 0 || (seals & ALL_SEALS) != ALL_SEALS)
		return -EBADMSG;
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
