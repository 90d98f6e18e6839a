// SPDX-License-Identifier: Apache-2.0
#include "base/file_kind.h"

#include <linux/magic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/vfs.h>

#include "base/cleanup.h"

/* Of disks and memory, as linux/magic.h and the kernel's own sources have them. */
static const uint32_t local[] = {
	0xef53,	    /* ext2, ext3, ext4 */
	0x58465342, /* XFS */
	BTRFS_SUPER_MAGIC,
	TMPFS_MAGIC, /* also memfd and devtmpfs */
	RAMFS_MAGIC,
	HUGETLBFS_MAGIC,
	OVERLAYFS_SUPER_MAGIC, /* but what it shows may be on any */
	SQUASHFS_MAGIC,
	0xe0f5e1e2, /* EROFS */
	0xf2f52010, /* F2FS */
	0x2fc12fc1, /* ZFS */
	0xca451a4e, /* bcachefs */
	CRAMFS_MAGIC,
	0x7275, /* romfs */
	ISOFS_SUPER_MAGIC,
	0x15013346, /* UDF */
	REISERFS_SUPER_MAGIC,
	0x3153464a, /* JFS */
	NILFS_SUPER_MAGIC,
	0x24051905, /* UBIFS */
	JFFS2_SUPER_MAGIC,
	MSDOS_SUPER_MAGIC,
	0x2011bab0, /* exFAT */
	0x7366746e, /* NTFS (ntfs3) */
	0x5346544e, /* NTFS */
	0x482b,	    /* HFS+ */
	MINIX_SUPER_MAGIC,
	MINIX2_SUPER_MAGIC,
	MINIX3_SUPER_MAGIC,
};

/* The same of those that have files which are kept nowhere. */
static const uint32_t kernels[] = {
	0x62656570, /* configfs */
	0x19800202, /* mqueue */
	0x65735543, /* fusectl */
	0x6e667364, /* nfsd */
	0x67596969, /* rpc_pipefs */
	0x0a647361, /* functionfs */
	0xaee71ee7, /* gadgetfs */
	PROC_SUPER_MAGIC,   SYSFS_MAGIC,	 DEBUGFS_MAGIC,		TRACEFS_MAGIC,
	SECURITYFS_MAGIC,   SELINUX_MAGIC,	 SMACK_MAGIC,		AAFS_MAGIC,
	CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, RDTGROUP_SUPER_MAGIC,	PSTOREFS_MAGIC,
	EFIVARFS_MAGIC,	    BINFMTFS_MAGIC,	 BPF_FS_MAGIC,		XENFS_SUPER_MAGIC,
	DEVPTS_SUPER_MAGIC, NSFS_MAGIC,		 USBDEVICE_SUPER_MAGIC,
};

static bool is_one_of(uint32_t kind, const uint32_t *kinds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (kinds[i] == kind)
			return true;
	return false;
}

enum file_kind file_kind_of(int fd)
{
	struct statfs st;

	if (fstatfs(fd, &st) < 0)
		return FILE_REMOTE;
	if (is_one_of((uint32_t)st.f_type, local, ARRAY_SIZE(local)))
		return FILE_LOCAL;
	return is_one_of((uint32_t)st.f_type, kernels, ARRAY_SIZE(kernels)) ? FILE_KERNEL
									    : FILE_REMOTE;
}
