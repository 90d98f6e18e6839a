// SPDX-License-Identifier: Apache-2.0
#include "output/flamegraph/change.h"

#include <stdio.h>

static void add_amount(struct bytes *line, const struct flame_change *change, int64_t weight)
{
	bytes_add_format(line, "%.*f", (int)change->digits, (double)weight * change->scale);
}

void change_add_text(struct bytes *line, const struct flame_change *change, int64_t base,
		     int64_t now, const struct flame_verdict *verdict)
{
	static const char *const words[] = { [FLAME_NOTHING] = "not beyond noise",
					     [FLAME_DEARER] = "dearer",
					     [FLAME_CHEAPER] = "cheaper" };

	add_amount(line, change, now);
	bytes_add_format(line, "%s (was ", change->unit);
	add_amount(line, change, base);
	bytes_add_format(line, "%s: %s", change->unit, now >= base ? "+" : "");
	add_amount(line, change, now - base);
	bytes_add_str(line, change->step_unit);
	if (verdict->half >= 0) {
		bytes_add_str(line, " ± ");
		add_amount(line, change, verdict->half);
	}
	bytes_add_format(line, ", %s)",
			 verdict->mark || verdict->half >= 0 ? words[verdict->mark] : "not judged");
}

void change_class(char *class, size_t size, int64_t base, int64_t now, enum flame_mark mark)
{
	double more = (double)(mark == FLAME_DEARER ? now : base);
	double less = (double)(mark == FLAME_DEARER ? base : now);
	unsigned shade = more >= 2 * less ? 3 : more >= 1.5 * less ? 2 : more >= 1.2 * less ? 1 : 0;

	if (mark == FLAME_NOTHING)
		snprintf(class, size, "e0");
	else
		snprintf(class, size, "%c%u", mark == FLAME_DEARER ? 'd' : 'c', shade);
}

const char *change_sign(enum flame_mark mark)
{
	return mark == FLAME_DEARER ? "▲ " : mark == FLAME_CHEAPER ? "▼ " : "";
}
