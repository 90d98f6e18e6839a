// SPDX-License-Identifier: Apache-2.0
/* A program that is deleted before the events that tell of it are used; its process never existed. */
#include "test.h"
#include "direct.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "sample_builder.h"
#include "session/new_files.h"

enum { PID = 0x7f000000, CHILD, GRANDCHILD, OTHER };

static struct pipeline p;
static char program[32];
static struct stat st;
static int generation;
static uint64_t now;

static int set_up(void **state)
{
	static const struct table_store_maps no_kernel = { -1, -1, -1, -1, -1, -1, 0, 0 };
	cleanup(close) int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	cleanup(close) int to = -1;
	char buffer[65536];
	ssize_t size;

	(void)state;
	strcpy(program, "/tmp/profd-test-XXXXXX");
	to = mkstemp(program);
	assert_true(from >= 0 && to >= 0);
	while ((size = read(from, buffer, sizeof(buffer))) > 0)
		assert_int_equal(write(to, buffer, (size_t)size), size);
	assert_ok(fstat(to, &st));
	if (ioctl(to, FS_IOC_GETVERSION, &generation) < 0)
		generation = 0;
	now = clock_ns(CLOCK_MONOTONIC);
	assert_ok(pipeline_init(&p, direct_workers(), &no_kernel, 8 << 20));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pipeline_fini(&p);
	(void)unlink(program);
	return 0;
}

static void event(struct lifecycle_event event)
{
	if (!event.text)
		event.text = "";
	assert_ok(pipeline_event(&p, &event));
}

static void forks(uint64_t time_ns, pid_t parent, pid_t pid)
{
	event((struct lifecycle_event){
		.type = LIFECYCLE_FORK, .time_ns = time_ns, .pid = pid, .parent_pid = parent });
}

static void runs_program(uint64_t time_ns, pid_t pid)
{
	event((struct lifecycle_event){ .type = LIFECYCLE_EXEC, .time_ns = time_ns, .pid = pid });
	event((struct lifecycle_event){ .type = LIFECYCLE_MAP,
					.time_ns = time_ns + 1,
					.pid = pid,
					.start = 0x100000,
					.size = (uint64_t)st.st_size,
					.device_major = major(st.st_dev),
					.device_minor = minor(st.st_dev),
					.inode = st.st_ino,
					.inode_generation = (uint32_t)generation,
					.text = program });
}

static void samples(pid_t pid)
{
	struct sample_builder builder = { .head = { .time_ns = now + 10,
						    .pid = (uint32_t)pid,
						    .tid = (uint32_t)pid,
						    .ip = 0x100010,
						    .outcome = WALK_NO_PROCESS } };
	struct wire_sample *sample;
	size_t size;

	sample = sample_build(&builder, &size);
	assert_ok(pipeline_sample(&p, sample, size));
	free(sample);
}

/* After the events have been used: has the process's program been found? */
static bool finds_program(pid_t pid)
{
	struct process *process;

	assert_ok(unlink(program));
	assert_ok(pipeline_advance(&p, UINT64_MAX));
	process = process_table_find(&p.processes, pid);
	assert_non_null(process);
	assert_int_equal(process->mappings.count, 1);
	pipeline_resolve(&p, process, &process->mappings.at[0]);
	return process->mappings.at[0].object;
}

static void know(pid_t pid)
{
	struct process *process;

	assert_ok(process_table_get(&p.processes, &process, pid));
	process->mappings_known = true;
}

static void files_of_children_are_opened_at_once(void **state)
{
	(void)state;
	p.children = true;
	know(PID);
	/* In any order: they come from several CPUs. */
	runs_program(now + 3, GRANDCHILD);
	forks(now + 2, CHILD, GRANDCHILD);
	forks(now + 1, PID, CHILD);
	assert_ok(new_files_open(&p));
	assert_true(finds_program(GRANDCHILD));
}

static void files_of_strangers_are_not_opened(void **state)
{
	(void)state;
	p.children = true;
	know(PID);
	forks(now, OTHER, CHILD);
	runs_program(now + 1, CHILD);
	assert_ok(new_files_open(&p));
	assert_int_equal(p.processes.files.list.count, 0);
}

static void of_everything_those_with_samples_are_opened(void **state)
{
	(void)state;
	p.everything = true;
	runs_program(now, CHILD);
	assert_ok(new_files_open(&p));
	assert_int_equal(p.processes.files.list.count, 0);
	know(PID);
	runs_program(now, PID);
	samples(PID);
	assert_ok(new_files_open(&p));
	assert_int_equal(p.processes.files.list.count, 1);
	assert_true(finds_program(PID));
}

/* The events have been used by the time of the first sample, but not its own time. */
static void files_of_a_known_process_are_opened_with_its_first_sample(void **state)
{
	(void)state;
	p.everything = true;
	know(PID);
	runs_program(now, PID);
	assert_ok(pipeline_advance(&p, UINT64_MAX));
	samples(PID);
	assert_ok(new_files_open(&p));
	assert_true(finds_program(PID));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(files_of_children_are_opened_at_once),
		TEST(files_of_strangers_are_not_opened),
		TEST(of_everything_those_with_samples_are_opened),
		TEST(files_of_a_known_process_are_opened_with_its_first_sample),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
