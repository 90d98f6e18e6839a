// SPDX-License-Identifier: Apache-2.0
#include "session/describe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/cleanup.h"
#include "session/group.h"
#include "session/measures.h"
#include "worker/ask_opener.h"

/* The command line of a process, blanks for NULs; nothing when it is gone. */
static void add_cmdline(struct bytes *ret, struct workers *workers, pid_t pid)
{
	cleanup(bytes_fini) struct bytes text = {};

	if (ask_cmdline(workers, &text, pid) < 0)
		return;
	while (text.size && text.at[text.size - 1] == '\0')
		text.size--;
	for (size_t i = 0; i < text.size; i++)
		bytes_add_char(ret, text.at[i] ? text.at[i] : ' ');
}

static void add_argv(struct bytes *ret, char *const argv[])
{
	for (size_t i = 0; argv[i]; i++)
		bytes_add_format(ret, "%s%s", i ? " " : "", argv[i]);
}

static void add_target(struct bytes *ret, const struct recording *rec)
{
	const struct target *target = &rec->config->target;
	const char *separator = "";

	if (target->command)
		bytes_add_format(ret, "%s", target->command[0]);
	for (uint32_t i = 0; i < target->pids.count && i < 8; i++) {
		struct process *process =
			process_table_find(&rec->pipeline.processes, target->pids.at[i]);

		bytes_add_format(ret, "%s%s%spid %d", separator, process ? process->comm : "",
				 process ? ", " : "", (int)target->pids.at[i]);
		separator = "; ";
	}
	for (uint32_t i = 0; i < target->tids.count && i < 8; i++) {
		bytes_add_format(ret, "%sthread %d", separator, (int)target->tids.at[i]);
		separator = "; ";
	}
	if (target->pids.count > 8 || target->tids.count > 8)
		bytes_add_str(ret, "; ...");
	if (target->everything)
		bytes_add_str(ret, PROFILE_OF_MACHINE);
	if (target->comm)
		bytes_add_format(ret, ", command %s", target->comm);
	if (target->group)
		bytes_add_format(ret, ", %s %s", group_option(target->group_is), target->group);
	if (target->has_uid)
		bytes_add_format(ret, ", uid %u", (unsigned)target->uid);
}

static void add_time(struct bytes *ret, int64_t wall_ns)
{
	time_t seconds = (time_t)(wall_ns / 1000000000);
	struct tm tm;
	char text[64];

	if (gmtime_r(&seconds, &tm) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm))
		bytes_add_str(ret, text);
}

static int take_text(char **ret, struct bytes *text)
{
	const char *string = bytes_str(text);
	char *copy = string ? strdup(string) : NULL;

	if (!copy)
		return -ENOMEM;
	free(*ret);
	*ret = copy;
	return 0;
}

static int add_line(struct profile *profile,
		    void (*write)(const struct growth_summary *, struct bytes *),
		    const struct growth_summary *growth)
{
	cleanup(bytes_fini) struct bytes text = {};

	write(growth, &text);
	return bytes_str(&text) ? profile_comment_add(profile, text.at) : -ENOMEM;
}

static int describe_growth(const struct growth_summary *growth, struct profile *profile)
{
	int r = add_line(profile, growth_sentence, growth);

	/* Pages of 2 MiB weigh more than small ones. */
	if (profile->meta.period_type == PROFILE_NO_TYPE)
		profile->meta.evenness = growth->evenness;
	return r < 0 ? r : add_line(profile, growth_caveats, growth);
}

static int describe_heap(const struct heap_summary *heap, struct profile *profile)
{
	cleanup(bytes_fini) struct bytes sentence = {}, caveats = {};
	struct profile_meta *meta = &profile->meta;
	int r = 0;

	heap_sentence(heap, &sentence);
	heap_caveats(heap, &caveats);
	if (!bytes_str(&sentence) || !bytes_str(&caveats))
		return -ENOMEM;
	r = profile_comment_add(profile, sentence.at);
	if (r == 0 && caveats.size)
		r = profile_comment_add(profile, caveats.at);
	if (meta->period_type != PROFILE_NO_TYPE || r != 0)
		return r;
	/* As Go's heap profiles have it. Large objects weigh more than small ones. */
	meta->period = (int64_t)heap->interval;
	meta->evenness = heap->evenness;
	r = profile_string(profile, &meta->period_of.name, "space");
	return r != 0 ? r : profile_string(profile, &meta->period_of.unit, "bytes");
}

/*
 * Samples of counters weigh as much as the kernel chose when it adapted the period; and those of other events
 * beside them say nothing of what is shown.
 */
static void describe_counted(const struct recording *rec, struct profile_meta *meta)
{
	const struct measures *measures = &rec->pipeline.measures;
	uint64_t all = rec->pipeline.sample_count;

	if (!(rec->config->events & EVENTS_COUNTED_BITS))
		return;
	for (uint32_t event = 0; event < EVENTS; event++) {
		const struct event_weights *weights = &rec->pipeline.weights[event];

		if (!weights->samples || measures_weight_type(measures, event) != measures->main)
			continue;
		if (weights->squares > 0)
			meta->evenness = weights->sum * weights->sum / weights->squares / (double)all;
		if (event != EVENT_CPU && rec->config->counted_period) {
			meta->period = (int64_t)rec->config->counted_period;
			meta->period_type = measures->main;
		}
	}
}

static const char *how_walked(const struct health *health)
{
	if (health->copy_bytes)
		return "unwound from copies of stacks";
	return health->unwind && strcmp(health->unwind, "fp") == 0
		       ? "walked by frame pointers"
		       : "walked in the kernel from unwind tables";
}

int describe(const struct recording *rec, const struct health *health, struct profile *profile)
{
	cleanup(bytes_fini) struct bytes title = {}, subtitle = {}, quality = {}, comment = {};
	const struct target *target = &rec->config->target;
	const char *drop_frames = measures_drop_frames(rec->config->events);
	struct profile_meta *meta = &profile->meta;
	int64_t began = health->began_wall_ns ? health->began_wall_ns : rec->began_wall_ns;
	struct utsname host = {};
	int r;

	(void)uname(&host);
	add_target(&title, rec);
	if (target->command)
		add_argv(&subtitle, target->command);
	else if (target->pids.count == 1)
		add_cmdline(&subtitle, rec->pipeline.workers, target->pids.at[0]);
	if (subtitle.size)
		bytes_add_str(&subtitle, " · ");
	bytes_add_format(&subtitle, "%s · ", host.nodename);
	add_time(&subtitle, began);
	bytes_add_format(&subtitle, ", %.1f s", health->duration_s);
	if (health->frequency_hz > 0)
		bytes_add_format(&subtitle, " · %.4g Hz", health->frequency_hz);
	health_line(health, &quality);
	bytes_add_format(&comment, "profd %s on %s %s %s; %s", PROFD_VERSION, host.sysname,
			 host.release, host.machine, how_walked(health));
	if ((r = take_text(&meta->title, &title)) < 0 ||
	    (r = take_text(&meta->subtitle, &subtitle)) < 0 ||
	    (r = take_text(&meta->quality, &quality)) < 0)
		return r;
	meta->time_ns = began;
	meta->duration_ns = (int64_t)(health->duration_s * 1e9);
	meta->period = rec->config->events & EVENT_BIT(EVENT_CPU)
			       ? (int64_t)sampler_period_ns(&rec->sampler)
			       : 0;
	meta->period_type = rec->pipeline.measures.types[MEASURE_CPU];
	meta->main_type = rec->pipeline.measures.main;
	meta->count_type = rec->pipeline.measures.types[MEASURE_SAMPLES];
	meta->of_machine = target->everything;
	describe_counted(rec, meta);
	if (!bytes_str(&comment))
		return -ENOMEM;
	if (drop_frames && (r = profile_string(profile, &meta->drop_frames, drop_frames)) < 0)
		return r;
	if ((r = profile_comment_add(profile, meta->title)) < 0 ||
	    (r = profile_comment_add(profile, meta->subtitle)) < 0 ||
	    (r = profile_comment_add(profile, meta->quality)) < 0)
		return r;
	r = profile_comment_add(profile, bytes_str(&comment));
	if (r == 0 && health->has_growth)
		r = describe_growth(&health->growth, profile);
	return r == 0 && health->has_heap ? describe_heap(&health->heap, profile) : r;
}
