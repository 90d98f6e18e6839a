// SPDX-License-Identifier: Apache-2.0
#include "base/pattern.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* Enough for any name that is one; a hostile one ends after some milliseconds. */
enum { MATCH_STEPS_MAX = 100000, MATCH_KIBIBYTES_MAX = 1024, EXPRESSION_BYTES_MAX = 4096 };

struct pattern {
	pcre2_code *code;
	pcre2_match_data *match;
	pcre2_match_context *limits;
};

static int explain(struct pattern_reason *reason, int error, size_t offset)
{
	unsigned char text[128];

	if (error == PCRE2_ERROR_NOMEMORY || error == PCRE2_ERROR_HEAP_FAILED)
		return -ENOMEM;
	if (pcre2_get_error_message(error, text, sizeof(text)) < 0)
		memcpy(text, "not understood", sizeof("not understood"));
	snprintf(reason->text, sizeof(reason->text), "%s at offset %zu", text, offset);
	return -EINVAL;
}

int pattern_new(struct pattern **ret, const char *expression, bool ignore_case,
		struct pattern_reason *reason)
{
	cleanup(pattern_free) struct pattern *pattern = calloc(1, sizeof(*pattern));
	uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | (ignore_case ? PCRE2_CASELESS : 0);
	size_t offset = 0, size = strlen(expression);
	int error = 0;

	*reason = (struct pattern_reason){};
	if (!pattern)
		return -ENOMEM;
	if (size > EXPRESSION_BYTES_MAX) {
		snprintf(reason->text, sizeof(reason->text), "longer than %d bytes",
			 EXPRESSION_BYTES_MAX);
		return -EINVAL;
	}
	pattern->code = pcre2_compile((const unsigned char *)expression, size, options, &error,
				      &offset, NULL);
	if (!pattern->code)
		return explain(reason, error, offset);
	pattern->match = pcre2_match_data_create(1, NULL);
	pattern->limits = pcre2_match_context_create(NULL);
	if (!pattern->match || !pattern->limits)
		return -ENOMEM;
	pcre2_set_match_limit(pattern->limits, MATCH_STEPS_MAX);
	pcre2_set_heap_limit(pattern->limits, MATCH_KIBIBYTES_MAX);
	*ret = TAKE_PTR(pattern);
	return 0;
}

void pattern_free(struct pattern *pattern)
{
	if (!pattern)
		return;
	pcre2_match_context_free(pattern->limits);
	pcre2_match_data_free(pattern->match);
	pcre2_code_free(pattern->code);
	free(pattern);
}

bool pattern_find(struct pattern *pattern, const char *text, size_t *ret_begin, size_t *ret_end)
{
	const size_t *span;

	if (pcre2_match(pattern->code, (const unsigned char *)text, strlen(text), 0, 0,
			pattern->match, pattern->limits) < 0)
		return false;
	span = pcre2_get_ovector_pointer(pattern->match);
	*ret_begin = span[0];
	/* \K in a look-behind can put the beginning behind the end. */
	*ret_end = span[1] < span[0] ? span[0] : span[1];
	return true;
}

bool pattern_matches(struct pattern *pattern, const char *text)
{
	size_t begin, end;

	return pattern_find(pattern, text, &begin, &end);
}
