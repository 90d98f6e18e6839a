// SPDX-License-Identifier: Apache-2.0
/*
 * The command line is read first, then the file. What the command line has set, a line of the file
 * is only checked for: it is applied to a second config that is thrown away. The target is one
 * setting in this: none of the file's filters is left where the command line names a target.
 */
#include "cmd/daemon_options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/parse.h"
#include "cmd/command.h"
#include "cmd/measure_options.h"
#include "daemon/config_file.h"

#define MIN_MEMORY_BYTES (16ULL << 20)
#define MIN_KERNEL_BYTES (4ULL << 20)
#define MIN_STORE_BYTES (8ULL << 20)
#define MIN_WINDOW_NS 1000000000ULL
#define MAX_WINDOW_NS (600 * 1000000000ULL)
#define MIN_AGE_NS (600 * 1000000000ULL)
enum { MAX_TOKEN_BYTES = 4096, MIN_TOKEN_BYTES = 16, MAX_ALLOWED_HOSTS = 64 };

struct request {
	struct measure_request measure; /* first: its rows find it here */
	struct daemon_config *config;
	const char *file; /* of --config */
	bool check;
};

/* Replaces an owned text; "" and "none" stand for there being none. */
static int set_text(char **ret, const char *text)
{
	bool none = !text[0] || strcmp(text, "none") == 0;
	char *copy = none ? NULL : strdup(text);

	if (!copy && !none)
		return -ENOMEM;
	free(*ret);
	*ret = copy;
	return 0;
}

static int set_path(char **ret, const char *path, struct options_reason *reason)
{
	if (path[0] && path[0] != '/' && strcmp(path, "none") != 0)
		return options_bad(reason, "not a path that begins with '/'");
	if (strlen(path) >= 4096)
		return options_bad(reason, "the path is too long");
	return set_text(ret, path);
}

static int apply_itself(void *context, const char *argument, struct options_reason *reason)
{
	(void)argument;
	(void)reason;
	((struct request *)context)->config->itself = true;
	return 0;
}

static int apply_max_overhead(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;
	char *end;
	double percent;

	/* strtod would also take "inf", "nan", hexadecimal and leading blanks. */
	percent = strtod(argument, &end);
	if (argument[0] < '0' || argument[0] > '9' || argument[1] == 'x' || argument[1] == 'X' ||
	    (*end && strcmp(end, "%") != 0) || percent < 0.01 || percent > 100)
		return options_bad(reason, "not a part of the machine: 0.01%%..100%%");
	request->config->max_overhead_percent = percent;
	return 0;
}

static int set_size(uint64_t *ret, const char *text, uint64_t least, struct options_reason *reason)
{
	uint64_t bytes;

	if (parse_size(&bytes, text) < 0)
		return options_bad(reason, "not a size: write 512K, 40M or 1G");
	if (bytes < least)
		return options_bad(reason, "too little: at least %lluM",
				   (unsigned long long)least >> 20);
	*ret = bytes;
	return 0;
}

static int apply_max_memory(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;

	return set_size(&request->config->memory_bytes, argument, MIN_MEMORY_BYTES, reason);
}

static int apply_max_kernel_memory(void *context, const char *argument,
				   struct options_reason *reason)
{
	struct request *request = context;

	return set_size(&request->config->kernel_bytes, argument, MIN_KERNEL_BYTES, reason);
}

static int apply_stop_file(void *context, const char *argument, struct options_reason *reason)
{
	return set_path(&((struct request *)context)->config->stop_file, argument, reason);
}

static int apply_no_history(void *context, const char *argument, struct options_reason *reason)
{
	(void)argument;
	(void)reason;
	((struct request *)context)->config->history = false;
	return 0;
}

static int apply_store(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;

	if (!argument[0] || strcmp(argument, "none") == 0)
		return options_bad(reason, "needs a folder; --no-history does without one");
	return set_path(&request->config->store_folder, argument, reason);
}

static int apply_max_store(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;

	return set_size(&request->config->store_bytes, argument, MIN_STORE_BYTES, reason);
}

static int apply_max_age(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;

	if (parse_duration(&request->config->store_age_ns, argument) < 0 ||
	    request->config->store_age_ns < MIN_AGE_NS)
		return options_bad(reason, "not a time of 10m or more: write 12h or 7d");
	return 0;
}

static int apply_window(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;
	uint64_t *ns = &request->config->window_ns;

	if (parse_duration(ns, argument) < 0 || *ns < MIN_WINDOW_NS || *ns > MAX_WINDOW_NS)
		return options_bad(reason, "not a time between 1s and 10m");
	return 0;
}

static int apply_socket(void *context, const char *argument, struct options_reason *reason)
{
	/* sun_path, with its NUL. */
	if (strlen(argument) > 107)
		return options_bad(reason, "a socket's path has 107 bytes at most");
	return set_path(&((struct request *)context)->config->socket_path, argument, reason);
}

static int apply_socket_group(void *context, const char *argument, struct options_reason *reason)
{
	(void)reason;
	return set_text(&((struct request *)context)->config->socket_group, argument);
}

/* ADDRESS of ADDRESS:PORT without brackets, or NULL where it is none. */
static char *address_of(const char *listen)
{
	const char *colon = strrchr(listen, ':');
	bool brackets = listen[0] == '[' && colon && colon > listen && colon[-1] == ']';

	return colon ? strndup(listen + brackets, (size_t)(colon - listen) - 2 * brackets) : NULL;
}

static bool is_loopback(const char *address)
{
	return strcmp(address, "localhost") == 0 || strcmp(address, "::1") == 0 ||
	       strncmp(address, "127.", 4) == 0;
}

static bool is_address(const char *address, bool brackets)
{
	struct in6_addr any;

	return inet_pton(brackets ? AF_INET6 : AF_INET, address, &any) == 1 ||
	       (!brackets && strcmp(address, "localhost") == 0);
}

static int apply_listen(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;
	cleanup(free) char *address = NULL;
	uint64_t port;

	if (argument[0] && strcmp(argument, "none") != 0) {
		address = address_of(argument);
		if (!address || !is_address(address, argument[0] == '[') ||
		    parse_u64(&port, strrchr(argument, ':') + 1, 65535) < 0 || port == 0)
			return options_bad(reason, "not an address and port: write 127.0.0.1:7878 "
						   "or [::1]:7878");
	}
	return set_text(&request->config->listen, argument);
}

static int apply_token_file(void *context, const char *argument, struct options_reason *reason)
{
	return set_path(&((struct request *)context)->config->token_file, argument, reason);
}

static int apply_allow_host(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;
	size_t size;

	for (const char *at = argument; *at; at += size) {
		char **host;

		at += strspn(at, ", ");
		size = strcspn(at, ", ");
		if (size == 0)
			break;
		if (size > 255 || strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					     "0123456789-._:[]") < size)
			return options_bad(reason, "not the name of a machine");
		if (request->config->allowed_hosts.count == MAX_ALLOWED_HOSTS)
			return options_bad(reason, "there can be %d at most", MAX_ALLOWED_HOSTS);
		host = array_push(&request->config->allowed_hosts);
		if (!host)
			return -ENOMEM;
		*host = strndup(at, size);
		if (!*host) {
			request->config->allowed_hosts.count--;
			return -ENOMEM;
		}
	}
	return 0;
}

static int apply_user(void *context, const char *argument, struct options_reason *reason)
{
	struct request *request = context;

	if (!argument[0])
		return options_bad(reason, "needs a user's name; root stays root with 'root'");
	request->config->user_chosen = true;
	return set_text(&request->config->user, argument);
}

static int apply_config(void *context, const char *argument, struct options_reason *reason)
{
	if (!argument[0])
		return options_bad(reason, "needs the name of a file");
	((struct request *)context)->file = argument;
	return 0;
}

static int apply_check(void *context, const char *argument, struct options_reason *reason)
{
	(void)argument;
	(void)reason;
	((struct request *)context)->check = true;
	return 0;
}

/* clang-format off */
const struct option_row daemon_option_rows[] = {
	{ .help = "Target (default: the whole machine)", .initial = "target" },
	{ "pid", 'p', "PID[,PID...]",
	  "these processes, with every thread they have or start; kernel threads too",
	  measure_apply_pid, VALUE_PIDS },
	{ "subprocesses", 's', NULL, "with -p: also what they fork from now on",
	  measure_apply_subprocesses },
	{ "all", 'a', NULL, "the whole machine, whatever the file says", measure_apply_all },
	{ "comm", 0, "GLOB", "only threads whose name matches, as 'nginx*'", measure_apply_comm,
	  VALUE_COMM, .initial = "", .at_start = true },
	{ "cgroup", 0, "PATH", "only what runs in this control group, or below it",
	  measure_apply_cgroup, VALUE_CGROUP, .initial = "", .at_start = true },
	{ "unit", 0, "NAME", "only what runs in this systemd unit, as nginx.service",
	  measure_apply_unit, VALUE_TEXT, .initial = "", .at_start = true },
	{ "container", 0, "ID", "only what runs in this container: its id, or 6 digits or more of it",
	  measure_apply_container, VALUE_TEXT, .initial = "", .at_start = true },
	{ "uid", 0, "USER", "only what runs as this user (a name or a number)", measure_apply_uid,
	  VALUE_USER, .initial = "", .at_start = true },
	{ .help = "Recording", .initial = "record" },
	{ "freq", 'F', "HZ", "samples per second of CPU time: 1..10000 or max (default 19)",
	  measure_apply_rate, VALUE_TEXT, measure_rate_words, .initial = "19" },
	{ "itself", 0, NULL, "sample profd's own processes, too", apply_itself, .initial = "no",
	  .at_start = true },
	{ "no-kernel", 0, NULL, "leave kernel frames out", measure_apply_no_kernel,
	  .initial = "no", .at_start = true },
	{ "no-inline", 0, NULL, "show no functions that were inlined into others",
	  measure_apply_no_inline, .initial = "no", .at_start = true },
	{ "max-depth", 0, "N", "keep at most N frames of a stack, 1..1024 (default 1024)",
	  measure_apply_max_depth, VALUE_TEXT, .initial = "1024", .at_start = true },
	{ "symbol-cache", 0, "DIR",
	  "keep what was read of programs here; or 'none' (default /var/cache/profd-daemon)",
	  measure_apply_symbol_cache, VALUE_FILE, .initial = "/var/cache/profd-daemon",
	  .at_start = true },
	{ .help = "Cost", .initial = "cost" },
	{ "max-overhead", 0, "PERCENT",
	  "of the machine's CPU time; profd samples less often before it takes more (default 1%)",
	  apply_max_overhead, VALUE_TEXT, .initial = "1%" },
	{ "max-memory", 0, "SIZE",
	  "of all its processes; above it, what can be read again is let go of (default 40M)",
	  apply_max_memory, VALUE_TEXT, .initial = "40M" },
	{ "max-kernel-memory", 0, "SIZE",
	  "for unwind tables and buffers in the kernel (default 30M)", apply_max_kernel_memory,
	  VALUE_TEXT, .initial = "30M", .at_start = true },
	{ "stop-file", 0, "FILE",
	  "while it exists nothing is sampled; or 'none' (default /run/profd/stop)", apply_stop_file,
	  VALUE_FILE, .initial = "/run/profd/stop" },
	{ .help = "History", .initial = "history" },
	{ "no-history", 0, NULL, "write nothing to disk", apply_no_history, .initial = "no",
	  .at_start = true },
	{ "store", 0, "DIR", "keep the history here (default /var/lib/profd)", apply_store,
	  VALUE_FILE, .initial = "/var/lib/profd", .at_start = true },
	{ "max-store", 0, "SIZE", "the oldest goes before it takes more (default 1G)",
	  apply_max_store, VALUE_TEXT, .initial = "1G" },
	{ "max-age", 0, "TIME", "what is older goes (default 7d)", apply_max_age, VALUE_TEXT,
	  .initial = "7d" },
	{ "window", 0, "TIME", "the shortest stretch of time that can be asked for (default 10s)",
	  apply_window, VALUE_TEXT, .initial = "10s", .at_start = true },
	{ .help = "HTTP", .initial = "http" },
	{ "socket", 0, "PATH",
	  "answer on this Unix socket; or 'none' (default /run/profd/profd.sock)", apply_socket,
	  VALUE_FILE, .initial = "/run/profd/profd.sock", .at_start = true },
	{ "socket-group", 0, "GROUP",
	  "who may connect to it beside root; or 'none' (default profd)", apply_socket_group,
	  VALUE_TEXT, .initial = "profd", .at_start = true },
	{ "listen", 0, "ADDRESS:PORT",
	  "answer there, too; beyond this machine only with a token (default none)", apply_listen,
	  VALUE_TEXT, .initial = "none", .at_start = true },
	{ "token-file", 0, "FILE",
	  "its first line is what clients of that port send as 'Authorization: Bearer'",
	  apply_token_file, VALUE_FILE, .initial = "", .at_start = true },
	{ "allow-host", 0, "NAME[,NAME...]",
	  "also answer requests that are for these names (localhost and addresses always are)",
	  apply_allow_host, VALUE_TEXT, .initial = "", .at_start = true },
	{ .help = "Daemon", .initial = "daemon" },
	{ "user", 0, "USER",
	  "who to be when started as root, with six capabilities only (default profd, if it exists)",
	  apply_user, VALUE_USER, .initial = "profd", .at_start = true },
	{ "verbose", 'v', NULL, "say what is being done", measure_apply_verbose, .initial = "no" },
	{ "config", 0, "FILE", "read this file, not " DAEMON_CONFIG_FILE, apply_config, VALUE_FILE },
	{ "check-config", 0, NULL, "say what is wrong with it, and exit: 0 nothing, 2 something",
	  apply_check },
	OPTION_ROW_HELP,
	{},
};
/* clang-format on */

enum { ROW_COUNT = ARRAY_SIZE(daemon_option_rows) - 1 };
_Static_assert(ROW_COUNT <= 64, "options_result.given has a bit for each");

static const char *section_of(size_t row)
{
	while (row > 0 && (daemon_option_rows[row].name || daemon_option_rows[row].letter))
		row--;
	return daemon_option_rows[row].initial;
}

/* ---- the file ---- */

struct file_state {
	struct request *request, *scratch; /* of the settings that hold, and of what is only checked */
	uint64_t given;			   /* on the command line: row bits */
	bool target_given;
	const char *texts[ROW_COUNT]; /* of each setting that stands in the file; owned by the config */
	unsigned lines[ROW_COUNT];    /* where */
};

static bool has_section(const char *section)
{
	for (size_t i = 0; i < ROW_COUNT; i++)
		if (!daemon_option_rows[i].name &&
		    strcmp(daemon_option_rows[i].initial, section) == 0)
			return true;
	return false;
}

/* The row of a setting in its section, or NULL with the mistake logged. */
static const struct option_row *find_setting(struct config_file *file, const char *section,
					     const char *name)
{
	if (section[0] && !has_section(section)) {
		config_file_mistake(file, "there is no section [%.50s]", section);
		return NULL;
	}
	for (size_t i = 0; i < ROW_COUNT; i++) {
		const struct option_row *row = &daemon_option_rows[i];

		if (!row->name || !row->initial || strcmp(row->name, name) != 0)
			continue;
		if (strcmp(section_of(i), section) == 0)
			return row;
		config_file_mistake(file, "'%.50s' belongs in section [%s]", name, section_of(i));
		return NULL;
	}
	config_file_mistake(file, "there is no setting '%.50s'", name);
	return NULL;
}

/* Returns 1, 0, or -1 for neither. */
static int parse_switch(const char *text)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on", "0", "1" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(text, words[i]) == 0)
			return i & 1;
	return -1;
}

static int apply_setting(struct config_file *file, const struct option_row *row,
			 const char *value, struct request *request)
{
	struct options_reason reason = {};
	int r = 0;

	if (!row->argument) {
		int on = parse_switch(value);

		if (on < 0)
			r = options_bad(&reason, "yes or no is wanted");
		else if (on)
			r = row->apply(request, NULL, &reason);
	} else if (value[0] || row->initial[0]) { /* else it stays unset */
		r = row->apply(request, value, &reason);
	}
	if (r > 0)
		config_file_mistake(file, "%s = %.64s: %s", row->name, value, reason.text);
	return r < 0 ? r : 0;
}

/* Whether the command line says it, or, of a target, says another. */
static bool is_overridden(const struct file_state *state, size_t row)
{
	return state->given >> row & 1 ||
	       (state->target_given && strcmp(section_of(row), "target") == 0);
}

static int read_entry(struct config_file *file, const char *section, const char *name,
		      const char *value)
{
	struct file_state *state = file->context;
	const struct option_row *row = find_setting(file, section, name);
	const char *kept;
	size_t place;

	if (!row)
		return 0;
	place = (size_t)(row - daemon_option_rows);
	if (state->texts[place]) {
		config_file_mistake(file, "'%s' is set already, in line %u", row->name,
				    state->lines[place]);
		return 0;
	}
	kept = daemon_config_keep(state->request->config, value);
	if (!kept)
		return -ENOMEM;
	state->texts[place] = kept;
	state->lines[place] = file->line;
	return apply_setting(file, row, kept,
			     is_overridden(state, place) ? state->scratch : state->request);
}

/* The file that is meant, or NULL: none is. */
static const char *choose_file(const struct request *request)
{
	if (request->file)
		return request->file;
	return access(DAEMON_CONFIG_FILE, F_OK) == 0 || errno != ENOENT ? DAEMON_CONFIG_FILE : NULL;
}

static int read_file(struct file_state *state)
{
	struct daemon_config *config = state->request->config;
	struct config_file file = { .context = state, .entry = read_entry };
	int r;

	file.path = choose_file(state->request);
	if (!file.path)
		return 0;
	config->path = strdup(file.path);
	if (!config->path)
		return -ENOMEM;
	r = config_file_read(&file);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		log_error("cannot read %s: %s", file.path,
			  r == -EFBIG ? "larger than 64 KiB" : strerror(-r));
		return OPTIONS_USAGE;
	}
	return file.mistakes ? OPTIONS_USAGE : 0;
}

/* What neither the command line nor the file has set; defaults are not refused. */
static int apply_defaults(struct file_state *state)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		const struct option_row *row = &daemon_option_rows[i];
		struct options_reason reason;

		if (!row->name || !row->initial || !row->argument || !row->initial[0] ||
		    state->texts[i] || state->given >> i & 1)
			continue;
		/* Below, where the kernel's limit is known. */
		if (row->apply == measure_apply_rate)
			continue;
		if (row->apply(state->request, row->initial, &reason) == -ENOMEM)
			return -ENOMEM;
		if (row->apply == apply_user)
			state->request->config->user_chosen = false;
	}
	return 0;
}

/* The text of each setting as it stands now, in the order of the table. */
static int note_settings(const struct file_state *state)
{
	struct daemon_config *config = state->request->config;

	for (size_t i = 0; i < ROW_COUNT; i++) {
		const struct option_row *row = &daemon_option_rows[i];
		struct daemon_setting *setting;

		if (!row->name || !row->initial)
			continue;
		setting = array_push(&config->settings);
		if (!setting)
			return -ENOMEM;
		setting->name = row->name;
		setting->at_start = row->at_start;
		/* What the command line says cannot change: any text will do. */
		setting->text = strdup(state->texts[i] && !is_overridden(state, i) ? state->texts[i]
										   : row->initial);
		if (!setting->text)
			return -ENOMEM;
	}
	return 0;
}

/* ---- all of it together ---- */

static int check_token_file(const struct daemon_config *config)
{
	cleanup(bytes_fini) struct bytes token = {};
	int r = fs_read(&token, AT_FDCWD, config->token_file, MAX_TOKEN_BYTES);

	if (r < 0) {
		log_error("cannot read token-file %s: %s", config->token_file, strerror(-r));
		return OPTIONS_USAGE;
	}
	if (!bytes_str(&token))
		return -ENOMEM;
	if (strcspn(token.at, "\r\n") < MIN_TOKEN_BYTES) {
		log_error("token-file %s: its first line must have %d bytes or more",
			  config->token_file, MIN_TOKEN_BYTES);
		return OPTIONS_USAGE;
	}
	return 0;
}

/* Each mistake of what settings mean together is one line, too. */
static int check_together(const struct daemon_config *config)
{
	cleanup(free) char *address = NULL;
	int r = 0;

	if (config->listen) {
		address = address_of(config->listen);
		if (!address)
			return -ENOMEM;
		if (!is_loopback(address) && !config->token_file) {
			log_error("listen = %s: others than this machine may connect there: it needs "
				  "a token-file, too",
				  config->listen);
			r = OPTIONS_USAGE;
		}
	}
	if (config->token_file) {
		int checked = check_token_file(config);

		r = checked ? checked : r;
	}
	return r;
}

static int load_again(struct daemon_config *ret, const struct daemon_config *running)
{
	bool check;

	return daemon_options_load(ret, &check, running->argc, running->argv);
}

static bool names_target(uint64_t given)
{
	for (size_t i = 0; i < ROW_COUNT; i++)
		if (given >> i & 1 && strcmp(section_of(i), "target") == 0)
			return true;
	return false;
}

static int complete(struct request *request, const struct options_result *words)
{
	struct target *target = &request->config->record.target;
	int r;

	if (words->word_count)
		return options_usage_error(&command_daemon, "unexpected '%.64s'", words->words[0]);
	if (words->rest)
		return options_usage_error(&command_daemon, "the daemon starts no command");
	if (!target->pids.count && !target->comm && !target->group && !target->has_uid)
		target->everything = true;
	r = measure_complete(&request->measure, &command_daemon, words);
	if (r == 0)
		r = check_together(request->config);
	request->config->verbose = request->measure.verbose;
	return r;
}

static int load(struct request *request, struct request *scratch, int argc, char **argv)
{
	struct file_state state = { .request = request, .scratch = scratch };
	struct options_result words;
	int r = options_parse(&command_daemon, request, argc, argv, &words), file;

	if (r != 0)
		return r;
	state.given = words.given;
	state.target_given = names_target(words.given);
	file = read_file(&state);
	if (file < 0)
		return file;
	r = apply_defaults(&state);
	if (r == 0)
		r = note_settings(&state);
	/* All mistakes at once. */
	if (r == 0)
		r = complete(request, &words);
	return r ? r : file;
}

int daemon_options_load(struct daemon_config *ret, bool *check, int argc, char **argv)
{
	cleanup(daemon_config_fini) struct daemon_config thrown_away;
	struct record_limits limits;
	struct request request = { .config = ret }, scratch = { .config = &thrown_away };
	int r;

	record_limits_read(&limits);
	daemon_config_init(ret);
	daemon_config_init(&thrown_away);
	ret->load = load_again;
	ret->argc = argc;
	ret->argv = argv;
	ret->record.frequency_hz = thrown_away.record.frequency_hz = 19;
	request.measure = (struct measure_request){ .config = &ret->record, .limits = &limits };
	scratch.measure = (struct measure_request){ .config = &thrown_away.record, .limits = &limits };
	r = load(&request, &scratch, argc, argv);
	*check = request.check;
	return r;
}
