// SPDX-License-Identifier: Apache-2.0
/*
 * An unwind table that was kept: whatever is in the file, what is read of it is an answer that is taken, and
 * nothing else comes out. The sum in front, which hardly any mutation would have right, is made right.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "fuzz.h"
#include "worker/answers.h"
#include "worker/kept_table.h"

static void check_read(const struct bytes *file, bool must)
{
	int fd = memfd_create("kept", MFD_CLOEXEC), r;
	struct table_figures figures;
	struct unwind_table table = {};
	struct bytes answer = {}, again = {};

	FUZZ_CHECK(fd >= 0 && fs_write_all(fd, file->at, file->size) == 0);
	r = kept_table_read(&answer, fd, 0);
	close(fd);
	FUZZ_CHECK(r == 0 ? answer.size > 0 : answer.size == 0);
	FUZZ_CHECK(r == 0 || !must);
	if (r == 0) {
		FUZZ_CHECK(answer_table(&table, &figures, (const void *)answer.at, answer.size) ==
			   0);
		FUZZ_CHECK(kept_table_write(&again, (const void *)answer.at, answer.size) == 0);
		FUZZ_CHECK(again.size == file->size && memcmp(again.at, file->at, again.size) == 0);
	}
	unwind_table_fini(&table);
	bytes_fini(&again);
	bytes_fini(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes file = {}, summed = {};
	struct table_figures figures;
	struct unwind_table table = {};
	const uint8_t *answer = data + sizeof(uint64_t);
	unsigned char *aligned;

	bytes_add(&file, data, size);
	check_read(&file, false);
	bytes_fini(&file);
	if (size <= sizeof(uint64_t))
		return 0;
	size -= sizeof(uint64_t);
	aligned = malloc(size);
	FUZZ_CHECK(aligned);
	memcpy(aligned, answer, size);
	FUZZ_CHECK(kept_table_write(&summed, aligned, size) == 0);
	check_read(&summed, answer_table(&table, &figures, aligned, size) == 0);
	unwind_table_fini(&table);
	bytes_fini(&summed);
	free(aligned);
	return 0;
}
