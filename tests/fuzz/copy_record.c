// SPDX-License-Identifier: Apache-2.0
/* Samples of perf's, with each layout that is asked for. */
#include "source/copy_record.h"

#include <linux/perf_event.h>
#include <string.h>

#include "fuzz.h"

static _Alignas(8) unsigned char place[COPY_SAMPLE_BYTES_MAX];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_sample *sample = (struct wire_sample *)(void *)place;

	if (size > 65535) /* of a record's header, 16 bits */
		return 0;
	for (unsigned i = 0; i < 16; i++) {
		struct copy_layout layout = { i & 1, i & 2, i & 4, i & 8, i & 8 };
		struct copy_origin origin;
		size_t bytes = copy_record_parse(sample, &origin, data, size, &layout);

		FUZZ_CHECK(bytes == 0 ||
			   bytes == sizeof(*sample) +
					    8UL * (sample->kernel_count + sample->user_count) +
					    sample->stack_bytes);
		FUZZ_CHECK(bytes <= sizeof(place));
		FUZZ_CHECK(bytes == 0 || (sample->kernel_count <= WIRE_MAX_KERNEL_FRAMES &&
					  sample->user_count <= WIRE_MAX_FRAMES &&
					  sample->outcome < WALK_OUTCOME_COUNT));
	}
	return 0;
}
