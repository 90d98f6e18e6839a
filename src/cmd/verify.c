// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "base/parse.h"
#include "cmd/command.h"
#include "profile/statistics.h"
#include "verify/run.h"
#include "verify/step.h"

enum {
	SPLIT_SECONDS = 5,
	SHAPE_SECONDS = 2,
	COPY_SECONDS = 2,
	SPLIT_HZ = 99,
	SHAPE_HZ = 997,
	COPY_HZ = 199,
	STEPS = 60000,
};

/*
 * A part is outside of its 95 % interval once in twenty times by chance: what is so far off, in standard
 * deviations, is not.
 */
#define FAR_OFF 3.9
/* Of the ticks that CPU time asks for, and of stacks: below that something is wrong. */
#define ENOUGH_SAMPLES 0.95
#define ENOUGH_ROOTS 0.999
/* Copies grow when some were too short: those are lost. */
#define ENOUGH_COPIES 0.95
#define ENOUGH_STEPS 0.999

struct request {
	bool json;
	uint64_t seconds;
};

enum verdict { VERDICT_OK, VERDICT_BAD, VERDICT_UNTRIED };

static const char *const verdict_names[] = { "ok", "BAD", "-" };

struct findings {
	struct verify_run split, shapes, copies;
	struct verify_steps steps;
	int copies_error; /* why nothing is known of copies; 0: it is */
	struct part {
		struct share found;
		double truth;
		bool inside, far_off;
	} parts[PROGRAM_PARTS];
	unsigned inside; /* of the parts */
	double expected; /* samples that the split program's CPU time asks for */
	enum verdict split_verdict, samples_verdict, roots_verdict, exact_verdict, steps_verdict,
		copies_verdict;
};

static const char *way_of(const struct health *health)
{
	if (!health->unwind || strcmp(health->unwind, "table") == 0)
		return "stacks walked in the kernel, by tables";
	return strcmp(health->unwind, "copy") == 0 ? "stacks copied and unwound afterwards"
						   : "stacks walked by frame pointers";
}

/* 1.0 of nothing. */
static double share(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : 1;
}

static double right_share(const struct verify_run *run)
{
	return 1 - share(run->wrong, run->inside ?: 1);
}

static double root_share(const struct verify_run *run)
{
	return 1 - share(run->rootless, run->samples ?: 1);
}

/* Of a few hundred samples a single one is more than a thousandth. */
static enum verdict enough(uint64_t bad, uint64_t all, double wanted)
{
	if (all == 0)
		return VERDICT_BAD;
	return bad <= 1 || 1 - share(bad, all) >= wanted ? VERDICT_OK : VERDICT_BAD;
}

static void judge_split(struct findings *f)
{
	const struct verify_run *run = &f->split;
	bool far_off = false;

	for (unsigned i = 0; i < PROGRAM_PARTS; i++) {
		struct part *part = &f->parts[i];
		double deviation, truth = run->truth.total_ns ? (double)run->truth.part_ns[i] /
									(double)run->truth.total_ns
							      : 0;

		part->truth = truth;
		part->found = share_of(run->part_weight[i], run->split_weight,
				       (double)run->split_samples);
		part->inside = truth >= part->found.low && truth <= part->found.high;
		deviation = run->split_samples
				    ? sqrt(truth * (1 - truth) / (double)run->split_samples)
				    : 0;
		part->far_off = fabs(part->found.share - truth) > FAR_OFF * deviation;
		f->inside += part->inside;
		far_off |= part->far_off;
	}
	f->split_verdict = far_off || !run->split_samples ? VERDICT_BAD : VERDICT_OK;
	f->expected = (double)run->truth.total_ns / 1e9 * SPLIT_HZ;
	f->samples_verdict = (double)run->split_samples < ENOUGH_SAMPLES * f->expected ? VERDICT_BAD
										       : VERDICT_OK;
}

static void judge(struct findings *f)
{
	const char *unwind = f->shapes.health.unwind;
	double wanted = unwind && strcmp(unwind, "table") == 0 ? ENOUGH_ROOTS : ENOUGH_COPIES;

	judge_split(f);
	f->roots_verdict = enough(f->shapes.rootless, f->shapes.samples, wanted);
	f->exact_verdict = enough(f->shapes.wrong, f->shapes.inside, wanted);
	f->steps_verdict = f->steps.error ? VERDICT_UNTRIED
					  : enough(f->steps.wrong, f->steps.compared, ENOUGH_STEPS);
	f->copies_verdict = f->copies_error
				    ? VERDICT_UNTRIED
				    : enough(f->copies.rootless, f->copies.samples, ENOUGH_COPIES);
	if (f->copies_verdict == VERDICT_OK)
		f->copies_verdict = enough(f->copies.wrong, f->copies.inside, ENOUGH_COPIES);
}

static bool is_good(const struct findings *f)
{
	return f->split_verdict == VERDICT_OK && f->samples_verdict == VERDICT_OK &&
	       f->roots_verdict == VERDICT_OK && f->exact_verdict == VERDICT_OK &&
	       f->steps_verdict != VERDICT_BAD && f->copies_verdict != VERDICT_BAD;
}

/* run: the one that failed. */
static int cannot(int r, const struct verify_run *run)
{
	if (run->said)
		return r;
	if (r == -EINTR)
		log_error("interrupted before all was tried");
	else
		log_error("cannot verify: %s; see 'profd doctor'",
			  r == -ECHILD ? "the program that is recorded failed" : strerror(-r));
	return r;
}

/* Returns 0, or below 0: nothing is known (logged). */
static int find_out(struct findings *f, const struct request *request)
{
	char *const program[] = { (char *)"ls",	  (char *)"-lnd", (char *)"/",
				  (char *)"/etc", (char *)"/usr", NULL };
	int r = verify_steps(&f->steps, (char **)(uintptr_t)program, STEPS);

	if (r < 0)
		f->steps.error = r;
	r = verify_run(&f->split, "split", (unsigned)request->seconds, SPLIT_HZ, UNWIND_AUTO);
	if (r < 0)
		return cannot(r, &f->split);
	r = verify_run(&f->shapes, "shapes", SHAPE_SECONDS, SHAPE_HZ, UNWIND_AUTO);
	if (r < 0)
		return cannot(r, &f->shapes);
	f->copies_error = verify_run(&f->copies, "shapes", COPY_SECONDS, COPY_HZ, UNWIND_COPY);
	return f->copies_error == -EINTR ? cannot(-EINTR, &f->copies) : 0;
}

/* ---- text ---- */

/* Never rounded up to 100 % while something is missing. */
static void print_percent(double found)
{
	double percent = 100 * found;

	if (found < 1 && percent > 99.999)
		percent = 99.999;
	printf("%.3f %%", percent);
}

static void print_head(const struct verify_run *run)
{
	struct utsname machine;

	if (uname(&machine) < 0)
		memset(&machine, 0, sizeof(machine));
	printf("profd %s on %s %s %s, %ld CPUs: %s\n", PROFD_VERSION, machine.sysname,
	       machine.release, machine.machine, sysconf(_SC_NPROCESSORS_ONLN),
	       way_of(&run->health));
}

static void print_word(enum verdict verdict, const char *what)
{
	printf("%-3s %-8s ", verdict_names[verdict], what);
}

static void print_split(const struct findings *f)
{
	print_word(f->split_verdict, "split");
	for (unsigned i = 0; i < PROGRAM_PARTS; i++)
		printf("%s%.1f \xc2\xb1%.1f (%.1f)", i ? ", " : "", 100 * f->parts[i].found.share,
		       100 * f->parts[i].found.half, 100 * f->parts[i].truth);
	printf(" %%: %u of 4 inside\n", f->inside);
	print_word(f->samples_verdict, "samples");
	printf("%" PRIu64 " of the %.0f that %.2f s of CPU time ask for, %" PRIu64 " lost\n",
	       f->split.split_samples, f->expected, (double)f->split.truth.total_ns / 1e9,
	       health_lost(&f->split.health));
}

static void print_stacks(const struct findings *f)
{
	print_word(f->roots_verdict, "roots");
	print_percent(root_share(&f->shapes));
	printf(" of %" PRIu64 " stacks reach one, through 900 calls, signals, threads\n",
	       f->shapes.samples);
	print_word(f->exact_verdict, "exact");
	print_percent(right_share(&f->shapes));
	printf(" of %" PRIu64 " are what the program can have, call by call\n", f->shapes.inside);
}

static const char *why_no_steps(int error)
{
	return error == -EPERM	      ? "ptrace is not allowed"
	       : error == -EOPNOTSUPP ? "profd was built without a decoder of instructions"
				      : strerror(-error);
}

static void print_steps(const struct findings *f)
{
	print_word(f->steps_verdict, "steps");
	if (f->steps.error) {
		printf("not tried: %s\n", why_no_steps(f->steps.error));
		return;
	}
	print_percent(1 - share(f->steps.wrong, f->steps.compared));
	printf(" of %" PRIu64 " stacks true, one at each instruction of ls", f->steps.compared);
	if (f->steps.explained)
		printf(" (known: %" PRIu64 ")", f->steps.explained);
	putchar('\n');
}

static void print_copies(const struct findings *f)
{
	print_word(f->copies_verdict, "copies");
	if (f->copies_error) {
		printf("not tried: %s\n", strerror(-f->copies_error));
		return;
	}
	print_percent(root_share(&f->copies));
	printf(" of %" PRIu64 " copied stacks reach one, ", f->copies.samples);
	print_percent(right_share(&f->copies));
	puts(" exact");
}

static void print_cost(const struct findings *f)
{
	const struct health *calm = &f->split.health, *busy = &f->shapes.health;

	print_word(VERDICT_UNTRIED, "names");
	print_percent(share(busy->frames_named, busy->frames));
	printf(" of frames have one%s%s\n",
	       busy->kernel_trouble ? "; kernel frames have none: " : "",
	       busy->kernel_trouble ?: "");
	print_word(VERDICT_UNTRIED, "cost");
	printf("%.2f %% of one CPU at %d Hz, ", health_cost_percent(calm), SPLIT_HZ);
	/* Of perf's own copies nobody tells what they take. */
	if (calm->samples && calm->bpf_ns)
		printf("%.1f µs a sample, ", (double)calm->bpf_ns / 1e3 / (double)calm->samples);
	printf("%.0f ms to start, %" PRIu64 " MiB\n",
	       (double)(calm->start_ns + calm->build_ns) / 1e6, calm->rss_bytes >> 20);
}

static void print_text(const struct findings *f)
{
	print_head(&f->split);
	print_split(f);
	print_stacks(f);
	print_steps(f);
	print_copies(f);
	print_cost(f);
	puts(is_good(f)
		     ? "Shares can be trusted to within their intervals here, and stacks as told above."
		     : "Something is wrong here, see BAD above; 'profd doctor' may tell why.");
}

/* ---- JSON ---- */

static void add_verdict(struct json *json, enum verdict verdict)
{
	static const char *const words[] = { "ok", "bad", "untried" };

	json_string(json, "verdict", words[verdict]);
}

static void add_run(struct json *json, const char *name, const struct verify_run *run,
		    enum verdict verdict)
{
	json_object(json, name);
	add_verdict(json, verdict);
	json_string(json, "way", way_of(&run->health));
	json_u64(json, "samples", run->samples);
	json_u64(json, "without_root", run->rootless);
	json_u64(json, "in_known_functions", run->inside);
	json_u64(json, "impossible", run->wrong);
	json_u64(json, "lost", health_lost(&run->health));
	json_double(json, "cost_percent", health_cost_percent(&run->health));
	json_end(json);
}

static void add_split(struct json *json, const struct findings *f)
{
	static const char *const names[] = { "10", "20", "30", "40" };

	json_object(json, "split");
	add_verdict(json, f->split_verdict);
	json_u64(json, "inside", f->inside);
	json_array(json, "parts");
	for (unsigned i = 0; i < PROGRAM_PARTS; i++) {
		json_object(json, NULL);
		json_string(json, "part", names[i]);
		json_double(json, "truth", f->parts[i].truth);
		json_double(json, "share", f->parts[i].found.share);
		json_double(json, "low", f->parts[i].found.low);
		json_double(json, "high", f->parts[i].found.high);
		json_bool(json, "inside", f->parts[i].inside);
		json_end(json);
	}
	json_end(json);
	json_end(json);
	json_object(json, "samples");
	add_verdict(json, f->samples_verdict);
	json_u64(json, "taken", f->split.split_samples);
	json_double(json, "expected", f->expected);
	json_u64(json, "lost", health_lost(&f->split.health));
	json_end(json);
}

static void add_steps(struct json *json, const struct findings *f)
{
	json_object(json, "steps");
	add_verdict(json, f->steps_verdict);
	json_string(json, "why_not", f->steps.error ? why_no_steps(f->steps.error) : NULL);
	json_u64(json, "instructions", f->steps.instructions);
	json_u64(json, "compared", f->steps.compared);
	json_u64(json, "wrong", f->steps.wrong);
	json_u64(json, "explained", f->steps.explained);
	json_end(json);
}

static int print_json(const struct findings *f)
{
	cleanup(bytes_fini) struct bytes text = {};
	struct json json = json_to(&text);
	enum verdict shapes = f->roots_verdict == VERDICT_OK ? f->exact_verdict : f->roots_verdict;

	json_object(&json, NULL);
	json_u64(&json, "schema_version", 1);
	json_string(&json, "profd_version", PROFD_VERSION);
	json_bool(&json, "good", is_good(f));
	add_split(&json, f);
	add_run(&json, "split_run", &f->split, f->samples_verdict);
	add_run(&json, "shapes", &f->shapes, shapes);
	add_steps(&json, f);
	if (f->copies_error)
		json_string(&json, "copies", NULL);
	else
		add_run(&json, "copies", &f->copies, f->copies_verdict);
	json_end(&json);
	if (!bytes_str(&text)) {
		log_error("out of memory");
		return -ENOMEM;
	}
	fputs(text.at, stdout);
	return 0;
}

/* ---- the command ---- */

static int apply_json(void *context, const char *argument, struct options_reason *reason)
{
	(void)argument;
	(void)reason;
	((struct request *)context)->json = true;
	return 0;
}

static int apply_duration(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;
	uint64_t ns;

	if (parse_duration(&ns, argument) < 0)
		return options_bad(reason, "not a time, as 5s");
	request->seconds = (ns + 999999999) / 1000000000;
	if (request->seconds < 1 || request->seconds > 600)
		return options_bad(reason, "the known split is recorded for 1s to 10m");
	return 0;
}

static const struct option_row rows[] = {
	{ "duration", 'd', "TIME", "record the known split for so long (default 5s)",
	  apply_duration, VALUE_TEXT },
	{ "json", 0, NULL, "one JSON object, for scripts", apply_json },
	OPTION_ROW_HELP,
	{},
};

static int run(int argc, char **argv)
{
	struct request request = { .seconds = SPLIT_SECONDS };
	cleanup(free) struct findings *findings = calloc(1, sizeof(*findings));
	struct options_result words;
	int r = options_parse(&command_verify, &request, argc, argv, &words);

	if (r != 0)
		return options_exit_status(r);
	if (words.word_count || words.rest)
		return options_usage_error(&command_verify, "verify takes no arguments");
	if (!findings) {
		log_error("out of memory");
		return 1;
	}
	if (find_out(findings, &request) < 0)
		return 1;
	judge(findings);
	if (!request.json)
		print_text(findings);
	else if (print_json(findings) < 0)
		return 1;
	return options_finish_stdout() != 0 || !is_good(findings) ? 1 : 0;
}

const struct command command_verify = {
	.name = "verify",
	.summary = "how far profd's figures can be trusted on this machine",
	.usage = { "[-d TIME] [--json]", NULL },
	.description =
		"Records a program whose CPU time is split in known parts and one whose stacks are "
		"known, runs ls one instruction at a time, comparing each stack with the true one, and "
		"says in ten lines how far what profd tells can be trusted here, and at what cost. "
		"Exits with 0 when it can, with 1 when something is wrong.",
	.options = rows,
	.run = run,
};
