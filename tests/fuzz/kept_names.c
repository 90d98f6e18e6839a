// SPDX-License-Identifier: Apache-2.0
/*
 * What an earlier recording has kept: whatever is in the file, extents and nodes stay in their bounds,
 * and what is written again tells the same.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "fuzz.h"
#include "symbol/kept_names.h"

static void read_bytes(struct kept_names *ret, struct strtab *texts, const void *data, size_t size,
		       bool must)
{
	int fd = memfd_create("kept", MFD_CLOEXEC), r;

	FUZZ_CHECK(fd >= 0 && strtab_init(texts) == 0 && fs_write_all(fd, data, size) == 0);
	r = kept_names_read(ret, fd, 0, texts);
	FUZZ_CHECK(r == 0 || (!must && ret->extents.count == 0));
	close(fd);
}

static int find(const struct kept_names *kept, uint64_t address, struct source_frames *ret)
{
	const struct kept_node *root = NULL;
	int r = kept_names_find(kept, address, ret, &root);

	FUZZ_CHECK(r < 0 || (ret->count > 0 && root));
	return r;
}

static void check_same(const struct kept_names *a, const struct kept_names *b, uint64_t address)
{
	struct source_frames of_a = {}, of_b = {};

	FUZZ_CHECK(find(a, address, &of_a) == find(b, address, &of_b));
	FUZZ_CHECK(of_a.count == of_b.count);
	for (uint32_t i = 0; i < of_a.count; i++)
		FUZZ_CHECK(of_a.at[i].line == of_b.at[i].line &&
			   strcmp(strtab_get(a->texts, of_a.at[i].name),
				  strtab_get(b->texts, of_b.at[i].name)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kept_names kept, again;
	struct strtab texts, others;
	struct bytes written = {};

	read_bytes(&kept, &texts, data, size, false);
	kept_names_settle(&kept);
	FUZZ_CHECK(kept_names_write(&kept, &written) == 0);
	read_bytes(&again, &others, written.at, written.size, true);
	FUZZ_CHECK(kept.extents.count == again.extents.count);
	for (uint32_t i = 0; i < kept.extents.count; i++) {
		const struct kept_extent *extent = &kept.extents.at[i];

		check_same(&kept, &again, extent->start);
		check_same(&kept, &again, extent->start + extent->size - 1);
		check_same(&kept, &again, extent->start + extent->size);
	}
	bytes_fini(&written);
	kept_names_fini(&kept);
	kept_names_fini(&again);
	strtab_fini(&texts);
	strtab_fini(&others);
	return 0;
}
