// SPDX-License-Identifier: Apache-2.0
#include "session/config.h"

#include "preload/region.h"
#include "session/measures.h"

void config_init(struct config *config)
{
	*config = (struct config){
		.events = EVENT_BIT(EVENT_CPU),
		.frequency_hz = 99, /* not 100: no lock step with timers of round rates */
		.heap_interval = HEAP_INTERVAL_BYTES,
		.alloc_overhead_percent = 0.5,
		.unwind = UNWIND_AUTO,
		.max_depth = 1024,
		.debuginfod_wait_ns = 20000000000ULL,
	};
}

void config_fini(struct config *config)
{
	array_fini(&config->target.pids);
	array_fini(&config->target.tids);
	array_fini(&config->outputs);
	free(config->default_path);
	config->default_path = NULL;
	free(config->debuginfod_servers);
	config->debuginfod_servers = NULL;
}
