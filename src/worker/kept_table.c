// SPDX-License-Identifier: Apache-2.0
#include "worker/kept_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/hash.h"
#include "worker/answers.h"

enum {
	/* Of a file. A browser's table has 5 MB. */
	MAX_BYTES = 32 << 20,
	/* To find and to read a file takes as long as to compile what makes half of this. */
	WORTH_BYTES = 16 << 10,
};
#define WORTH_NS 1000000ULL

/* Whether it is an answer as whoever asks for one takes it. */
static int check(const unsigned char *data, size_t size)
{
	struct table_figures figures;
	struct unwind_table table = {};
	int r = answer_table(&table, &figures, data, size);

	unwind_table_fini(&table);
	/* Nothing is no table. */
	return r > 0 ? -EBADMSG : r;
}

int kept_table_read(struct bytes *ret, int fd, uint64_t offset)
{
	cleanup(free) unsigned char *bytes = NULL;
	uint64_t sum;
	struct stat st;
	size_t size;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || offset > INT64_MAX || st.st_size < (off_t)offset ||
	    st.st_size - (off_t)offset > MAX_BYTES ||
	    st.st_size - (off_t)offset < (off_t)sizeof(sum))
		return -EBADMSG;
	size = (size_t)(st.st_size - (off_t)offset) - sizeof(sum);
	bytes = malloc(size + sizeof(sum));
	if (!bytes)
		return -ENOMEM;
	r = fs_read_at(fd, bytes, size + sizeof(sum), (off_t)offset);
	if (r < 0)
		return r;
	memcpy(&sum, bytes, sizeof(sum));
	if (sum != hash_bytes(bytes + sizeof(sum), size))
		return -EBADMSG;
	r = check(bytes + sizeof(sum), size);
	if (r < 0)
		return r;
	bytes_add(ret, bytes + sizeof(sum), size);
	return ret->failed ? -ENOMEM : 0;
}

bool kept_table_is_worth_it(size_t size, uint64_t used_ns)
{
	return size <= MAX_BYTES - sizeof(uint64_t) && (size >= WORTH_BYTES || used_ns >= WORTH_NS);
}

int kept_table_write(struct bytes *ret, const unsigned char *data, size_t size)
{
	uint64_t sum = hash_bytes(data, size);

	bytes_add(ret, &sum, sizeof(sum));
	bytes_add(ret, data, size);
	return ret->failed ? -ENOMEM : 0;
}
