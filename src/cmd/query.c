// SPDX-License-Identifier: Apache-2.0
/*
 * A past interval out of the daemon's history, read from its file: the daemon need not run. Needs no
 * privileges but to read that file.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "base/budget.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "cmd/change_output.h"
#include "cmd/command.h"
#include "cmd/filter_options.h"
#include "cmd/query_request.h"
#include "cmd/record_output.h"
#include "query/answer.h"
#include "query/deploys.h"
#include "query/listing.h"
#include "query/timeline.h"
#include "session/outputs.h"

/* Writing takes about as much once more. */
#define ANSWER_BYTES_MAX (2ULL << 30)
#define ANSWER_PART 4 /* of all memory */

enum { STRETCHES = 12 }; /* of a baseline: to know how much times like these differ */

static int complain(const struct answer_reason *reason)
{
	log_error("%s", reason->text);
	return 1;
}

static int write_stdout(struct bytes *text)
{
	return outputs_write_text("-", text->at, text->size) < 0;
}

/* A typing mistake and a unit that slept look alike. */
static void warn_of_nothing(const struct query_request *request)
{
	cleanup(bytes_fini) struct bytes scope = {};

	answer_add_scope(&scope, &request->chosen);
	log_warning("%s: nothing of that used any CPU time; 'profd query --list' tells what did",
		    bytes_str(&scope) ? scope.at : "");
}

struct known {
	const struct store_query *query;
	const struct store_answer *answer;
};

static void add_known(void *context, struct json *json)
{
	const struct known *known = context;

	answer_json(json, known->query, known->answer);
}

static int write_table(const struct query_request *request, const struct profile *profile,
		       const struct whole *whole, const struct store_answer *answer)
{
	struct known known = { &request->chosen, answer };
	struct report_options options = { .view = REPORT_FUNCTIONS,
					  .add_json = add_known,
					  .context = &known };
	struct report_reason reason = {};
	struct stream stream;
	int r, finished;

	table_options_apply(&request->table, &options, false);
	stream_init(&stream, STDOUT_FILENO);
	r = report_write(&stream, profile, whole, &options, request->as_json, &reason);
	finished = r == 0 ? stream_finish(&stream) : 0;
	stream_fini(&stream);
	if (r == 0)
		r = finished;
	/* A reader that has seen enough is no failure. */
	if (r == 0 || r == -EPIPE)
		return 0;
	log_error("cannot write the table: %s", r > 0 ? reason.text : strerror(-r));
	return 1;
}

static int show_profile(const struct query_request *request, struct store_reader *reader)
{
	cleanup(profile_free) struct profile *profile = NULL;
	struct store_answer answer;
	struct answer_reason reason;
	struct weights weights;
	struct whole whole;
	int r = answer_read(&profile, &answer, reader, &request->chosen, request->now_ns, &reason);

	if (r != 0)
		return complain(&reason);
	if (!answer.samples)
		warn_of_nothing(request);
	if (weights_of(&weights, profile, profile->meta.main_type) < 0)
		return 1;
	whole = weights_add_up(&weights);
	if (filter_options_apply(&profile, 1, &request->filter) < 0)
		return 1;
	if (request->config.outputs.count)
		return outputs_write(&request->config, profile) < 0;
	return write_table(request, profile, filter_is_empty(&request->filter) ? NULL : &whole,
			   &answer);
}

static int show_lists(const struct query_request *request, struct store_reader *reader)
{
	struct report_options options = {};
	cleanup(bytes_fini) struct bytes text = {};
	struct answer_reason reason;
	uint32_t limit = request->table.limit;
	int r;

	table_options_apply(&request->table, &options, false);
	if (request->step_ns)
		r = timeline_json(&text, reader, &request->chosen, request->lists,
				  (int64_t)request->step_ns, limit, request->now_ns, &reason);
	else
		r = request->as_json ? listing_json(&text, reader, &request->chosen, request->lists,
						    limit, request->now_ns, &reason)
				     : listing_text(&text, reader, &request->chosen, request->lists,
						    limit, options.width, request->now_ns, &reason);
	return r == 0 ? write_stdout(&text) : complain(&reason);
}

/* What is compared, and what stands behind each side. */
static int add_heading(struct bytes *ret, const struct query_request *request,
		       const struct store_query *base, const struct profile *new,
		       uint32_t stretch_count)
{
	cleanup(bytes_fini) struct bytes line = {};
	struct interval interval = { base->from_ns, base->until_ns };
	struct page page = {};

	answer_add_scope(&line, &request->chosen);
	bytes_add_str(&line, ", ");
	when_add_interval(&line, &request->interval, request->now_ns);
	bytes_add_str(&line, ", compared with ");
	when_add_interval(&line, &interval, request->now_ns);
	if (stretch_count > 1)
		bytes_add_format(&line, " in %u stretches", stretch_count);
	page_paragraph(&page, bytes_str(&line));
	page_paragraph(&page, new->meta.quality);
	bytes_add(ret, page.out.at, page.out.size);
	bytes_add_char(ret, '\n');
	ret->failed |= page.out.failed;
	page_fini(&page);
	return bytes_str(ret) ? 0 : -ENOMEM;
}

static int say_empty(const struct query_request *request, const struct interval *interval)
{
	cleanup(bytes_fini) struct bytes text = {};

	answer_add_scope(&text, &request->chosen);
	bytes_add_str(&text, ": nothing of that used any CPU time from ");
	when_add_interval(&text, interval, request->now_ns);
	log_error("%s; there is nothing to compare", bytes_str(&text) ? text.at : "");
	return 1;
}

/* names: of each stretch, for the inputs to borrow; the last one is NEW's. */
static int compare(struct diff **ret, const struct query_request *request,
		   const struct stretches *base, const struct profile *new, struct bytes *names)
{
	uint32_t count = base->profiles.count;
	cleanup(free) struct diff_input *inputs = calloc(count + 1ULL, sizeof(*inputs));
	struct diff_reason reason;
	int r = inputs ? 0 : -ENOMEM;

	for (uint32_t i = 0; r == 0 && i <= count; i++) {
		const struct profile *profile = i < count ? base->profiles.at[i] : new;

		when_add_interval(&names[i],
				  i < count ? &base->intervals.at[i] : &request->interval,
				  request->now_ns);
		if (!bytes_str(&names[i]))
			r = -ENOMEM;
		inputs[i] = (struct diff_input){ profile, names[i].at, profile->meta.main_type };
	}
	if (r == 0)
		r = diff_choose_types(inputs, count + 1, true, &reason);
	if (r == 0)
		r = diff_new(ret, inputs, count, inputs + count, 1, request->per, &reason);
	if (r == DIFF_REFUSED)
		log_error("%s", reason.text);
	else if (r < 0)
		log_error("cannot compare: %s", strerror(-r));
	if (r == 0)
		(*ret)->of_history = true;
	return r;
}

static int write_change(const struct query_request *request, const struct store_query *base,
			const struct stretches *stretches, const struct profile *new)
{
	struct bytes names[STRETCHES + 1] = {};
	cleanup(diff_free) struct diff *diff = NULL;
	cleanup(bytes_fini) struct bytes heading = {};
	int r = compare(&diff, request, stretches, new, names), status = r != 0;

	if (r == 0 && add_heading(&heading, request, base, new, stretches->profiles.count) < 0)
		status = 1;
	for (uint32_t i = 0; !status && i < request->outputs.paths.count; i++)
		if (change_output_write(diff, request->changes, request->outputs.paths.at[i],
					heading.at) < 0)
			status = 1;
	for (uint32_t i = 0; i <= STRETCHES; i++)
		bytes_fini(&names[i]);
	return status;
}

/* The patterns are those of both sides. */
static int filter_sides(const struct query_request *request, struct stretches *base,
			struct profile **new)
{
	struct profile *profiles[STRETCHES + 1];
	uint32_t count = base->profiles.count;
	int r;

	for (uint32_t i = 0; i < count; i++)
		profiles[i] = base->profiles.at[i];
	profiles[count] = *new;
	r = filter_options_apply(profiles, count + 1, &request->filter);
	for (uint32_t i = 0; i < count; i++)
		base->profiles.at[i] = profiles[i];
	*new = profiles[count];
	return r;
}

/* Of profiles that the filter left nothing of. */
static void drop_empty(struct stretches *stretches)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < stretches->profiles.count; i++) {
		if (!stretches->profiles.at[i]->samples.count) {
			profile_free(stretches->profiles.at[i]);
			continue;
		}
		stretches->intervals.at[kept] = stretches->intervals.at[i];
		stretches->profiles.at[kept++] = stretches->profiles.at[i];
	}
	stretches->profiles.count = stretches->intervals.count = kept;
}

static int show_change(const struct query_request *request, struct store_reader *reader)
{
	cleanup(stretches_fini) struct stretches stretches = {};
	cleanup(profile_free) struct profile *new = NULL;
	struct store_query base = request->chosen;
	struct answer_reason reason;
	struct store_answer answer;
	int r;

	base.from_ns = request->baseline.from_ns;
	base.until_ns = request->baseline.until_ns;
	r = answer_read(&new, &answer, reader, &request->chosen, request->now_ns, &reason);
	if (r == 0)
		r = stretches_read(&stretches, reader, &base,
				   request->per == DIFF_PER_SECONDS ? STRETCHES_OF_TIME
								    : STRETCHES_OF_SAMPLES,
				   STRETCHES, request->now_ns, &reason);
	if (r != 0)
		return complain(&reason);
	if (filter_sides(request, &stretches, &new) < 0)
		return 1;
	drop_empty(&stretches);
	if (!new->samples.count)
		return say_empty(request, &request->interval);
	if (!stretches.profiles.count)
		return say_empty(request, &request->baseline);
	return write_change(request, &base, &stretches, new);
}

static int show_deploys(const struct query_request *request, struct store_reader *reader)
{
	struct deploys_query query = { request->interval.from_ns, request->interval.until_ns,
				       request->chosen.unit, request->chosen.exe,
				       request->chosen.build_id };
	struct report_options options = {};
	cleanup(bytes_fini) struct bytes text = {};
	cleanup(book_fini) struct book book = {};
	struct answer_reason reason;
	bool whole = true;
	int r = book_init(&book);

	if (r == 0 && deploys_ask(&book, reader, request->now_ns, &whole, &reason) != 0)
		return complain(&reason);
	if (!whole)
		log_warning("it would take too long to look at all of the history: the daemon does "
			    "so in a few minutes");
	table_options_apply(&request->table, &options, true);
	if (r == 0)
		r = request->as_json ? deploys_json(&text, &book, &query, request->table.limit)
				     : deploys_text(&text, &book, &query, request->table.limit,
						    options.width, request->now_ns);
	if (r == 0)
		return write_stdout(&text);
	log_error("cannot list new versions: %s", strerror(-r));
	return 1;
}

static int show(const struct query_request *request, struct store_reader *reader)
{
	switch (request->view) {
	case QUERY_CHANGE:
		return show_change(request, reader);
	case QUERY_LIST:
		return show_lists(request, reader);
	case QUERY_DEPLOYS:
		return show_deploys(request, reader);
	case QUERY_PROFILE:
		break;
	}
	return show_profile(request, reader);
}

static int run(int argc, char **argv)
{
	cleanup(query_request_fini) struct query_request request = {};
	cleanup(store_reader_close) struct store_reader *reader = NULL;
	cleanup(bytes_fini) struct bytes why = {};
	int r = query_request_parse(&request, &command_query, argc, argv,
				    (int64_t)clock_ns(CLOCK_REALTIME));

	if (r != 0)
		return options_exit_status(r);
	(void)signal(SIGPIPE, SIG_IGN);
	if (record_output_check(&request.config) < 0)
		return 1;
	request.chosen.limit_bytes = budget_of(ANSWER_BYTES_MAX, ANSWER_PART).limit;
	r = store_reader_open(&reader, request.folder, &why);
	if (r != 0) {
		log_error("%s", bytes_str(&why) && why.size ? why.at : strerror(r < 0 ? -r : EIO));
		return 1;
	}
	return show(&request, reader);
}

const struct command command_query = {
	.name = "query",
	.summary = "look at a past interval in the daemon's history",
	.usage = { "[--since TIME] [--until TIME] [OPTION]...", NULL },
	.description =
		"Shows what the machine, or a part of it, did in an interval that 'profd daemon' has "
		"recorded, as a table of functions or as a file of any format; compares it with "
		"another one, and marks what changed by more than noise; lists what ran, and new "
		"versions of programs. Times are local. Needs no privileges but to read the history.",
	.options = query_option_rows,
	.run = run,
};
