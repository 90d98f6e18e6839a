/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka with the headers it wants, and asserts that read like the house's results. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define assert_ok(result) assert_int_equal((result), 0)
#define assert_errno(result, code) assert_int_equal((result), -(code))
