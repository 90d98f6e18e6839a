/* SPDX-License-Identifier: Apache-2.0 */
/* The whole process: what its parts share. */
#pragma once

#include "server/http.h"
#include "server/link.h"
#include "server/metrics.h"
#include "server/queries.h"
#include "server/settings.h"

struct site {
	struct settings settings;
	struct http http;
	struct link link;
	struct queries queries;
	struct unit_series units;
	char host_name[256]; /* of this machine */
};

/* NULL: there is no such path. */
const struct route *route_find(const char *path);
