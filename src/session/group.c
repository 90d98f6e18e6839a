// SPDX-License-Identifier: Apache-2.0
#include "session/group.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "proc/cgroup.h"
#include "proc/cgroup_find.h"

const char *group_option(enum target_group is)
{
	static const char *const options[] = {
		[GROUP_PATH] = "cgroup",
		[GROUP_UNIT] = "unit",
		[GROUP_CONTAINER] = "container",
	};

	return options[is];
}

static const char *cgroup_text(int r)
{
	switch (r) {
	case CGROUP_OF_VERSION_1:
		return "it is a group of version 1; only version 2 is known";
	case CGROUP_OUTSIDE:
		return "it is outside of this cgroup namespace; run profd on the host";
	case -ENOENT:
		return "there is no such control group (version 2)";
	case -ENODEV:
		return "no cgroup2 file system is mounted";
	default:
		return strerror(-r);
	}
}

static const char *nothing_text(enum target_group is)
{
	return is == GROUP_UNIT ? "no control group (version 2) is called so; is the unit active?"
				: "no control group (version 2) is that of such a container";
}

/* The group that has this name. Logs. */
static int find(struct bytes *ret, const struct target *target)
{
	int r = cgroup_find_here(ret,
				 target->group_is == GROUP_UNIT ? CGROUP_UNIT : CGROUP_CONTAINER,
				 target->group);
	const char *option = group_option(target->group_is);

	if (r == 0 && bytes_str(ret))
		return 0;
	if (r == CGROUP_AMBIGUOUS && bytes_str(ret))
		log_error("cannot use --%s '%s': there are several, choose with --cgroup: %s",
			  option, target->group, ret->at);
	else
		log_error("cannot use --%s '%s': %s", option, target->group,
			  r == -ENOENT ? nothing_text(target->group_is) : cgroup_text(r));
	return r < 0 ? r : -EINVAL;
}

int group_open(int *ret, const struct target *target)
{
	cleanup(bytes_fini) struct bytes path = {};
	int r = target->group_is == GROUP_PATH ? 0 : find(&path, target);

	if (r < 0)
		return r;
	r = cgroup_open(ret, target->group_is == GROUP_PATH ? target->group : path.at);
	if (r == 0)
		return 0;
	log_error("cannot use --%s '%s': %s", group_option(target->group_is), target->group,
		  cgroup_text(r));
	return r < 0 ? r : -EINVAL;
}
