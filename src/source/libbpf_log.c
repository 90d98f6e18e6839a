// SPDX-License-Identifier: Apache-2.0
#include "source/libbpf_log.h"

#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"

/* The verifier's log is one text of many lines. */
__attribute__((format(printf, 2, 0))) static int libbpf_to_log(enum libbpf_print_level level,
							       const char *format, va_list list)
{
	cleanup(free) char *text = NULL;

	if (level > LIBBPF_INFO || log_get_level() < LOG_DEBUG)
		return 0;
	if (vasprintf(&text, format, list) < 0) {
		text = NULL;
		return 0;
	}
	for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
		if (*line)
			log_debug("%s", line);
	return 0;
}

void libbpf_log(void)
{
	libbpf_set_print(libbpf_to_log);
}
