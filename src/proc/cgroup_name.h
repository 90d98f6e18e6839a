/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the path of a control group says about who runs in it: systemd's unit (systemd's
 * docs/CGROUP_DELEGATION.md: folders are called like units), the container's id, which its runtime
 * makes part of the folder's name, and the pod of Kubernetes. No runtime is asked.
 */
#pragma once

#include <stdbool.h>

enum { CGROUP_NAME_BYTES = 256 };

struct cgroup_identity {
	char unit[CGROUP_NAME_BYTES]; /* "nginx.service", the innermost; "": none */
	char container
		[CGROUP_NAME_BYTES]; /* 64 hexadecimal digits, or a name (LXC, nspawn); "": none */
	char pod[37];		     /* a UUID; "": none */
};

/* path: as /proc/PID/cgroup writes it, "/system.slice/nginx.service". Pure. */
void cgroup_identify(struct cgroup_identity *ret, const char *path);

/*
 * The container that one folder of a path stands for: "docker-HEX.scope", "cri-containerd-HEX.scope",
 * "crio-HEX.scope", "libpod-HEX.scope", "HEX" (runtimes without systemd), "lxc.payload.NAME",
 * "machine-NAME.scope". Returns false when it stands for none.
 */
bool cgroup_container_of(char ret[CGROUP_NAME_BYTES], const char *folder);
/* Whether one folder of a path is a unit's: it ends as units do that hold processes. */
bool cgroup_is_unit(const char *folder);
/* "a\x2db" → "a-b", as systemd-escape(1) does it; in place. */
void cgroup_unescape(char *name);
