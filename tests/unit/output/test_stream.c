// SPDX-License-Identifier: Apache-2.0
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "output/stream.h"

static void memory_collects_everything(void **state)
{
	struct stream stream;
	char *large = malloc(3000);

	(void)state;
	assert_non_null(large);
	memset(large, 'y', 2999);
	large[2999] = '\0';
	stream_init(&stream, -1);
	stream_str(&stream, "a");
	stream_write(&stream, "\0b", 2);
	stream_format(&stream, "%d-%s", 42, large); /* longer than its buffer on the stack */
	assert_ok(stream_finish(&stream));
	assert_int_equal(stream.written, 3 + 3 + 2999);
	assert_int_equal(stream.buffer.size, stream.written);
	assert_memory_equal(stream.buffer.at, "a\0b42-yyy", 9);
	stream_fini(&stream);
	free(large);
}

static void descriptor_gets_everything(void **state)
{
	struct stream stream;
	char path[] = "/tmp/profd-stream-XXXXXX", block[1000];
	int fd = mkstemp(path);
	off_t size;

	(void)state;
	assert_true(fd >= 0);
	unlink(path);
	memset(block, 'z', sizeof(block));
	stream_init(&stream, fd);
	for (unsigned i = 0; i < 1000; i++)
		stream_write(&stream, block, sizeof(block));
	assert_true(stream.buffer.size < 500000); /* it does not wait for the end */
	assert_ok(stream_finish(&stream));
	size = lseek(fd, 0, SEEK_END);
	assert_int_equal(size, 1000000);
	assert_int_equal(stream.written, 1000000);
	stream_fini(&stream);
	close(fd);
}

static void the_first_failure_is_kept(void **state)
{
	struct stream stream;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	if (fd < 0)
		skip();
	stream_init(&stream, fd);
	stream_str(&stream, "no room");
	assert_errno(stream_finish(&stream), ENOSPC);
	stream_str(&stream, "more");
	assert_errno(stream_finish(&stream), ENOSPC);
	stream_fini(&stream);
	close(fd);
}

static void gzip_is_whole_and_the_same_each_time(void **state)
{
	struct stream one, two;
	size_t size = 1 << 20;
	char *data = malloc(size), *back = malloc(size);
	z_stream z = {};

	(void)state;
	assert_non_null(data);
	assert_non_null(back);
	for (size_t i = 0; i < size; i++)
		data[i] = (char)(i * 2654435761U >> 13);
	stream_init(&one, -1);
	stream_init(&two, -1);
	stream_gzip(&one, data, size);
	stream_gzip(&two, data, size);
	assert_ok(stream_finish(&one));
	assert_int_equal(one.written, two.written);
	assert_memory_equal(one.buffer.at, two.buffer.at, one.written);
	assert_memory_equal(one.buffer.at + 4, "\0\0\0\0", 4); /* RFC 1952: MTIME */
	z.next_in = (unsigned char *)one.buffer.at;
	z.avail_in = (uInt)one.buffer.size;
	z.next_out = (unsigned char *)back;
	z.avail_out = (uInt)size;
	assert_int_equal(inflateInit2(&z, 16 + MAX_WBITS), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	inflateEnd(&z);
	assert_memory_equal(back, data, size);
	stream_fini(&one);
	stream_fini(&two);
	stream_init(&one, -1);
	stream_gzip(&one, NULL, 0); /* an empty member is a member */
	assert_true(one.written > 18);
	stream_fini(&one);
	free(data);
	free(back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_collects_everything),
		cmocka_unit_test(descriptor_gets_everything),
		cmocka_unit_test(the_first_failure_is_kept),
		cmocka_unit_test(gzip_is_whole_and_the_same_each_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
