/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the kernel's system calls, as the headers that profd is built with have them. */
#pragma once

#include <stdint.h>

/* "read"; NULL: no such number is known. */
const char *system_call_name(int64_t number);
