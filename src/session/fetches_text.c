// SPDX-License-Identifier: Apache-2.0
/* What became of the debug files that were asked for: for people, and as JSON. */
#include <errno.h>
#include <string.h>

#include "session/fetches.h"

enum { NAMED_MAX = 3 };

static const char *base_name(const struct fetch *fetch)
{
	const char *slash = strrchr(fetch->path, '/');

	return slash && slash[1] ? slash + 1 : fetch->path;
}

void fetches_progress(const struct fetches *fetches, struct bytes *ret)
{
	const struct fetch *shown = NULL;
	uint32_t pending = 0;

	for (uint32_t i = 0; i < fetches->list.count; i++) {
		const struct fetch *fetch = &fetches->list.at[i];

		if (fetch_is_over(fetch))
			continue;
		pending++;
		/* One that tells how far it is, and always the same one. */
		if (!shown || (!shown->total && fetch->total))
			shown = fetch;
	}
	if (!shown)
		return;
	bytes_add_format(ret, "%.40s", base_name(shown));
	if (shown->total)
		bytes_add_format(ret, " %.1f of %.1f MB", (double)shown->done / 1e6,
				 (double)shown->total / 1e6);
	if (pending > 1)
		bytes_add_format(ret, ", %u more", pending - 1);
}

static double seconds_of(const struct fetch *fetch)
{
	return fetch->begun_ns ? (double)(fetch->ended_ns - fetch->begun_ns) / 1e9 : 0;
}

static const char *why_of(const struct fetch *fetch)
{
	if (fetch->state != FETCH_FAILED)
		return NULL;
	return fetch->why ? fetch->why : strerror(-fetch->error);
}

static const struct fetch *next_of(const struct fetches *fetches, const struct fetch *fetch)
{
	const struct fetch *end = fetches->list.at + fetches->list.count;

	for (const struct fetch *at = fetch + 1; at < end; at++)
		if (at->state == fetch->state)
			return at;
	return NULL;
}

/* last: it is the last one that is named. One reason is told once for all that have it. */
static void add_failure(const struct fetches *fetches, struct bytes *ret, const struct fetch *fetch,
			bool last)
{
	const struct fetch *next = last ? NULL : next_of(fetches, fetch);

	if (next && strcmp(why_of(next), why_of(fetch)) == 0)
		return;
	bytes_add_format(ret, ": %s", why_of(fetch));
	if (fetch->why && fetch->error && fetch->error != -ENOENT && fetch->error != -EFBIG)
		bytes_add_format(ret, " (%s)", strerror(-fetch->error));
}

bool fetches_outcome(const struct fetches *fetches, enum fetch_state state, struct bytes *ret)
{
	static const char *const words[FETCH_STATES] = {
		[FETCH_FOUND] = "found",
		[FETCH_NOT_FOUND] = "not found",
		[FETCH_FAILED] = "failed",
		[FETCH_GIVEN_UP] = "given up",
	};
	uint32_t count = 0, cached = 0, named = 0;

	for (uint32_t i = 0; i < fetches->list.count; i++) {
		count += fetches->list.at[i].state == state;
		cached += fetches->list.at[i].state == state && fetches->list.at[i].from_cache;
	}
	if (count == 0)
		return false;
	bytes_add_format(ret, "%u %s", count, words[state]);
	if (state == FETCH_FOUND && cached)
		bytes_add_format(ret, ", %u of them in the cache", cached);
	for (uint32_t i = 0; i < fetches->list.count && state != FETCH_FOUND; i++) {
		const struct fetch *fetch = &fetches->list.at[i];

		if (fetch->state != state)
			continue;
		if (named++ == NAMED_MAX) {
			bytes_add_str(ret, ", ...");
			break;
		}
		bytes_add_format(ret, "%s%.80s", named > 1 ? ", " : ": ", base_name(fetch));
		if (state == FETCH_FAILED)
			add_failure(fetches, ret, fetch, named == NAMED_MAX);
		else if (state == FETCH_GIVEN_UP && fetch->begun_ns)
			bytes_add_format(ret, " after %.1f s", seconds_of(fetch));
		else if (state == FETCH_GIVEN_UP)
			bytes_add_str(ret, " before its turn");
	}
	return true;
}

void fetches_json(const struct fetches *fetches, struct json *json)
{
	static const char *const words[FETCH_STATES] = {
		[FETCH_WAITS] = "waits",   [FETCH_RUNS] = "runs",
		[FETCH_FOUND] = "found",   [FETCH_NOT_FOUND] = "not_found",
		[FETCH_FAILED] = "failed", [FETCH_GIVEN_UP] = "given_up",
	};
	uint32_t counts[FETCH_STATES] = {};

	for (uint32_t i = 0; i < fetches->list.count; i++)
		counts[fetches->list.at[i].state]++;
	json_object(json, "debuginfod");
	for (unsigned i = FETCH_FOUND; i < FETCH_STATES; i++)
		json_u64(json, words[i], counts[i]);
	json_u64(json, "not_asked", fetches->refused);
	json_u64(json, "cpu_ns", fetches->cpu_ns);
	json_array(json, "files");
	for (uint32_t i = 0; i < fetches->list.count; i++) {
		const struct fetch *fetch = &fetches->list.at[i];

		json_object(json, NULL);
		json_string(json, "path", fetch->path);
		json_string(json, "build_id", fetch->build_id);
		json_string(json, "outcome", words[fetch->state]);
		json_string(json, "why", why_of(fetch));
		json_bool(json, "from_cache", fetch->from_cache);
		json_double(json, "seconds", seconds_of(fetch));
		json_end(json);
	}
	json_end(json);
	json_end(json);
}
