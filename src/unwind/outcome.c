// SPDX-License-Identifier: Apache-2.0
#include "unwind/outcome.h"

static const char *const texts[WALK_OUTCOME_COUNT] = {
#define OUTCOME(name, text) [WALK_##name] = text,
	WALK_OUTCOMES(OUTCOME)
#undef OUTCOME
};

const char *walk_outcome_text(enum walk_outcome outcome)
{
	return outcome < WALK_OUTCOME_COUNT ? texts[outcome] : "unknown reason";
}
