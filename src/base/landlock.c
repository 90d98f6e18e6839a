// SPDX-License-Identifier: Apache-2.0
#include "base/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

/* struct landlock_ruleset_attr as of version 6; older kernels know a beginning of it. */
struct ruleset {
	uint64_t files, network, scopes;
};

int landlock_version(void)
{
	const long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (version < 0)
		return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -errno;
	return (int)version;
}

static int keep(int rules, const struct landlock_place *place)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = place->access };
	cleanup(close) int fd = open(place->path, O_PATH | O_CLOEXEC);
	struct stat status;

	if (fd < 0)
		return place->is_optional ? 0 : -errno;
	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISDIR(status.st_mode))
		rule.allowed_access &= ~(uint64_t)LANDLOCK_ACCESS_FS_READ_DIR;
	rule.parent_fd = fd;
	return syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0
		       ? -errno
		       : 0;
}

int landlock_keep(uint64_t files, uint64_t scopes, const struct landlock_place *places,
		  size_t count)
{
	const struct ruleset handled = { .files = files, .scopes = scopes };
	const size_t size = scopes ? sizeof(handled) : offsetof(struct ruleset, network);
	cleanup(close) int rules = (int)syscall(SYS_landlock_create_ruleset, &handled, size, 0);
	int r = rules < 0 ? -errno : 0;

	for (size_t i = 0; i < count && r == 0; i++)
		r = keep(rules, &places[i]);
	if (r == 0 && syscall(SYS_landlock_restrict_self, rules, 0) < 0)
		r = -errno;
	return r;
}
