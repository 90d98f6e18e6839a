// SPDX-License-Identifier: Apache-2.0
#include "server/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/parse.h"

enum { BACKLOG = 128 };

static int fail(int error, struct bytes *why, const char *what, const char *name)
{
	bytes_add_format(why, "%s %s: %s", what, name, strerror(-error));
	return error;
}

/* ---- Unix ---- */

static int make_folder_above(const char *path)
{
	const char *slash = strrchr(path, '/');
	cleanup(free) char *folder = NULL;

	if (!slash || slash == path)
		return 0;
	folder = strndup(path, (size_t)(slash - path));
	if (!folder)
		return -ENOMEM;
	return mkdir(folder, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

/* Removes a socket whose daemon is gone. Returns 0, or -EADDRINUSE. */
static int remove_stale(const struct sockaddr_un *address)
{
	cleanup(close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat status;

	if (fd < 0)
		return -errno;
	if (lstat(address->sun_path, &status) < 0)
		return errno == ENOENT ? 0 : -errno;
	/* A file that is something else is not ours to remove. */
	if (!S_ISSOCK(status.st_mode))
		return -EEXIST;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
	    errno != ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(address->sun_path) < 0 ? -errno : 0;
}

/* Returns whether the group may use the socket now. */
static bool give_to_group(const char *path, const char *name)
{
	const struct group *group = name && *name ? getgrnam(name) : NULL;

	return group && chown(path, (uid_t)-1, group->gr_gid) == 0 && chmod(path, 0660) == 0;
}

int listen_unix(const char *path, const char *group, bool *ret_group_is_missing, struct bytes *why)
{
	cleanup(close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	mode_t mask;
	int r;

	if (fd < 0)
		return fail(-errno, why, "socket", path);
	if (strlen(path) >= sizeof(address.sun_path))
		return fail(-ENAMETOOLONG, why, "socket", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	r = make_folder_above(path);
	if (r == 0)
		r = remove_stale(&address);
	if (r == -EADDRINUSE) {
		bytes_add_format(why, "another daemon answers on %s", path);
		return r;
	}
	if (r < 0)
		return fail(r, why, "socket", path);
	/* Nobody else may connect in the moment before it is given to the group. */
	mask = umask(0177);
	r = bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	(void)umask(mask);
	if (r < 0)
		return fail(r, why, "socket", path);
	*ret_group_is_missing = !give_to_group(path, group);
	if (listen(fd, BACKLOG) < 0) {
		r = fail(-errno, why, "socket", path);
		(void)unlink(path);
		return r;
	}
	return TAKE_FD(fd);
}

/* ---- TCP ---- */

int listen_parse(struct sockaddr_storage *ret, socklen_t *ret_size, const char *text)
{
	const char *colon = strrchr(text, ':');
	struct sockaddr_storage address = {};
	char host[INET6_ADDRSTRLEN];
	uint64_t port;
	size_t size;

	if (!colon || !colon[1] || colon[1 + strspn(colon + 1, "0123456789")] ||
	    parse_u64(&port, colon + 1, UINT16_MAX) != 0)
		return -EINVAL;
	size = (size_t)(colon - text);
	if (size >= 2 && *text == '[' && text[size - 1] == ']') {
		struct sockaddr_in6 *six = (struct sockaddr_in6 *)&address;

		if (size - 2 >= sizeof(host))
			return -EINVAL;
		memcpy(host, text + 1, size - 2);
		host[size - 2] = '\0';
		six->sin6_family = AF_INET6;
		six->sin6_port = htons((uint16_t)port);
		if (inet_pton(AF_INET6, host, &six->sin6_addr) != 1)
			return -EINVAL;
		*ret_size = sizeof(*six);
	} else {
		struct sockaddr_in *four = (struct sockaddr_in *)&address;

		if (size >= sizeof(host))
			return -EINVAL;
		memcpy(host, text, size);
		host[size] = '\0';
		if (strcmp(host, "localhost") == 0)
			memcpy(host, "127.0.0.1", sizeof("127.0.0.1"));
		four->sin_family = AF_INET;
		four->sin_port = htons((uint16_t)port);
		if (inet_pton(AF_INET, host, &four->sin_addr) != 1)
			return -EINVAL;
		*ret_size = sizeof(*four);
	}
	*ret = address;
	return 0;
}

bool listen_is_loopback(const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
	return address->ss_family == AF_INET &&
	       ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
}

static unsigned port_of(int fd)
{
	struct sockaddr_storage address = {};
	socklen_t size = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		return 0;
	return ntohs(address.ss_family == AF_INET6
			     ? ((const struct sockaddr_in6 *)&address)->sin6_port
			     : ((const struct sockaddr_in *)&address)->sin_port);
}

int listen_tcp(const char *text, bool has_token, unsigned *ret_port, struct bytes *why)
{
	struct sockaddr_storage address;
	cleanup(close) int fd = -1;
	const int on = 1;
	socklen_t size;

	if (listen_parse(&address, &size, text) < 0) {
		bytes_add_format(why, "%s is not an address like 127.0.0.1:7878 or [::1]:7878",
				 text);
		return -EINVAL;
	}
	if (!listen_is_loopback(&address) && !has_token) {
		bytes_add_format(why,
				 "%s can be reached from other machines: that needs a token file",
				 text);
		return -EINVAL;
	}
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (address.ss_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
	    bind(fd, (const struct sockaddr *)&address, size) < 0 || listen(fd, BACKLOG) < 0)
		return fail(-errno, why, "listening on", text);
	*ret_port = port_of(fd);
	return TAKE_FD(fd);
}
