// SPDX-License-Identifier: Apache-2.0
/* Default names, and outputs that cannot be written being found before anything is recorded. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cmd/record_output.h"
#include "session/default_name.h"

static int enter_folder(void **state)
{
	char path[] = "/tmp/profd-test-XXXXXX";

	if (!mkdtemp(path) || chdir(path) < 0)
		return -1;
	/* So that names with a date are the same everywhere. */
	setenv("TZ", "UTC", 1);
	tzset();
	*state = strdup(path);
	return *state ? 0 : -1;
}

static int leave_folder(void **state)
{
	char command[128];
	int r;

	snprintf(command, sizeof(command), "rm -rf '%s'", (char *)*state);
	free(*state);
	r = chdir("/");
	return r < 0 ? r : system(command);
}

static void assert_clean(const char *name, const char *expected)
{
	char clean[16];

	default_name_clean(clean, sizeof(clean), name);
	assert_string_equal(clean, expected);
}

static void names_keep_harmless_bytes_only(void **state)
{
	(void)state;
	assert_clean("nginx", "nginx");
	assert_clean("A-z_0.9", "A-z_0.9");
	assert_clean("kworker/0:1", "kworker_0_1");
	assert_clean("../../x y", ".._.._x_y");
	assert_clean("\x1b[31m\n;'\"", "__31m____");
	assert_clean("\xe2\x82\xac", "___");
	assert_clean("", "unknown");
	assert_clean("0123456789abcdefgh", "0123456789abcde");
}

enum { NOON = 1700000000 }; /* 2023-11-14 22:13:20 UTC */

static const char *name_given(struct config *config, const char *format)
{
	assert_ok(record_output_default(config, writer_by_name(format), NOON));
	assert_int_equal(config->outputs.count, 1);
	assert_ptr_equal(config->outputs.at[0].path, config->default_path);
	return config->default_path;
}

static void default_names_tell_what_and_when(void **state)
{
	char *command[] = { (char *)"/bin/my prog", NULL };
	struct config config;
	char expected[128];
	pid_t *pid;

	(void)state;
	assert_ok(prctl(PR_SET_NAME, "a/b c"));
	config_init(&config);
	pid = array_push(&config.target.pids);
	assert_non_null(pid);
	*pid = getpid();
	snprintf(expected, sizeof(expected), "profd-a_b_c-%d-20231114-221320.svg", getpid());
	assert_string_equal(name_given(&config, "flamegraph"), expected);
	config_fini(&config);

	config_init(&config);
	config.target.everything = true;
	assert_string_equal(name_given(&config, "pprof"), "profd-all-20231114-221320.pb.gz");
	config_fini(&config);

	config_init(&config);
	config.target.command = command;
	assert_string_equal(name_given(&config, "folded"),
			    "profd-my_prog-20231114-221320.folded");
	config_fini(&config);
}

static void default_names_avoid_existing_files(void **state)
{
	struct config config;

	(void)state;
	assert_ok(symlink("nowhere", "profd-all-20231114-221320.svg"));
	close(open("profd-all-20231114-221320-2.svg", O_CREAT | O_WRONLY, 0600));
	config_init(&config);
	config.target.everything = true;
	assert_string_equal(name_given(&config, "flamegraph"), "profd-all-20231114-221320-3.svg");
	config_fini(&config);
}

static void no_default_where_an_output_is_named(void **state)
{
	struct config config;
	struct config_output *output;

	(void)state;
	config_init(&config);
	output = array_push(&config.outputs);
	assert_non_null(output);
	*output = (struct config_output){ "-", writer_by_name("text") };
	assert_ok(record_output_default(&config, writer_by_name("text"), NOON));
	assert_int_equal(config.outputs.count, 1);
	assert_null(config.default_path);
	config_fini(&config);
}

static int check(const char *path, const char *summary)
{
	struct config config;
	struct config_output *output;
	int r, saved = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);

	config_init(&config);
	output = array_push(&config.outputs);
	assert_non_null(output);
	*output = (struct config_output){ path, writer_by_name("text") };
	config.summary_path = summary;
	dup2(null, STDERR_FILENO);
	r = record_output_check(&config);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(null);
	config_fini(&config);
	return r;
}

static void unwritable_outputs_are_found_and_nothing_is_left(void **state)
{
	char long_name[300];

	(void)state;
	assert_ok(check("out.txt", NULL));
	assert_int_equal(access("out.txt", F_OK), -1);
	assert_ok(check("-", "-"));
	assert_ok(check("/dev/null", NULL));
	assert_errno(check("none/out.txt", NULL), ENOENT);
	assert_errno(check("-", "none/out.json"), ENOENT);
	assert_ok(mkdir("folder", 0700));
	assert_errno(check("folder", NULL), EISDIR);
	/* No reader: opening it would wait for one. */
	assert_ok(mkfifo("pipe", 0600));
	assert_ok(check("pipe", NULL));
	assert_true(check("/proc/out.txt", NULL) < 0);
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_errno(check(long_name, NULL), ENAMETOOLONG);
	assert_ok(rmdir("folder"));
	assert_ok(unlink("pipe"));
	assert_ok(chdir("/"));
	assert_ok(rmdir(*state));
	assert_ok(mkdir(*state, 0700));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, enter_folder, leave_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(names_keep_harmless_bytes_only),
		TEST(default_names_tell_what_and_when),
		TEST(default_names_avoid_existing_files),
		TEST(no_default_where_an_output_is_named),
		TEST(unwritable_outputs_are_found_and_nothing_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
