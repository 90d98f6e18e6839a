// SPDX-License-Identifier: Apache-2.0
#include "session/keep_names.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

int keep_names_open(struct workers *workers, const char *folder)
{
	int r = folder && strcmp(folder, "none") == 0
			? 0
			: symbol_cache_open(&workers->symbol_cache, folder);

	if (r < 0 && folder) {
		log_error("cannot keep symbols in '%s': %s", folder,
			  r == -EPERM ? "it is not a folder of ours alone" : strerror(-r));
		return r;
	}
	if (r < 0)
		log_debug("there is no symbol cache: %s", strerror(-r));
	return 0;
}

static int keep_object(void *workers, struct object *object)
{
	return ask_to_keep(workers, object);
}

void keep_names(struct pipeline *pipeline)
{
	struct symbol_cache *cache = &pipeline->workers->symbol_cache;

	(void)object_cache_each(pipeline->processes.objects, keep_object, pipeline->workers);
	if (cache->written)
		symbol_cache_trim(cache);
	log_debug("symbol cache: names of %u objects and tables of %u were used, %u files written",
		  cache->used[SYMBOL_CACHE_NAMES], cache->used[SYMBOL_CACHE_TABLE], cache->written);
}
