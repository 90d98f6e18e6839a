// SPDX-License-Identifier: Apache-2.0
/*
 * The daemon's settings: what the file and the command line say, which is stronger, what each mistake
 * is called, and that tools/profd.conf and the manual have exactly the table's settings.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "cmd/daemon_options.h"

enum { MAX_WORDS = 32 };

/* What became of a command line and a file; `said` is what went to stderr. */
struct loaded {
	struct daemon_config config;
	char *words[MAX_WORDS];
	char *line;
	char path[64];
	int status;
	bool check;
	char said[8192];
};

static void loaded_fini_cleanup(struct loaded *loaded)
{
	daemon_config_fini(&loaded->config);
	free(loaded->line);
	if (loaded->path[0])
		unlink(loaded->path);
	log_set_level(LOG_INFO);
}

static void write_file(const char *path, const char *text, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_ok(fs_write_all(fd, text, size));
	close(fd);
}

/* stderr goes to a file from here on. Returns what it was. */
static int begin_listening(int *file)
{
	int saved = dup(STDERR_FILENO);

	*file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	assert_true(saved >= 0 && *file >= 0 && dup2(*file, STDERR_FILENO) >= 0);
	return saved;
}

static void end_listening(int saved, int file, char *said, size_t capacity)
{
	cleanup(bytes_fini) struct bytes bytes = {};

	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	assert_int_equal(lseek(file, 0, SEEK_SET), 0);
	assert_ok(fs_read_fd(&bytes, file, 1 << 20));
	close(file);
	snprintf(said, capacity, "%s", bytes_str(&bytes));
}

/* Words are separated by single blanks; --config with the file's text is added. */
static void load_sized(struct loaded *ret, const char *line, const char *file, size_t size)
{
	int count = 0, saved, said, fd;

	*ret = (struct loaded){};
	strcpy(ret->path, "/tmp/profd-conf-XXXXXX");
	fd = mkstemp(ret->path);
	assert_true(fd >= 0);
	close(fd);
	write_file(ret->path, file, size);
	ret->words[count++] = (char *)"daemon";
	ret->words[count++] = (char *)"--config";
	ret->words[count++] = ret->path;
	ret->line = strdup(line);
	assert_non_null(ret->line);
	for (char *at = ret->line; at && *at;) {
		assert_true(count < MAX_WORDS - 1);
		ret->words[count++] = strsep(&at, " ");
	}
	saved = begin_listening(&said);
	ret->status = daemon_options_load(&ret->config, &ret->check, count, ret->words);
	end_listening(saved, said, ret->said, sizeof(ret->said));
}

static void load(struct loaded *ret, const char *line, const char *file)
{
	load_sized(ret, line, file, strlen(file));
}

static void assert_good(struct loaded *ret, const char *line, const char *file)
{
	load(ret, line, file);
	if (ret->status != 0 || ret->said[0])
		fail_msg("'%s' with %s: status %d, said: %s", line, file, ret->status, ret->said);
}

static unsigned lines_of(const char *text)
{
	unsigned lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

/* It ends with status 2 and this many lines; one of them has the words. */
static void assert_mistakes(const char *line, const char *file, unsigned count, const char *words)
{
	cleanup(loaded_fini) struct loaded loaded;

	load(&loaded, line, file);
	if (loaded.status != OPTIONS_USAGE || !strstr(loaded.said, words) ||
	    lines_of(loaded.said) != count)
		fail_msg("'%s' with %s: not '%s' in %u lines, but status %d, said: %s", line, file,
			 words, count, loaded.status, loaded.said);
}

static void an_empty_file_leaves_the_defaults(void **state)
{
	cleanup(loaded_fini) struct loaded loaded;
	const struct daemon_config *config = &loaded.config;

	(void)state;
	assert_good(&loaded, "", "");
	assert_true(config->record.target.everything && !config->itself && config->history);
	assert_int_equal(config->record.frequency_hz, 19);
	assert_int_equal(config->record.max_depth, 1024);
	assert_string_equal(config->record.symbol_cache, "/var/cache/profd-daemon");
	assert_true(config->max_overhead_percent == 1);
	assert_int_equal(config->memory_bytes, 40 << 20);
	assert_int_equal(config->kernel_bytes, 30 << 20);
	assert_string_equal(config->stop_file, "/run/profd/stop");
	assert_string_equal(config->store_folder, "/var/lib/profd");
	assert_int_equal(config->store_bytes, 1 << 30);
	assert_int_equal(config->store_age_ns, 7 * 86400 * 1000000000ULL);
	assert_int_equal(config->window_ns, 10000000000ULL);
	assert_string_equal(config->socket_path, "/run/profd/profd.sock");
	assert_string_equal(config->socket_group, "profd");
	assert_null(config->listen);
	assert_null(config->token_file);
	assert_int_equal(config->allowed_hosts.count, 0);
	assert_string_equal(config->user, "profd");
	assert_false(config->user_chosen || config->verbose || loaded.check);
	assert_string_equal(config->path, loaded.path);
}

static void a_file_sets_everything(void **state)
{
	cleanup(loaded_fini) struct loaded loaded;
	const struct daemon_config *config = &loaded.config;

	(void)state;
	assert_good(&loaded, "",
		    "\xef\xbb\xbf; a comment\r\n[target]\r\ncomm = nginx* ; the server\n"
		    "unit=nginx.service\nuid = 0\n"
		    "\t[record]\n  freq = 49\nitself = on\nno-kernel = yes\nno-inline = true\n"
		    "max-depth = 64\nsymbol-cache = none\n"
		    "[cost]\nmax-overhead = 0.25%\nmax-memory = 64M\nmax-kernel-memory = 16MiB\n"
		    "stop-file = none\n"
		    "[history]\nno-history = 1\nstore = /srv/profd\nmax-store = 2G\nmax-age = 36h\n"
		    "window = 5s\n"
		    "[http]\nsocket = none\nsocket-group = none\nlisten = [::1]:7878\n"
		    "allow-host = profd.example.org, other\n"
		    "[daemon]\nuser = root\nverbose = yes");
	assert_string_equal(config->record.target.comm, "nginx*");
	assert_string_equal(config->record.target.group, "nginx.service");
	assert_int_equal(config->record.target.group_is, GROUP_UNIT);
	assert_true(config->record.target.has_uid && config->record.target.uid == 0);
	assert_true(config->record.target.everything);
	assert_int_equal(config->record.frequency_hz, 49);
	assert_true(config->itself && config->record.no_kernel && config->record.no_inline);
	assert_int_equal(config->record.max_depth, 64);
	assert_string_equal(config->record.symbol_cache, "none");
	assert_true(config->max_overhead_percent == 0.25);
	assert_int_equal(config->memory_bytes, 64 << 20);
	assert_int_equal(config->kernel_bytes, 16 << 20);
	assert_null(config->stop_file);
	assert_false(config->history);
	assert_string_equal(config->store_folder, "/srv/profd");
	assert_int_equal(config->store_bytes, 2ULL << 30);
	assert_int_equal(config->store_age_ns, 36 * 3600 * 1000000000ULL);
	assert_int_equal(config->window_ns, 5000000000ULL);
	assert_null(config->socket_path);
	assert_null(config->socket_group);
	assert_string_equal(config->listen, "[::1]:7878");
	assert_int_equal(config->allowed_hosts.count, 2);
	assert_string_equal(config->allowed_hosts.at[1], "other");
	assert_string_equal(config->user, "root");
	assert_true(config->user_chosen && config->verbose);
}

static void the_command_line_is_stronger(void **state)
{
	cleanup(loaded_fini) struct loaded a, b, c, d;

	(void)state;
	assert_good(&a, "--freq 29 --store /srv/a --no-history --allow-host a",
		    "[record]\nfreq = 49\n[history]\nstore = /srv/b\nno-history = no\n"
		    "max-age = 3d\n[http]\nallow-host = b, c\n");
	assert_int_equal(a.config.record.frequency_hz, 29);
	assert_string_equal(a.config.store_folder, "/srv/a");
	assert_false(a.config.history);
	assert_int_equal(a.config.store_age_ns, 3 * 86400 * 1000000000ULL);
	assert_int_equal(a.config.allowed_hosts.count, 1);
	/* A target replaces all of the file's target. */
	assert_good(&b, "--unit ssh", "[target]\ncomm = nginx*\ncgroup = /system.slice\nuid = 0\n");
	assert_null(b.config.record.target.comm);
	assert_false(b.config.record.target.has_uid);
	assert_string_equal(b.config.record.target.group, "ssh");
	assert_good(&c, "-a", "[target]\ncomm = nginx*\n");
	assert_true(c.config.record.target.everything && !c.config.record.target.comm);
	assert_good(&d, "-p 1 -s --check-config", "[target]\ncomm = nginx*\n");
	assert_int_equal(d.config.record.target.pids.count, 1);
	assert_true(d.config.record.target.children && !d.config.record.target.everything);
	assert_true(d.check && !d.config.record.target.comm);
}

static void every_mistake_is_a_line(void **state)
{
	(void)state;
	assert_mistakes("",
			"[record]\nfreq = 0\nfrq = 1\n[recrd]\nfreq = 1\n[history]\nfreq = 1\n"
			"window\n",
			5, ":2: freq = 0: not a rate");
	assert_mistakes("", "frq = 1\n", 1, ":1: there is no setting 'frq'");
	assert_mistakes("", "[recrd]\nfreq = 1\n", 1, ":2: there is no section [recrd]");
	assert_mistakes("", "\n\n[history]\nfreq = 1\n", 1,
			":4: 'freq' belongs in section [record]");
	assert_mistakes("", "freq = 1\n", 1, ":1: 'freq' belongs in section [record]");
	assert_mistakes("", "[record]\nfreq = 1\nfreq = 2\n", 1,
			":3: 'freq' is set already, in line 2");
	assert_mistakes("", "[record\n", 1, ":1: a section is written as [NAME]");
	assert_mistakes("", "[record] freq = 1\n", 1, ":1: a section is written as [NAME]");
	assert_mistakes("", "[record]\nfreq\n", 1, ":2: not a setting");
	assert_mistakes("", "[record]\nfreq ;= 1\n", 1, ":2: not a setting");
	assert_mistakes("", "= 1\n", 1, ":1: not a setting");
	assert_mistakes("", "[record]\nitself = maybe\n", 1, ":2: itself = maybe: yes or no");
	assert_mistakes("", "[record]\nfreq =\n", 1, ":2: freq = : not a rate");
	assert_mistakes("", "[cost]\nmax-overhead = 101%\n", 1, "max-overhead = 101%: not a part");
	assert_mistakes("", "[cost]\nmax-overhead = nan\n", 1, "max-overhead = nan: not a part");
	assert_mistakes("", "[cost]\nmax-memory = 1M\n", 1, "max-memory = 1M: too little");
	assert_mistakes("", "[cost]\nmax-memory = lots\n", 1, "max-memory = lots: not a size");
	assert_mistakes("", "[history]\nstore = relative\n", 1, "store = relative: not a path");
	assert_mistakes("", "[history]\nstore =\n", 1, "store = : needs a folder");
	assert_mistakes("", "[history]\nmax-age = 1s\n", 1, "max-age = 1s: not a time");
	assert_mistakes("", "[history]\nwindow = 0\n", 1, "window = 0: not a time");
	assert_mistakes("", "[http]\nlisten = 7878\n", 1, "listen = 7878: not an address");
	assert_mistakes("", "[http]\nlisten = ::1:7878\n", 1, "not an address");
	assert_mistakes("", "[http]\nlisten = 127.0.0.1:99999\n", 1, "not an address");
	assert_mistakes("", "[http]\nallow-host = a/b\n", 1, "not the name of a machine");
	assert_mistakes("", "[http]\nlisten = 0.0.0.0:7878\n", 1, "needs a token-file");
	assert_mistakes("", "[http]\ntoken-file = /nowhere/token\n", 1, "cannot read token-file");
	assert_mistakes("", "[http]\ntoken-file = /dev/null\n", 1, "cannot read token-file");
	assert_mistakes("", "[target]\ncgroup = /a\nunit = b\n", 1,
			":3: unit = b: excludes --cgroup");
	/* What the command line overrides is checked all the same. */
	assert_mistakes("--freq 29", "[record]\nfreq = x\n", 1, ":2: freq = x: not a rate");
	/* Not in a file. */
	assert_mistakes("", "[target]\npid = 1\n", 1, "there is no setting 'pid'");
	assert_mistakes("", "[daemon]\nconfig = /tmp/a\n", 1, "there is no setting 'config'");
	/* The command line's own. */
	assert_mistakes("-- sleep 1", "", 1, "the daemon starts no command");
	assert_mistakes("sleep", "", 1, "unexpected 'sleep'");
	assert_mistakes("--freq 0", "", 1, "profd daemon --help");
	assert_mistakes("-a -p 1", "", 1, "exclude each other");
}

static void hostile_files_are_read_with_bounds(void **state)
{
	cleanup(loaded_fini) struct loaded loaded, nul, bad;
	cleanup(bytes_fini) struct bytes text = {};

	(void)state;
	bytes_add_str(&text, "[history]\nstore = /");
	for (int i = 0; i < 300; i++)
		bytes_add_char(&text, 'a');
	bytes_add_str(&text, "\nstore = /srv/b\n");
	assert_mistakes("", bytes_str(&text), 1, ":2: the line is too long");
	bytes_fini(&text);
	/* Longer than any file that is read. */
	for (int i = 0; i < 70000; i++)
		bytes_add_str(&text, "\n");
	assert_mistakes("", bytes_str(&text), 1, "larger than 64 KiB");
	bytes_fini(&text);
	/* Thousands of mistakes end. */
	for (int i = 0; i < 5000; i++)
		bytes_add_str(&text, "x\n");
	load(&loaded, "", bytes_str(&text));
	assert_int_equal(loaded.status, OPTIONS_USAGE);
	load_sized(&nul, "", "[record]\nfreq = 1\0000\n", 20);
	assert_int_equal(nul.status, OPTIONS_USAGE);
	assert_non_null(strstr(nul.said, ":2: the line has bytes that are no text"));
	load(&bad, "", "[record]\nfreq = \x1b[31m\n[a\xff]\n");
	assert_int_equal(bad.status, OPTIONS_USAGE);
	assert_int_equal(lines_of(bad.said), 2);
	assert_null(strchr(bad.said, '\x1b'));
}

static void what_is_no_file_is_refused(void **state)
{
	cleanup(daemon_config_fini) struct daemon_config config;
	char *words[] = { (char *)"daemon", (char *)"--config", (char *)"/dev/zero", NULL };
	char said[512];
	bool check;
	int saved, file;

	(void)state;
	saved = begin_listening(&file);
	assert_int_equal(daemon_options_load(&config, &check, 3, words), OPTIONS_USAGE);
	end_listening(saved, file, said, sizeof(said));
	assert_non_null(strstr(said, "cannot read /dev/zero"));
}

static void a_secret_must_be_long(void **state)
{
	char path[] = "/tmp/profd-token-XXXXXX", file[128];
	cleanup(loaded_fini) struct loaded loaded;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	snprintf(file, sizeof(file), "[http]\nlisten = 0.0.0.0:7878\ntoken-file = %s\n", path);
	write_file(path, "short\nbut there is more\n", 24);
	assert_mistakes("", file, 1, "must have 16 bytes or more");
	write_file(path, "0123456789abcdef\n", 17);
	assert_good(&loaded, "", file);
	unlink(path);
}

static void reload(struct loaded *loaded, const char *file, int expected)
{
	int saved, said, r;

	write_file(loaded->path, file, strlen(file));
	saved = begin_listening(&said);
	r = daemon_config_reload(&loaded->config);
	end_listening(saved, said, loaded->said, sizeof(loaded->said));
	if (r != expected)
		fail_msg("reload: %d, not %d, said: %s", r, expected, loaded->said);
}

static void assert_said(const struct loaded *loaded, const char *words)
{
	if (!strstr(loaded->said, words))
		fail_msg("not '%s', but: %s", words, loaded->said);
}

static void a_reload_changes_what_can_change(void **state)
{
	cleanup(loaded_fini) struct loaded loaded;
	const struct daemon_config *config = &loaded.config;

	(void)state;
	assert_good(&loaded, "--max-age 3d", "[record]\nfreq = 29\n[history]\nstore = /srv/a\n");
	reload(&loaded, "[record]\nfreq = 29\n[history]\nstore = /srv/a\n", 0);
	assert_said(&loaded, "0 changes");
	reload(&loaded,
	       "[record]\nfreq = 49\nno-kernel = yes\n[history]\nstore = /srv/b\nmax-store = 2G\n"
	       "max-age = 5d\n[cost]\nmax-overhead = 2%\nmax-memory = 50M\nstop-file = /tmp/stop\n"
	       "[target]\ncomm = a\n[daemon]\nverbose = yes\n",
	       6);
	assert_int_equal(config->record.frequency_hz, 49);
	assert_int_equal(config->store_bytes, 2ULL << 30);
	assert_int_equal(config->store_age_ns, 3 * 86400 * 1000000000ULL);
	assert_true(config->max_overhead_percent == 2);
	assert_int_equal(config->memory_bytes, 50 << 20);
	assert_string_equal(config->stop_file, "/tmp/stop");
	assert_int_equal(log_get_level(), LOG_DEBUG);
	assert_said(&loaded, "freq is 49 now, was 29");
	/* These wait. */
	assert_string_equal(config->store_folder, "/srv/a");
	assert_false(config->record.no_kernel);
	assert_null(config->record.target.comm);
	assert_said(&loaded,
		    "store takes effect when profd is started again: it stays '/srv/a', and "
		    "will be '/srv/b'");
	assert_said(&loaded, "comm takes effect");
	assert_said(&loaded, "no-kernel takes effect");
	/* With a mistake all stays; back to the defaults by leaving out. */
	reload(&loaded, "[record]\nfreq = 59\nfrq = 1\n", -EINVAL);
	assert_int_equal(config->record.frequency_hz, 49);
	assert_said(&loaded, ":3: there is no setting 'frq'");
	reload(&loaded, "[history]\nstore = /srv/a\n", 6);
	assert_int_equal(config->record.frequency_hz, 19);
	assert_string_equal(config->stop_file, "/run/profd/stop");
	assert_int_equal(log_get_level(), LOG_INFO);
	/* The file is gone: nothing changes. */
	unlink(loaded.path);
	reload(&loaded, "", 0);
}

/* Each setting that a reload applies is one whose row says so, and the other way round. */
static void rows_say_what_a_reload_applies(void **state)
{
	static const char *const applied[] = { "freq",	    "max-overhead", "max-memory",
					       "stop-file", "max-store",    "max-age",
					       "verbose" };
	size_t found = 0;

	(void)state;
	FOR_EACH_OPTION (row, daemon_option_rows)
		if (row->initial && !row->at_start) {
			assert_true(found < ARRAY_SIZE(applied));
			assert_string_equal(row->name, applied[found++]);
		}
	assert_int_equal(found, ARRAY_SIZE(applied));
}

static void read_text(struct bytes *ret, const char *variable)
{
	const char *path = getenv(variable);

	assert_non_null(path);
	assert_ok(fs_read(ret, AT_FDCWD, path, 1 << 20));
	assert_non_null(bytes_str(ret));
}

/* Appends the help text's words, one blank between two. */
static void add_words(struct bytes *ret, const char *text)
{
	for (; *text; text++)
		if (*text != ' ' || (ret->size && ret->at[ret->size - 1] != ' '))
			bytes_add_char(ret, *text);
}

/*
 * The example has each setting with its default behind a '#', in the order of the table, below a
 * comment that begins with its help.
 */
static void the_example_has_every_setting(void **state)
{
	cleanup(bytes_fini) struct bytes text = {}, comment = {};
	const struct option_row *row = daemon_option_rows;

	(void)state;
	read_text(&text, "PROFD_CONF");
	for (char *rest = text.at, *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
		char expected[128];

		if (line[0] == '[') {
			while (row->name && !row->initial)
				row++; /* the command line's own */
			assert_null(row->name);
			snprintf(expected, sizeof(expected), "[%s]", row->initial);
			assert_string_equal(line, expected);
			row++;
		} else if (line[0] == '#' && line[1] != ' ') {
			while (!row->initial)
				row++;
			assert_non_null(row->name);
			snprintf(expected, sizeof(expected), "#%s =%s%s", row->name,
				 row->initial[0] ? " " : "", row->initial);
			assert_string_equal(line, expected);
			assert_non_null(bytes_str(&comment));
			if (strncmp(comment.at, row->help, strlen(row->help)) != 0)
				fail_msg("%s: the comment is '%s'", row->name, comment.at);
			row++;
			bytes_fini(&comment);
		} else if (line[0] == '#') {
			add_words(&comment, comment.size ? line + 1 : line + 2);
		} else {
			assert_string_equal(line, "");
			bytes_fini(&comment);
		}
	}
	while (row->name || row->letter || row->help)
		assert_null((row++)->initial);
}

/* With every setting uncommented it means what it says: the defaults. */
static void the_example_can_be_uncommented(void **state)
{
	cleanup(bytes_fini) struct bytes text = {}, bare = {};
	cleanup(loaded_fini) struct loaded a, b;

	(void)state;
	read_text(&text, "PROFD_CONF");
	for (size_t i = 0; i < text.size; i++)
		if (text.at[i] != '#' || text.at[i + 1] == ' ' || (i && text.at[i - 1] != '\n'))
			bytes_add_char(&bare, text.at[i]);
	assert_good(&a, "", text.at);
	assert_good(&b, "", bytes_str(&bare));
	assert_int_equal(a.config.settings.count, b.config.settings.count);
	for (uint32_t i = 0; i < a.config.settings.count; i++)
		assert_string_equal(a.config.settings.at[i].text, b.config.settings.at[i].text);
	assert_int_equal(a.config.store_bytes, b.config.store_bytes);
}

/* "*freq* = _HZ_", with "(*start*)" behind it where the row says so, in the order of the table. */
static void the_manual_has_every_setting(void **state)
{
	cleanup(bytes_fini) struct bytes text = {};
	const struct option_row *row = daemon_option_rows;

	(void)state;
	read_text(&text, "PROFD_CONF_MANUAL");
	for (char *rest = text.at, *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
		char expected[128];
		size_t size;

		if (strncmp(line, "# [", 3) == 0) {
			while (row->name && !row->initial)
				row++;
			assert_null(row->name);
			snprintf(expected, sizeof(expected), "# [%s]", row->initial);
			assert_string_equal(line, expected);
			row++;
			continue;
		}
		if (line[0] != '*' || !strstr(line, "* = _"))
			continue;
		while (!row->initial)
			row++;
		assert_non_null(row->name);
		size = (size_t)snprintf(expected, sizeof(expected), "*%s* = _", row->name);
		if (strncmp(line, expected, size) != 0)
			fail_msg("'%s' stands where %s is expected", line, row->name);
		if ((strstr(line, " (*start*)") != NULL) != row->at_start)
			fail_msg("'%s': is it (*start*)?", line);
		row++;
	}
	while (row->name || row->letter || row->help)
		assert_null((row++)->initial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_leaves_the_defaults),
		cmocka_unit_test(a_file_sets_everything),
		cmocka_unit_test(the_command_line_is_stronger),
		cmocka_unit_test(every_mistake_is_a_line),
		cmocka_unit_test(hostile_files_are_read_with_bounds),
		cmocka_unit_test(what_is_no_file_is_refused),
		cmocka_unit_test(a_secret_must_be_long),
		cmocka_unit_test(a_reload_changes_what_can_change),
		cmocka_unit_test(rows_say_what_a_reload_applies),
		cmocka_unit_test(the_example_has_every_setting),
		cmocka_unit_test(the_example_can_be_uncommented),
		cmocka_unit_test(the_manual_has_every_setting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
