// SPDX-License-Identifier: Apache-2.0
/* Records of the process event ring. */
#include "fuzz.h"

#include <string.h>

#include "source/lifecycle_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lifecycle_event event;

	if (lifecycle_record_parse(&event, data, size)) {
		FUZZ_CHECK(event.type <= LIFECYCLE_LOST);
		FUZZ_CHECK(strlen(event.text) < size);
	}
	return 0;
}
