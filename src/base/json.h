/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON (RFC 8259), written as it is told.
 *
 *     struct json json = json_to(&bytes);
 *     json_object(&json, NULL);
 *     json_u64(&json, "schema_version", 1);
 *     json_end(&json);
 *
 * Texts come from targets: every one is escaped, and bytes that are not UTF-8 become U+FFFD, so
 * that the result is always valid. `key` is NULL for elements of arrays and for the outermost
 * value. Deeper than JSON_MAX_DEPTH, out of memory and unbalanced ends set bytes->failed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum { JSON_MAX_DEPTH = 64 };

struct json {
	struct bytes *bytes;
	uint64_t is_array, has_element; /* bit i: of the value open at depth i */
	unsigned depth;
};

struct json json_to(struct bytes *bytes);

/* Open values; json_end closes the innermost one, and the outermost one with a newline. */
void json_object(struct json *json, const char *key);
void json_array(struct json *json, const char *key);
void json_end(struct json *json);

/* text: NULL is null. */
void json_string(struct json *json, const char *key, const char *text);
void json_u64(struct json *json, const char *key, uint64_t value);
void json_i64(struct json *json, const char *key, int64_t value);
/* The shortest decimal number that reads back as `value`; null for infinities and NaN. */
void json_double(struct json *json, const char *key, double value);
void json_bool(struct json *json, const char *key, bool value);
