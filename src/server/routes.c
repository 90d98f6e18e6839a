// SPDX-License-Identifier: Apache-2.0
/* All addresses there are. */
#include <string.h>

#include "base/cleanup.h"
#include "server/api.h"
#include "server/pages.h"
#include "server/pprof.h"
#include "server/site.h"

static const struct route routes[] = {
	{ "/", .errors = ERROR_PLAIN, .answer = page_answer },
	{ "/profd.css", .errors = ERROR_PLAIN, .answer = page_answer },
	{ "/profd.js", .errors = ERROR_PLAIN, .answer = page_answer },
	{ "/profd.svg", .errors = ERROR_PLAIN, .answer = page_answer },
	{ "/healthz", .is_open = true, .errors = ERROR_PLAIN, .answer = health_answer },
	{ "/readyz", .is_open = true, .errors = ERROR_PLAIN, .answer = ready_answer },
	{ "/metrics", .errors = ERROR_PLAIN, .answer = metrics_answer },
	{ "/api/v1/status", .errors = ERROR_JSON, .answer = api_answer_status },
	{ "/api/v1/query", .errors = ERROR_JSON, .answer = api_answer_query },
	{ "/api/v1/list", .errors = ERROR_JSON, .answer = api_answer_list },
	{ "/api/v1/timeline", .errors = ERROR_JSON, .answer = api_answer_timeline },
	{ "/api/v1/deploys", .errors = ERROR_JSON, .answer = api_answer_deploys },
	{ "/debug/pprof", true, .errors = ERROR_PPROF, .answer = pprof_answer_elsewhere },
	{ "/debug/pprof/", true, .errors = ERROR_PPROF, .answer = pprof_answer_index },
	{ "/debug/pprof/profile", true, .errors = ERROR_PPROF, .answer = pprof_answer_profile },
	{ "/debug/pprof/heap", true, .errors = ERROR_PPROF, .answer = pprof_answer_heap },
	{ "/debug/pprof/allocs", true, .errors = ERROR_PPROF, .answer = pprof_answer_allocs },
	{ "/debug/pprof/cmdline", true, .errors = ERROR_PPROF, .answer = pprof_answer_cmdline },
	{ "/debug/pprof/symbol", true, .takes_post = true, .errors = ERROR_PPROF,
	  .answer = pprof_answer_symbol },
};

/* Whatever else clients of Go programs look for. */
static const struct route unknown = { "/debug/", true, .takes_post = true, .errors = ERROR_PPROF,
				      .answer = pprof_answer_unknown };

const struct route *route_find(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++)
		if (strcmp(routes[i].path, path) == 0)
			return &routes[i];
	return strncmp(path, unknown.path, strlen(unknown.path)) == 0 ? &unknown : NULL;
}
