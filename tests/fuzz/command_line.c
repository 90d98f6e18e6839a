// SPDX-License-Identifier: Apache-2.0
/*
 * The command line of `profd record`: the input's lines are its words. Nothing is run, opened or
 * printed. A config that comes out contradicts itself nowhere; written as a command line, it is
 * understood as the same.
 */
#include "cmd/record_options.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "cmd/command.h"
#include "fuzz.h"
#include "session/group.h"
#include "source/comm_glob.h"

enum { MAX_WORDS = 64, MAX_LIMIT_HZ = 100000 };

static const struct command command = {
	.name = "record",
	.usage = { "[OPTION]...", NULL },
	.description = "Fuzz.",
	.options = record_option_rows,
};

/* Instead of the C library's: the machine's users are no part of the input. */
struct passwd *getpwnam(const char *name)
{
	static struct passwd root = { .pw_name = (char *)"root" };

	return strcmp(name, "root") == 0 ? &root : NULL;
}

struct words {
	char *at[MAX_WORDS + 1];
	int count;
	char *text;
};

static void split(struct words *ret, char *text)
{
	char *rest = text;

	*ret = (struct words){ .text = text };
	ret->at[ret->count++] = (char *)"record";
	while (rest && ret->count < MAX_WORDS)
		ret->at[ret->count++] = strsep(&rest, "\n");
}

static int parse(struct config *ret, const struct writer **format, struct words *words,
		 uint64_t max_rate_hz)
{
	static int silent = -1, out = -1, errors = -1;
	const struct record_limits limits = { max_rate_hz };
	int r;

	if (silent < 0) {
		silent = open("/dev/null", O_WRONLY | O_CLOEXEC);
		out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
		errors = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	}
	fflush(stdout);
	FUZZ_CHECK(dup2(silent, STDOUT_FILENO) >= 0 && dup2(silent, STDERR_FILENO) >= 0);
	config_init(ret);
	r = record_options_parse(ret, format, &command, words->count, words->at, &limits);
	log_set_level(LOG_INFO);
	FUZZ_CHECK(dup2(out, STDOUT_FILENO) >= 0 && dup2(errors, STDERR_FILENO) >= 0);
	return r;
}

static void check_config(const struct config *config, uint64_t max_rate_hz)
{
	const struct target *target = &config->target;
	bool filtered = target->comm || target->group || target->has_uid;
	struct wire_glob glob;

	FUZZ_CHECK((target->command != NULL) + (target->pids.count > 0) + (target->tids.count > 0) +
			   target->everything ==
		   1);
	FUZZ_CHECK(!target->command || (target->command[0] && target->children));
	FUZZ_CHECK(!target->tids.count || !target->children);
	FUZZ_CHECK(!config->idle || (target->everything || filtered));
	for (uint32_t i = 0; i < target->pids.count; i++)
		FUZZ_CHECK(target->pids.at[i] > 0 && target->pids.at[i] <= 4194304);
	for (uint32_t i = 0; i < target->tids.count; i++)
		FUZZ_CHECK(target->tids.at[i] > 0 && target->tids.at[i] <= 4194304);
	if (target->comm)
		FUZZ_CHECK(target->comm[0] && comm_glob_compile(&glob, target->comm) == 0);
	FUZZ_CHECK(!target->group || target->group[0]);
	FUZZ_CHECK(!target->has_uid || target->uid != (uid_t)-1);
	FUZZ_CHECK((config->frequency_hz == 0) == (config->period_ns != 0));
	FUZZ_CHECK(config->frequency_hz <= 10000 &&
		   (!max_rate_hz || config->frequency_hz <= max_rate_hz));
	FUZZ_CHECK(!config->period_ns ||
		   (config->period_ns >= 100000 && config->period_ns <= 3600 * 1000000000ULL));
	FUZZ_CHECK(config->max_depth >= 1 && config->max_depth <= 1024);
	FUZZ_CHECK(config->unwind == UNWIND_AUTO || config->unwind == UNWIND_TABLE);
	for (uint32_t i = 0; i < config->outputs.count; i++) {
		FUZZ_CHECK(config->outputs.at[i].path[0] && config->outputs.at[i].writer);
		for (uint32_t k = 0; k < i; k++)
			FUZZ_CHECK(strcmp(config->outputs.at[i].path, config->outputs.at[k].path) !=
				   0);
	}
	FUZZ_CHECK(!config->summary_path || config->summary_path[0]);
}

/* ---- and back ---- */

static void add_ids(struct bytes *line, const char *option, const pid_t *ids, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		bytes_add_format(line, "%s%d", i ? "," : option, (int)ids[i]);
	if (count)
		bytes_add_char(line, '\n');
}

/* One word a line. */
static void write_line(struct bytes *line, const struct config *config, const struct writer *format)
{
	const struct target *target = &config->target;
	bool filtered = target->comm || target->group || target->has_uid;

	add_ids(line, "--pid=", target->pids.at, target->pids.count);
	add_ids(line, "--tid=", target->tids.at, target->tids.count);
	if (target->everything && !filtered)
		bytes_add_str(line, "-a\n");
	if (target->children)
		bytes_add_str(line, "-s\n");
	if (target->comm)
		bytes_add_format(line, "--comm=%s\n", target->comm);
	if (target->group)
		bytes_add_format(line, "--%s\n%s\n", group_option(target->group_is), target->group);
	if (target->has_uid)
		bytes_add_format(line, "--uid=%u\n", target->uid);
	if (config->duration_ns)
		bytes_add_format(line, "-d%" PRIu64 "ns\n", config->duration_ns);
	bytes_add_format(line, "--delay=%" PRIu64 "ns\n", config->delay_ns);
	if (config->frequency_hz)
		bytes_add_format(line, "-F\n%u\n", config->frequency_hz);
	else
		bytes_add_format(line, "-c\n%" PRIu64 "\n", config->period_ns);
	bytes_add_format(line, "--unwind=%s\n--max-depth=%u\n",
			 config->unwind == UNWIND_AUTO ? "auto" : "table", config->max_depth);
	if (config->no_kernel)
		bytes_add_str(line, "--no-kernel\n");
	if (config->threads)
		bytes_add_str(line, "-t\n");
	if (config->idle)
		bytes_add_str(line, "-i\n");
	for (uint32_t i = 0; i < config->outputs.count; i++)
		bytes_add_format(line, "--output=%s\n", config->outputs.at[i].path);
	bytes_add_format(line, "-f\n%s\n", format->name);
	if (config->summary_path)
		bytes_add_format(line, "--summary=%s\n", config->summary_path);
	if (config->quiet)
		bytes_add_str(line, "-q\n");
	bytes_add_str(line, target->command ? "--" : "-g");
	for (char **word = target->command; word && *word; word++)
		bytes_add_format(line, "\n%s", *word);
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void check_same(const struct config *a, const struct config *b)
{
	const struct target *x = &a->target, *y = &b->target;

	FUZZ_CHECK(x->pids.count == y->pids.count && x->tids.count == y->tids.count);
	FUZZ_CHECK(x->pids.count == 0 ||
		   memcmp(x->pids.at, y->pids.at, x->pids.count * sizeof(pid_t)) == 0);
	FUZZ_CHECK(x->tids.count == 0 ||
		   memcmp(x->tids.at, y->tids.at, x->tids.count * sizeof(pid_t)) == 0);
	FUZZ_CHECK(x->everything == y->everything && x->children == y->children &&
		   x->has_uid == y->has_uid && x->uid == y->uid);
	FUZZ_CHECK(same_text(x->comm, y->comm) && same_text(x->group, y->group) &&
		   x->group_is == y->group_is);
	FUZZ_CHECK(a->duration_ns == b->duration_ns && a->delay_ns == b->delay_ns &&
		   a->frequency_hz == b->frequency_hz && a->period_ns == b->period_ns);
	FUZZ_CHECK(a->unwind == b->unwind && a->max_depth == b->max_depth &&
		   a->no_kernel == b->no_kernel && a->threads == b->threads && a->idle == b->idle &&
		   a->quiet == b->quiet);
	FUZZ_CHECK(same_text(a->summary_path, b->summary_path) &&
		   a->outputs.count == b->outputs.count);
	for (uint32_t i = 0; i < a->outputs.count; i++)
		FUZZ_CHECK(same_text(a->outputs.at[i].path, b->outputs.at[i].path));
	for (uint32_t i = 0; x->command && x->command[i]; i++)
		FUZZ_CHECK(y->command && same_text(x->command[i], y->command[i]));
}

static void check_again(const struct config *config, const struct writer *format,
			uint64_t max_rate_hz)
{
	const struct writer *format_again;
	struct bytes line = {};
	struct config again;
	struct words words;

	write_line(&line, config, format);
	FUZZ_CHECK(bytes_str(&line));
	split(&words, line.at);
	FUZZ_CHECK(parse(&again, &format_again, &words, max_rate_hz) == 0);
	FUZZ_CHECK(format_again == format);
	check_same(config, &again);
	config_fini(&again);
	bytes_fini(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader reader = reader_of(data, size);
	uint64_t max_rate_hz = reader_u8(&reader) * (uint64_t)MAX_LIMIT_HZ / 255;
	char *text = strndup((const char *)reader.at, reader_left(&reader));
	const struct writer *format = NULL;
	struct config config;
	struct words words;
	int r;

	FUZZ_CHECK(text);
	split(&words, text);
	r = parse(&config, &format, &words, max_rate_hz);
	FUZZ_CHECK(r >= OPTIONS_OK && r <= OPTIONS_HELP && format);
	if (r == OPTIONS_OK) {
		check_config(&config, max_rate_hz);
		/* A longer one is no more than more of the same. */
		if (words.count < 16)
			check_again(&config, format, max_rate_hz);
	}
	config_fini(&config);
	free(text);
	return 0;
}
