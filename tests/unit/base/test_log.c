// SPDX-License-Identifier: Apache-2.0
/* Lines as people get them, and as the journal does. */
#include "test.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

/* What four lines become, while JOURNAL_STREAM names stderr, or something else. */
static void write_lines(char ret[512], bool journal)
{
	cleanup(close) int file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	int saved = dup(STDERR_FILENO);
	char stream[64];
	struct stat st;
	ssize_t size;

	assert_true(file >= 0 && saved >= 0 && dup2(file, STDERR_FILENO) >= 0);
	assert_ok(fstat(file, &st));
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino + !journal);
	setenv("JOURNAL_STREAM", stream, 1);
	log_find_journal();
	log_set_level(LOG_DEBUG);
	log_error("one %d", 1);
	log_warning("two\n<0>three");
	log_info("four");
	log_debug("five");
	dup2(saved, STDERR_FILENO);
	close(saved);
	size = pread(file, ret, 511, 0);
	assert_true(size >= 0);
	ret[size] = '\0';
}

static void priorities_are_for_the_journal_only(void **state)
{
	char text[512];

	(void)state;
	write_lines(text, false);
	assert_string_equal(text, "profd: one 1\nprofd: two?<0>three\nprofd: four\nprofd: five\n");
	write_lines(text, true);
	assert_string_equal(text, "<3>one 1\n<4>two?<0>three\n<6>four\n<7>five\n");
	setenv("JOURNAL_STREAM", "nonsense", 1);
	log_find_journal();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(priorities_are_for_the_journal_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
