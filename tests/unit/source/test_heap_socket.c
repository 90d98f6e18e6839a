// SPDX-License-Identifier: Apache-2.0
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* How the library calls. */
#include "preload/region.c"
#include "source/heap_region.h"
#include "source/heap_socket.h"

#define SECOND 1000000000ULL

static void takes_regions_in_order(void **state)
{
	struct heap_socket socket;
	struct region_wish wish = { .nonce = 1, .interval = 4096, .told = socket.told };
	struct heap_header *regions[20];
	int fd;
	pid_t pid;

	(void)state;
	assert_ok(heap_socket_open(&socket));
	assert_int_equal(heap_socket_take(&socket, SECOND, &fd, &pid), 0);
	for (unsigned i = 0; i < 20; i++) {
		wish.nonce = i + 1;
		regions[i] = region_new(&wish);
		assert_non_null(regions[i]);
		assert_int_equal(regions[i]->enabled, 1);
	}
	for (unsigned i = 0; i < 20; i++) {
		struct heap_region region;

		assert_int_equal(heap_socket_take(&socket, SECOND, &fd, &pid), 1);
		assert_int_equal(pid, getpid());
		assert_ok(heap_region_open(&region, fd, pid));
		assert_int_equal(region.nonce, i + 1);
		assert_ok(heap_region_switch(&region, false, 0));
		assert_int_equal(regions[i]->enabled, 0);
		heap_region_close(&region);
		region_free(regions[i]);
	}
	assert_int_equal(heap_socket_take(&socket, SECOND, &fd, &pid), 0);
	heap_socket_close(&socket);
}

static void knows_who_has_the_token(void **state)
{
	struct heap_socket socket;
	char other[sizeof(socket.told)];
	struct region_wish wish = { .nonce = 1, .interval = 4096, .told = other };
	struct heap_header *region;
	int fd;
	pid_t pid;

	(void)state;
	assert_ok(heap_socket_open(&socket));
	memcpy(other, socket.told, sizeof(other));
	other[strlen(other) - 1] ^= 1;
	region = region_new(&wish);
	assert_non_null(region);
	assert_int_equal(heap_socket_take(&socket, SECOND, &fd, &pid), 0);
	assert_int_equal(socket.callers.count, 0);
	region_free(region);
	/* Nobody listens there: the region waits to be found. */
	heap_socket_close(&socket);
	region = region_new(&wish);
	assert_non_null(region);
	assert_int_equal(region->enabled, 0);
	region_free(region);
}

static void waits_for_what_is_said(void **state)
{
	struct heap_socket socket;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t size;
	int caller, fd;
	pid_t pid;

	(void)state;
	assert_ok(heap_socket_open(&socket));
	size = strcspn(socket.told, "/");
	memcpy(address.sun_path + 1, socket.told, size);
	caller = (int)SYSTEM_CALL_3(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_true(caller >= 0);
	assert_ok(connect(caller, (struct sockaddr *)&address,
			  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + size)));
	assert_int_equal(heap_socket_take(&socket, SECOND, &fd, &pid), 0);
	assert_int_equal(socket.callers.count, 1);
	assert_int_equal(heap_socket_take(&socket, 4 * SECOND, &fd, &pid), 0);
	assert_int_equal(socket.callers.count, 0);
	close(caller);
	heap_socket_close(&socket);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_regions_in_order),
		cmocka_unit_test(knows_who_has_the_token),
		cmocka_unit_test(waits_for_what_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
