// SPDX-License-Identifier: Apache-2.0
#include "proc/system_calls.h"

#include <stddef.h>

#include "base/cleanup.h"

static const char *const names[] = {
#include "system_call_names.h"
};

const char *system_call_name(int64_t number)
{
	return number >= 0 && (uint64_t)number < ARRAY_SIZE(names) ? names[number] : NULL;
}
