// SPDX-License-Identifier: Apache-2.0
/* speedscope's files: see read_profile.h. */
#include "read_profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_profile(data, size);
	return 0;
}
