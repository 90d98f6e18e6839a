// SPDX-License-Identifier: Apache-2.0
/* Which values of the inputs are compared. */
#include "diff/merge.h"

#include <stdio.h>
#include <string.h>

#include "profile/weights.h"

/* Whether all have the type that one shows, and takes it. */
static bool agree_on(struct diff_input *inputs, uint32_t count, const char *name, const char *unit)
{
	uint32_t found = 0;

	for (int apply = 0; apply < 2; apply++) {
		if (apply && found < count)
			return false;
		for (uint32_t i = 0; i < count; i++) {
			const struct profile *profile = inputs[i].profile;

			for (uint32_t t = 0; t < profile->types.count; t++) {
				const struct profile_type *type = &profile->types.at[t];

				if (strcmp(profile_text(profile, type->name), name) != 0 ||
				    strcmp(profile_text(profile, type->unit), unit) != 0)
					continue;
				if (apply)
					inputs[i].type = t;
				found++;
				break;
			}
		}
	}
	return true;
}

static int choose_types(struct diff_input *inputs, uint32_t count, bool is_chosen,
			struct diff_reason *reason)
{
	uint32_t other = 1;

	for (uint32_t i = 0; i < count && !is_chosen; i++)
		if (agree_on(inputs, count, diff_input_type(&inputs[i]),
			     diff_input_unit(&inputs[i])))
			return 0;
	while (other < count &&
	       strcmp(diff_input_type(&inputs[0]), diff_input_type(&inputs[other])) == 0 &&
	       strcmp(diff_input_unit(&inputs[0]), diff_input_unit(&inputs[other])) == 0)
		other++;
	if (other >= count)
		return 0;
	snprintf(
		reason->text, sizeof(reason->text),
		"%.100s holds %.30s (%.20s), and %.100s %.30s (%.20s): only the same can be compared",
		inputs[0].name, diff_input_type(&inputs[0]), diff_input_unit(&inputs[0]),
		inputs[other].name, diff_input_type(&inputs[other]),
		diff_input_unit(&inputs[other]));
	return DIFF_REFUSED;
}

int diff_choose_types(struct diff_input *inputs, uint32_t count, bool is_chosen,
		      struct diff_reason *reason)
{
	int r = choose_types(inputs, count, is_chosen, reason);

	for (uint32_t i = 0; r == 0 && i < count; i++) {
		uint64_t below;

		(void)weights_values(inputs[i].profile, inputs[i].type, &below);
		if (!below)
			continue;
		snprintf(reason->text, sizeof(reason->text),
			 "%.200s holds values below 0: it is a difference already", inputs[i].name);
		r = DIFF_REFUSED;
	}
	return r;
}
