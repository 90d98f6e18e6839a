// SPDX-License-Identifier: Apache-2.0
#include "profile/drop_frames.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/pattern.h"

int drop_frames_find(bool **ret, const struct call_tree *tree)
{
	const char *expression = profile_text(tree->profile, tree->profile->meta.drop_frames);
	cleanup(pattern_free) struct pattern *pattern = NULL;
	cleanup(bytes_fini) struct bytes whole = {};
	struct pattern_reason reason;
	bool *dropped;
	int r;

	*ret = NULL;
	if (!*expression)
		return 0;
	bytes_add_format(&whole, "^(?:%s)$", expression);
	r = bytes_str(&whole) ? pattern_new(&pattern, whole.at, false, &reason) : -ENOMEM;
	if (r < 0)
		return r == -EINVAL ? 0 : r;
	dropped = calloc(tree->frames.count + 1ULL, sizeof(*dropped));
	if (!dropped)
		return -ENOMEM;
	for (uint32_t i = 0; i < tree->frames.count; i++)
		dropped[i] = tree->frames.at[i].kind < CALL_ALL &&
			     pattern_matches(pattern, call_frame_name(tree, &tree->frames.at[i]));
	*ret = dropped;
	return 0;
}
