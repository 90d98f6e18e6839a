// SPDX-License-Identifier: Apache-2.0
#include "session/complain.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "proc/view.h"

static const char *advice(int r)
{
	if (r != -EPERM && r != -EACCES)
		return "";
	if (proc_view_in_user_namespace())
		return "; run it as root outside of this user namespace, whose root may not";
	if (geteuid() == 0)
		return "; see 'profd doctor' for what root lacks here";
	return "; run it as root, and see 'profd doctor' for what is missing";
}

int session_complain(const char *doing, int r, const char *what)
{
	log_error("cannot %s: %s: %s%s", doing, what, strerror(-r), advice(r));
	return r;
}

int session_check_view(const char *doing, bool *pids_differ)
{
	int r = proc_view_check(pids_differ);

	if (r < 0)
		return session_complain(doing, r, "cannot read /proc");
	if (r == PROC_VIEW_NOT_MOUNTED)
		log_error("cannot %s: /proc is not mounted; try: mount -t proc proc /proc", doing);
	else if (r == PROC_VIEW_FOREIGN)
		log_error("cannot %s: /proc shows another pid namespace than profd's own; enter "
			  "both with nsenter -m -p, or mount its own with unshare --mount-proc",
			  doing);
	return r == 0 ? 0 : -ENXIO;
}
