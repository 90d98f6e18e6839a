// SPDX-License-Identifier: Apache-2.0
/* Verdicts in words, and in the formats that build servers read. */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "diff/check.h"
#include "output/escape.h"
#include "output/short_name.h"

enum { NAME_COLUMNS = 60 }; /* of a function; JSON and JUnit have all of it */

static const char *const kinds[] = {
	[VERDICT_WITHIN] = "within", [VERDICT_BROKEN] = "broken", [VERDICT_UNDECIDED] = "undecided"
};

/* "5 %", "0.25 %": as many digits as it was given with. */
static void add_percent(struct bytes *bytes, double share)
{
	bytes_add_format(bytes, "%.6g %%", 100 * share);
}

static double half_of(const struct verdict *verdict)
{
	double middle = verdict->share - verdict->base;

	return fmax(verdict->high - middle, middle - verdict->low);
}

static void add_need(struct bytes *bytes, const struct verdict *verdict)
{
	if (isinf(verdict->samples_needed) || isinf(verdict->runs_needed)) {
		bytes_add_str(bytes, "; it is at the limit, which no number of samples can decide");
		return;
	}
	if (verdict->runs_needed > 0) {
		bytes_add_format(bytes, "; about %.0f recordings%s would decide",
				 verdict->runs_needed, verdict->rule->is_growth ? " a side" : "");
		return;
	}
	if (verdict->samples_needed > 0) {
		bytes_add_str(bytes, "; about ");
		text_add_count(bytes, (int64_t)fmin(verdict->samples_needed, 1e18));
		bytes_add_format(bytes, " samples%s would decide",
				 verdict->rule->is_growth ? " a side" : "");
	}
}

/* Of a share beside its limit: a limit of 0.05 % asks for more of them than one of 5 %. */
static int digits_of(const struct verdict *verdict)
{
	double limit = verdict->rule->limit;

	return limit >= 0.01 ? 1 : limit >= 0.001 ? 2 : limit >= 0.0001 ? 3 : limit > 0 ? 4 : 1;
}

static void add_share(struct bytes *bytes, const struct verdict *verdict, const char *what)
{
	int digits = digits_of(verdict);

	bytes_add_format(bytes, "%.*f %% ± %.*f of ", digits, 100 * verdict->share, digits,
			 100 * half_of(verdict));
	escape_clean(bytes, what);
	if (verdict->rule->is_self)
		bytes_add_str(bytes, " by itself");
}

static void add_growth(struct bytes *bytes, const struct verdict *verdict, const char *what)
{
	int digits = digits_of(verdict);

	if (!verdict->function) {
		bytes_add_str(bytes, verdict->is_known
					     ? "no function has grown by more than "
					     : "no function matches, so none has grown by "
					       "more than ");
		add_percent(bytes, verdict->rule->limit);
		bytes_add_str(bytes, " of ");
		escape_clean(bytes, what);
		if (verdict->rule->is_self)
			bytes_add_str(bytes, " by itself");
		return;
	}
	bytes_add_format(bytes, "%.*f %% → %.*f %% of ", digits, 100 * verdict->base, digits,
			 100 * verdict->share);
	escape_clean(bytes, what);
	bytes_add_format(bytes, " (%+.*f ± %.*f)%s", digits, 100 * (verdict->share - verdict->base),
			 digits, 100 * half_of(verdict),
			 verdict->rule->is_self ? " by itself" : "");
}

void verdict_add_text(struct bytes *bytes, const struct verdict *verdict, const char *what)
{
	const struct budget_rule *rule = verdict->rule;

	cleanup(bytes_fini) struct bytes name = {};

	escape_clean(&name, verdict->function ? verdict->function : rule->text);
	if (verdict->function && bytes_str(&name))
		short_name_add(bytes, name.at, NAME_COLUMNS);
	else
		bytes_add(bytes, name.at, name.size);
	bytes->failed |= name.failed;
	bytes_add_str(bytes, ": ");
	if (rule->is_growth)
		add_growth(bytes, verdict, what);
	else
		add_share(bytes, verdict, what);
	if (rule->is_growth && !verdict->function)
		return;
	bytes_add_str(bytes, verdict->kind == VERDICT_BROKEN   ? ", more than "
			     : verdict->kind == VERDICT_WITHIN ? ", within "
			     : verdict->low > rule->limit      ? ", seems to be more than "
							       : ", could be on either side of ");
	if (rule->is_growth)
		bytes_add_char(bytes, '+');
	add_percent(bytes, rule->limit);
	add_need(bytes, verdict);
	if (!verdict->is_known)
		bytes_add_str(bytes, "; no function matches");
}

void verdicts_add_text(struct bytes *bytes, const struct verdicts *verdicts, const char *what)
{
	for (uint32_t i = 0; i < verdicts->list.count; i++) {
		const struct verdict *verdict = &verdicts->list.at[i];

		bytes_add_format(bytes, "%-9s  ", kinds[verdict->kind]);
		verdict_add_text(bytes, verdict, what);
		bytes_add_char(bytes, '\n');
	}
}

void verdicts_add_json(struct bytes *bytes, const struct verdicts *verdicts, const char *what)
{
	struct json json = json_to(bytes);

	json_object(&json, NULL);
	json_u64(&json, "schema_version", 1);
	json_string(&json, "what", what);
	json_string(&json, "verdict",
		    verdicts->broken	  ? "broken"
		    : verdicts->undecided ? "undecided"
					  : "within");
	json_array(&json, "verdicts");
	for (uint32_t i = 0; i < verdicts->list.count; i++) {
		const struct verdict *verdict = &verdicts->list.at[i];
		cleanup(bytes_fini) struct bytes text = {};

		verdict_add_text(&text, verdict, what);
		bytes->failed |= !bytes_str(&text);
		json_object(&json, NULL);
		json_string(&json, "rule", verdict->rule->text);
		json_string(&json, "kind", verdict->rule->is_growth ? "max-growth" : "max");
		json_string(&json, "verdict", kinds[verdict->kind]);
		json_string(&json, "of", verdict->rule->is_self ? "self" : "total");
		json_double(&json, "limit", verdict->rule->limit);
		json_bool(&json, "matches", verdict->is_known);
		if (verdict->function)
			json_string(&json, "function", verdict->function);
		if (verdict->function || !verdict->rule->is_growth) {
			json_double(&json, "share", verdict->share);
			if (verdict->rule->is_growth)
				json_double(&json, "base", verdict->base);
			json_double(&json, "low", verdict->low);
			json_double(&json, "high", verdict->high);
		}
		if (verdict->samples_needed > 0)
			json_double(&json, "samples_needed", verdict->samples_needed);
		if (verdict->runs_needed > 0)
			json_double(&json, "runs_needed", verdict->runs_needed);
		json_string(&json, "text", text.at);
		json_end(&json);
	}
	json_end(&json);
	json_end(&json);
}

static void add_xml(struct bytes *bytes, const char *text)
{
	cleanup(bytes_fini) struct bytes clean = {};

	escape_clean(&clean, text);
	escape_xml(bytes, clean.at ? clean.at : "", clean.size);
	bytes->failed |= clean.failed;
}

/* As JUnit's ant task writes it, which Jenkins, GitLab and others read. */
void verdicts_add_junit(struct bytes *bytes, const struct verdicts *verdicts, const char *what,
			const char *file)
{
	bytes_add_format(
		bytes,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<testsuites name=\"profd check\" tests=\"%u\" failures=\"%u\" errors=\"%u\">\n"
		"<testsuite name=\"",
		verdicts->list.count, verdicts->broken, verdicts->undecided);
	add_xml(bytes, file);
	bytes_add_format(bytes, "\" tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"0\">\n",
			 verdicts->list.count, verdicts->broken, verdicts->undecided);
	for (uint32_t i = 0; i < verdicts->list.count; i++) {
		const struct verdict *verdict = &verdicts->list.at[i];
		const char *element = verdict->kind == VERDICT_BROKEN ? "failure" : "error";
		cleanup(bytes_fini) struct bytes text = {};

		verdict_add_text(&text, verdict, what);
		bytes->failed |= !bytes_str(&text);
		bytes_add_format(bytes, "<testcase classname=\"profd.%s\" name=\"",
				 verdict->rule->is_growth ? "max-growth" : "max");
		add_xml(bytes, verdict->rule->text);
		if (verdict->function) {
			bytes_add_str(bytes, " ");
			add_xml(bytes, verdict->function);
		}
		if (verdict->kind == VERDICT_WITHIN) {
			bytes_add_str(bytes, "\"/>\n");
			continue;
		}
		bytes_add_format(bytes, "\"><%s type=\"%s\" message=\"", element,
				 kinds[verdict->kind]);
		escape_xml(bytes, text.at ? text.at : "", text.size);
		bytes_add_format(bytes, "\"/></testcase>\n");
	}
	bytes_add_str(bytes, "</testsuite>\n</testsuites>\n");
}

/* What follows "::" of a workflow command (actions/toolkit, packages/core/src/command.ts). */
static void add_github(struct bytes *bytes, const char *text)
{
	for (; text && *text; text++) {
		if (*text == '%' || *text == '\r' || *text == '\n')
			bytes_add_format(bytes, "%%%02X", (unsigned)*text);
		else
			bytes_add_char(bytes, *text);
	}
}

void verdicts_add_github(struct bytes *bytes, const struct verdicts *verdicts, const char *what)
{
	for (uint32_t i = 0; i < verdicts->list.count; i++) {
		const struct verdict *verdict = &verdicts->list.at[i];
		cleanup(bytes_fini) struct bytes text = {};

		if (verdict->kind == VERDICT_WITHIN)
			continue;
		verdict_add_text(&text, verdict, what);
		bytes->failed |= !bytes_str(&text);
		bytes_add_str(bytes, verdict->kind == VERDICT_BROKEN
					     ? "::error title=profd check::"
					     : "::warning title=profd check, undecided::");
		add_github(bytes, text.at);
		bytes_add_char(bytes, '\n');
	}
}
