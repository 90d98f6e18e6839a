// SPDX-License-Identifier: Apache-2.0
#include "session/record.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "session/default_name.h"
#include "session/describe.h"
#include "session/keep_names.h"
#include "session/last.h"
#include "session/measures.h"
#include "session/outputs.h"
#include "session/recording.h"

/* What -v adds: where the time and the memory went. */
static void log_details(const struct health *h)
{
	log_debug("unwind tables: %u, %" PRIu64 " KiB, compiled in %.1f ms; names in %.1f ms",
		  h->tables, h->table_bytes >> 10, (double)h->build_ns / 1e6,
		  (double)h->naming_ns / 1e6);
	log_debug("start-up took %.1f ms of CPU time, the recording %.1f ms of profd's and %.1f ms in "
		  "BPF programs (%.0f ns per sample)",
		  (double)h->start_ns / 1e6, (double)h->user_ns / 1e6, (double)h->bpf_ns / 1e6,
		  h->samples ? (double)h->counters[COUNT_SAMPLE_NS] / (double)h->samples : 0.0);
	log_debug("kernel memory %" PRIu64 " KiB; %" PRIu64 " ticks, %" PRIu64 " idle, %" PRIu64
		  " of others; %" PRIu64 " walks finished outside of the kernel",
		  h->kernel_bytes >> 10, h->counters[COUNT_TICKS], h->counters[COUNT_IDLE],
		  h->counters[COUNT_FILTERED], h->finished);
}

/* What became of the debug files that were asked for, one line for each way in which it ended. */
static void log_fetches(const struct fetches *fetches)
{
	if (fetches->list.count == 0)
		log_info("debuginfod was not asked: %s",
			 fetches->refused ? "it was given up before"
					  : "no file with samples lacks its debug information");
	for (unsigned state = FETCH_FOUND; state < FETCH_STATES; state++) {
		cleanup(bytes_fini) struct bytes line = {};

		if (fetches_outcome(fetches, state, &line) && bytes_str(&line))
			log_info("debug files from debuginfod: %s%s", line.at,
				 state == FETCH_GIVEN_UP ? "; see --debuginfod-timeout" : "");
	}
}

static int finish(const struct recording *rec, struct profile *profile,
		  const struct health *health)
{
	int r = describe(rec, health, profile);

	if (r == 0)
		r = profile_freeze(profile);
	if (r < 0)
		log_error("cannot finish the profile: %s", strerror(-r));
	return r;
}

static void log_line(const struct health *health)
{
	cleanup(bytes_fini) struct bytes line = {};

	health_line(health, &line);
	log_info("%s", bytes_str(&line) ? line.at : "out of memory");
}

static void log_growth(const struct growth_summary *growth)
{
	cleanup(bytes_fini) struct bytes sentence = {}, caveats = {};

	growth_sentence(growth, &sentence);
	growth_caveats(growth, &caveats);
	log_info("%s", bytes_str(&sentence) ? sentence.at : "out of memory");
	log_info("%s", bytes_str(&caveats) ? caveats.at : "out of memory");
}

static void log_heap(const struct heap_summary *heap)
{
	cleanup(bytes_fini) struct bytes sentence = {}, caveats = {};

	heap_sentence(heap, &sentence);
	heap_caveats(heap, &caveats);
	log_info("%s", bytes_str(&sentence) ? sentence.at : "out of memory");
	if (caveats.size)
		log_info("%s", bytes_str(&caveats) ? caveats.at : "out of memory");
}

/* Each under its name with the time in it, so that none is written over by the next one. */
static void write_meanwhile(void *context, struct profile *profile, const struct health *health)
{
	const struct recording *rec = context;
	struct config config = *rec->config;
	time_t now = time(NULL);

	if (finish(rec, profile, health) < 0)
		return;
	config.default_path = NULL;
	config.outputs.at = calloc(config.outputs.count, sizeof(*config.outputs.at));
	if (!config.outputs.at) {
		log_error("out of memory");
		return;
	}
	if (!config.quiet)
		log_line(health);
	for (uint32_t i = 0; i < config.outputs.count; i++) {
		cleanup(free) char *path = NULL;
		struct config one = config;

		one.outputs.count = 1;
		one.outputs.at[0] = rec->config->outputs.at[i];
		path = dated_name(one.outputs.at[0].path, one.outputs.at[0].writer, now);
		one.outputs.at[0].path = path;
		if (path && outputs_write(&one, profile) == 0 && !config.quiet &&
		    strcmp(path, "-") != 0)
			log_info("wrote %s", path);
	}
	free(config.outputs.at);
}

static const char *why_none(const struct config *config, const struct health *health)
{
	if (health->has_growth)
		return "no new memory was touched";
	if (config->events == EVENT_BIT(EVENT_ALLOC))
		return health->probe_hits ? "the target allocated too little"
					  : "the target called nothing that is probed";
	if (!(config->events & EVENT_BIT(EVENT_CPU)))
		return "too little of what is counted happened in the target";
	return "the target used too little CPU time";
}

static int write_everything(struct recording *rec, struct profile *profile,
			    const struct health *health)
{
	cleanup(bytes_fini) struct bytes json = {};
	const struct config *config = rec->config;
	int r = finish(rec, profile, health), summary = 0;

	if (r < 0)
		return r;
	/* Who cannot wait for slow disks either; no file is half there. */
	recording_let_signals_through(rec);
	r = outputs_write(config, profile);
	if (config->summary_path) {
		health_json(health, &json);
		summary = json.failed ? -ENOMEM
				      : outputs_write_text(config->summary_path, json.at, json.size);
	}
	log_details(health);
	if (!config->quiet) {
		log_line(health);
		if (health->kernel_trouble)
			log_info("kernel frames have no names: %s", health->kernel_trouble);
		if (health->fetches)
			log_fetches(health->fetches);
		if (health->has_growth)
			log_growth(&health->growth);
		if (health->has_heap)
			log_heap(&health->heap);
		if (health->samples == 0 && !health->has_heap)
			log_info("no samples: %s meanwhile", why_none(config, health));
		for (uint32_t i = 0; i < config->outputs.count && r == 0; i++)
			if (strcmp(config->outputs.at[i].path, "-") != 0)
				log_info("wrote %s", config->outputs.at[i].path);
	}
	return r < 0 ? r : summary;
}

int session_record(const struct config *config)
{
	cleanup(profile_free) struct profile *kept = NULL;
	struct last last = {};
	struct recording rec;
	struct health health;
	int r = recording_open(&rec, config), status = 1;

	if (r == 0 && config->last_ns)
		last_init(&last, &rec, write_meanwhile, &rec);
	if (r == 0)
		r = recording_run(&rec);
	if (r == 0) {
		r = recording_finish(&rec, &health);
		if (r == 0 && config->last_ns)
			r = last_take(&last, &kept, &health);
		if (r < 0)
			log_error("cannot finish the recording: %s", strerror(-r));
		else
			r = write_everything(&rec, kept ? kept : rec.pipeline.profile, &health);
		status = r < 0 ? 1 : 0;
		recording_let_signals_through(&rec);
		keep_names(&rec.pipeline);
		if (rec.launch.pid) {
			int command = recording_end_command(&rec);

			if (status == 0)
				status = command;
		}
	}
	last_fini(&last);
	recording_fini(&rec);
	return status;
}
