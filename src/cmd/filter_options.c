// SPDX-License-Identifier: Apache-2.0
#include "cmd/filter_options.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

int filter_options_set(struct filter *filter, enum filter_kind kind, const char *argument,
		       struct options_reason *reason)
{
	struct pattern_reason why;
	int r = filter_set(filter, kind, argument, &why);

	return r == -EINVAL ? options_bad(reason, "%s", why.text) : r;
}

static void warn(const bool *matched)
{
	static const char *const names[FILTER_KINDS] = {
		[FILTER_FOCUS] = "focus",
		[FILTER_IGNORE] = "ignore",
		[FILTER_HIDE] = "hide",
		[FILTER_SHOW] = "show",
		[FILTER_SHOW_FROM] = "show-from",
		[FILTER_TAG_FOCUS] = "tagfocus",
		[FILTER_TAG_IGNORE] = "tagignore",
	};

	for (unsigned i = 0; i < FILTER_KINDS; i++)
		if (!matched[i])
			log_warning("--%s matches nothing", names[i]);
}

static int apply(struct profile **profile, const struct filter *filter, bool *matched)
{
	bool matched_here[FILTER_KINDS];
	struct profile *left;
	int r = profile_filter(&left, *profile, filter, matched_here);

	if (r < 0) {
		log_error("cannot choose a part of the profile: %s", strerror(-r));
		return r;
	}
	for (unsigned i = 0; i < FILTER_KINDS; i++)
		matched[i] |= matched_here[i];
	profile_free(*profile);
	*profile = left;
	return 0;
}

int filter_options_apply(struct profile **profiles, uint32_t count, const struct filter *filter)
{
	bool matched[FILTER_KINDS] = {};
	int r = 0;

	if (filter_is_empty(filter))
		return 0;
	for (uint32_t i = 0; r == 0 && i < count; i++)
		r = apply(&profiles[i], filter, matched);
	if (r == 0)
		warn(matched);
	return r;
}
