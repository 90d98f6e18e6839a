/* SPDX-License-Identifier: Apache-2.0 */
/* What `profd query` is asked, as its command line says it. Nothing of the history is touched. */
#pragma once

#include "cmd/output_options.h"
#include "cmd/table_options.h"
#include "diff/output.h"
#include "profile/filter.h"
#include "query/when.h"
#include "store/reader.h"

enum query_view {
	QUERY_PROFILE, /* the interval, as text or as files */
	QUERY_CHANGE,  /* compared with a baseline */
	QUERY_LIST,
	QUERY_DEPLOYS,
};

/* All texts are borrowed from the command line. */
struct query_request {
	enum query_view view;
	const char *folder;	  /* NULL: the usual one */
	struct interval interval; /* all time there is without --since, with --deploys */
	struct interval baseline; /* with QUERY_CHANGE */
	int64_t now_ns;
	struct store_query chosen; /* its pids and cgroup are those below */
	struct filter filter;
	unsigned lists;	  /* bit i: listings[i] */
	uint64_t step_ns; /* how the list changes over time; 0: the whole interval at once */
	enum diff_per per;
	bool as_json;
	struct table_options table;
	struct config config;		   /* outputs, of QUERY_PROFILE; none: text on stdout */
	struct output_options outputs;	   /* paths, of QUERY_CHANGE */
	const struct diff_writer *changes; /* their format; NULL: the names say it */

	/* As they were typed. */
	const char *since, *until, *since_baseline, *format;
	bool everything, has_per, has_deploys;
	ARRAY_OF(int32_t) pids;
	char *cgroup; /* owned */
};

void query_request_fini(struct query_request *request);
static inline void query_request_fini_cleanup(struct query_request *request)
{
	query_request_fini(request);
}

extern const struct option_row query_option_rows[];

/*
 * request: zero. now_ns: CLOCK_REALTIME. Returns an options_outcome or -ENOMEM; whatever is wrong has
 * been logged.
 */
int query_request_parse(struct query_request *request, const struct command *command, int argc,
			char **argv, int64_t now_ns);
