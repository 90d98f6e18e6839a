// SPDX-License-Identifier: Apache-2.0
#include "reader/file_system.h"

#include <linux/magic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/vfs.h>

#include "base/cleanup.h"

#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546 /* linux/magic.h, since 5.7 */
#endif

bool file_system_is_remote(int fd)
{
	static const uint32_t kinds[] = { FUSE_SUPER_MAGIC, NFS_SUPER_MAGIC,  SMB_SUPER_MAGIC,
					  SMB2_SUPER_MAGIC, CIFS_SUPER_MAGIC, V9FS_MAGIC,
					  CEPH_SUPER_MAGIC, CODA_SUPER_MAGIC, AFS_SUPER_MAGIC };
	struct statfs st;

	if (fstatfs(fd, &st) < 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if ((uint32_t)st.f_type == kinds[i])
			return true;
	return false;
}

static bool is_of_kind(int fd, uint32_t magic)
{
	struct statfs st;

	return fstatfs(fd, &st) == 0 && (uint32_t)st.f_type == magic;
}

bool file_system_is_overlay(int fd)
{
	return is_of_kind(fd, OVERLAYFS_SUPER_MAGIC);
}

bool file_system_has_many_devices(int fd)
{
	return is_of_kind(fd, BTRFS_SUPER_MAGIC) || file_system_is_overlay(fd);
}
