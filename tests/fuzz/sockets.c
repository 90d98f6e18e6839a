// SPDX-License-Identifier: Apache-2.0
/* Lines of /proc/PID/net, where unix sockets have paths that anybody may choose. */
#include "proc/descriptor.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const tables[] = { "tcp", "tcp6", "udp", "udp6", "unix", "netlink" };
	struct socket_name name;
	char *line;

	if (size == 0)
		return 0;
	line = malloc(size);
	if (!line)
		return 0;
	memcpy(line, data + 1, size - 1);
	line[size - 1] = '\0';
	if (socket_name_parse(&name, tables[data[0] % 6], line)) {
		FUZZ_CHECK(strnlen(name.text, sizeof(name.text)) < sizeof(name.text));
		FUZZ_CHECK(name.text[0] && !strchr(name.text, '\n'));
	}
	free(line);
	return 0;
}
