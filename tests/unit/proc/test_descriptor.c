// SPDX-License-Identifier: Apache-2.0
/* Lines of the kernel's socket tables, and our own descriptors as the truth. */
#include "test.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "proc/descriptor.h"
#include "proc/stat.h"

static void lines_of_tables_are_read(void **state)
{
	struct socket_name name;

	(void)state;
	assert_true(socket_name_parse(
		&name, "tcp",
		"   0: 0100007F:1F90 0200007F:C001 01 00000000:00000000 00:00000000 00000000  1000  "
		"      0 31337 1 0000000000000000 20 4 30 10 -1"));
	assert_int_equal(name.inode, 31337);
	assert_string_equal(name.text, "tcp 127.0.0.1:8080 -> 127.0.0.2:49153");
	assert_true(socket_name_parse(
		&name, "tcp",
		"  12: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0  "
		"      0 587 1 0000000000000000 100 0 0 10 0"));
	assert_string_equal(name.text, "tcp 0.0.0.0:22");
	assert_true(socket_name_parse(
		&name, "udp6",
		" 9: 00000000000000000000000001000000:0035 00000000000000000000000000000000:0000 07 "
		"00000000:00000000 00:00000000 00000000 0 0 4242 2 0000000000000000 0"));
	assert_int_equal(name.inode, 4242);
	assert_string_equal(name.text, "udp6 [::1]:53");
	assert_true(socket_name_parse(
		&name, "unix", "0000000000000000: 00000002 00000000 00010000 0001 01 99 /run/a b"));
	assert_int_equal(name.inode, 99);
	assert_string_equal(name.text, "unix /run/a b");
	assert_true(
		socket_name_parse(&name, "unix",
				  "0000000000000000: 00000003 00000000 00000000 0001 03   584"));
	assert_string_equal(name.text, "unix");
	assert_true(socket_name_parse(&name, "netlink",
				      "00000000308be65e 0   0   00000000 0 0 0 2 0 77"));
	assert_int_equal(name.inode, 77);
}

static void other_lines_are_passed_over(void **state)
{
	struct socket_name name;

	(void)state;
	assert_false(socket_name_parse(&name, "tcp", ""));
	assert_false(socket_name_parse(&name, "tcp",
				       "  sl  local_address rem_address   st tx_queue rx_queue tr "
				       "tm->when retrnsmt   uid  timeout inode"));
	/* No port; too few digits; no number where the inode is. */
	assert_false(socket_name_parse(&name, "tcp", " 0: 0100007F 0:0 1 2 3 4 5 6 7"));
	assert_false(socket_name_parse(&name, "tcp", " 0: 0100:1 0100007F:0 1 2 3 4 5 6 7"));
	assert_false(socket_name_parse(&name, "tcp", " 0: 0100007F:1 0100007F:0 1 2 3 4 5 6 x"));
	assert_false(socket_name_parse(&name, "unix", "Num       RefCount Protocol"));
	assert_false(socket_name_parse(&name, "netlink", "sk               Eth Pid"));
}

static void assert_described(struct descriptors *descriptors, int fd, const char *want)
{
	cleanup(bytes_fini) struct bytes text = {};

	assert_true(descriptor_describe(descriptors, &text, fd));
	assert_string_equal(bytes_str(&text), want);
}

static void our_own_are_told(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET }, peer;
	struct descriptors descriptors = { .pid = getpid() };
	cleanup(close) int server = socket(AF_INET, SOCK_STREAM, 0);
	cleanup(close) int client = socket(AF_INET, SOCK_STREAM, 0);
	cleanup(bytes_fini) struct bytes nothing = {};
	socklen_t size = sizeof(address);
	char want[128];

	(void)state;
	assert_true(freopen("/dev/null", "r", stdin) != NULL);
	assert_described(&descriptors, fileno(stdin), "/dev/null");
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_ok(bind(server, (struct sockaddr *)&address, size));
	assert_ok(listen(server, 1));
	assert_ok(getsockname(server, (struct sockaddr *)&address, &size));
	assert_ok(connect(client, (struct sockaddr *)&address, size));
	assert_ok(getsockname(client, (struct sockaddr *)&peer, &size));
	snprintf(want, sizeof(want), "tcp 127.0.0.1:%d", ntohs(address.sin_port));
	assert_described(&descriptors, server, want);
	snprintf(want, sizeof(want), "tcp 127.0.0.1:%d -> 127.0.0.1:%d", ntohs(peer.sin_port),
		 ntohs(address.sin_port));
	assert_described(&descriptors, client, want);
	assert_false(descriptor_describe(&descriptors, &nothing, 123456));
	assert_int_equal(nothing.size, 0);
	descriptors_fini(&descriptors);
}

static void what_epoll_watches_is_told(void **state)
{
	struct descriptors descriptors = { .pid = getpid() };
	cleanup(close) int epoll = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLIN };
	int fds[5];
	char want[256], *end = want;

	(void)state;
	assert_described(&descriptors, epoll, "epoll");
	end += sprintf(end, "epoll of ");
	for (int i = 0; i < 5; i++)
		assert_true((fds[i] = eventfd(0, 0)) > epoll);
	/* Whatever order they are added in. */
	for (int i = 4; i >= 0; i--)
		assert_ok(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event));
	for (int i = 0; i < 3; i++)
		end += sprintf(end, "%s%d <anon_inode:[eventfd]>", i ? ", " : "", fds[i]);
	sprintf(end, ", 2 more");
	assert_described(&descriptors, epoll, want);
	for (int i = 0; i < 5; i++)
		close(fds[i]);
	assert_described(&descriptors, epoll, "epoll");
	descriptors_fini(&descriptors);
}

static void peers_of_unix_sockets_are_told(void **state)
{
	struct descriptors descriptors = { .pid = getpid() };
	struct proc_stat self;
	char want[128];
	int pair[2];

	(void)state;
	assert_ok(proc_stat_read(&self, getpid()));
	assert_ok(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	snprintf(want, sizeof(want), "unix -> (%s, pid %d)", self.comm, (int)getpid());
	assert_described(&descriptors, pair[0], want);
	close(pair[1]);
	assert_described(&descriptors, pair[0], "unix");
	close(pair[0]);
	descriptors_fini(&descriptors);
}

static int bind_abstract(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "%s", name);
	assert_ok(bind(fd, (struct sockaddr *)&address,
		       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))));
	return fd;
}

/* The kernel's table has one line a socket, and names as they are. */
static void names_that_forge_lines_are_not_believed(void **state)
{
	enum { FORGERS = 30 };
	struct descriptors descriptors = { .pid = getpid() };
	int fd, forgers[FORGERS];
	struct stat st;
	char name[100];

	(void)state;
	snprintf(name, sizeof(name), "honest %d", (int)getpid());
	fd = bind_abstract(name);
	assert_ok(fstat(fd, &st));
	/* Some of them stand before it. */
	for (int i = 0; i < FORGERS; i++) {
		snprintf(name, sizeof(name), "%d %d\n0: 2 0 0 2 1 %" PRIu64 " /forged", i,
			 (int)getpid(), (uint64_t)st.st_ino);
		forgers[i] = bind_abstract(name);
	}
	snprintf(name, sizeof(name), "unix @honest %d", (int)getpid());
	assert_described(&descriptors, fd, name);
	for (int i = 0; i < FORGERS; i++)
		close(forgers[i]);
	close(fd);
	descriptors_fini(&descriptors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_tables_are_read),
		cmocka_unit_test(other_lines_are_passed_over),
		cmocka_unit_test(our_own_are_told),
		cmocka_unit_test(what_epoll_watches_is_told),
		cmocka_unit_test(peers_of_unix_sockets_are_told),
		cmocka_unit_test(names_that_forge_lines_are_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
