// SPDX-License-Identifier: Apache-2.0
#include "cmd/probes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "proc/view.h"

void probe_say(struct probe_result *ret, enum probe_status status, const char *format, ...)
{
	va_list list;

	ret->status = status;
	va_start(list, format);
	vsnprintf(ret->detail, sizeof(ret->detail), format, list);
	va_end(list);
}

void probe_fix(struct probe_result *ret, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(ret->fix, sizeof(ret->fix), format, list);
	va_end(list);
}

void probe_fix_as_root(struct probe_result *ret)
{
	if (proc_view_in_user_namespace())
		probe_fix(ret, "sudo profd ..., outside of this user namespace");
	else
		probe_fix(ret, "sudo profd ...");
}

int probe_read_line(char *ret, size_t size, const char *path)
{
	cleanup(bytes_fini) struct bytes text = {};
	int r = fs_read(&text, -1, path, 65536);

	if (r < 0)
		return r;
	if (!bytes_str(&text))
		return -ENOMEM;
	text.at[strcspn(text.at, "\n")] = '\0';
	snprintf(ret, size, "%s", text.at);
	return 0;
}

int probe_read_sysctl(long long *ret, const char *name)
{
	char path[128], line[64], *end;
	int r;

	snprintf(path, sizeof(path), "/proc/sys/kernel/%s", name);
	r = probe_read_line(line, sizeof(line), path);
	if (r < 0)
		return r;
	*ret = strtoll(line, &end, 10); /* perf_event_paranoid may be negative */
	return end == line || *end ? -EINVAL : 0;
}

bool probe_has_capability(unsigned capability)
{
	cleanup(bytes_fini) struct bytes text = {};
	const char *line;

	/* Those of a user namespace are good for what belongs to it, not for the kernel. */
	if (proc_view_in_user_namespace())
		return false;
	/* "CapEff:\t000001ffffffffff", proc(5). */
	if (fs_read(&text, -1, "/proc/self/status", 65536) < 0 || !bytes_str(&text))
		return false;
	line = strstr(text.at, "\nCapEff:");
	return line && (strtoull(line + strlen("\nCapEff:"), NULL, 16) >> capability & 1);
}
