// SPDX-License-Identifier: Apache-2.0
/* Processes by pid, and this very process read from /proc. */
#include "test.h"
#include "direct.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/parcel.h"
#include "proc/process_table.h"
#include "proc/stat.h"

static int set_up(void **state)
{
	struct process_table *table = malloc(sizeof(*table));

	*state = table;
	return process_table_init(table, direct_workers());
}

static int tear_down(void **state)
{
	process_table_fini(*state);
	free(*state);
	return 0;
}

static struct process *get(struct process_table *table, pid_t pid)
{
	struct process *process;

	assert_ok(process_table_get(table, &process, pid));
	assert_int_equal(process->pid, pid);
	return process;
}

static void a_pid_has_one_process(void **state)
{
	struct process_table *table = *state;
	struct process *first = get(table, 100);

	assert_null(process_table_find(table, 101));
	assert_ptr_equal(get(table, 100), first);
	get(table, 101);
	assert_ptr_equal(process_table_find(table, 100), first);
}

static void a_removed_process_is_unknown_when_it_comes_again(void **state)
{
	struct process_table *table = *state;
	struct process *process = get(table, 100);

	process->mappings_known = process->target = process->dead = true;
	process->generation = 9;
	process_table_remove(table, 100);
	assert_null(process_table_find(table, 100));
	process_table_remove(table, 100); /* harmless */
	process = get(table, 100);
	assert_false(process->mappings_known);
	assert_false(process->target);
	assert_false(process->dead);
	assert_int_equal(process->generation, 0);
}

static void many_come_and_go(void **state)
{
	struct process_table *table = *state;

	for (pid_t pid = 1; pid <= 2000; pid++)
		get(table, pid);
	for (pid_t pid = 1; pid <= 2000; pid += 3)
		process_table_remove(table, pid);
	for (pid_t pid = 1; pid <= 2000; pid++) {
		struct process *process = process_table_find(table, pid);

		if (pid % 3 == 1) {
			assert_null(process);
			continue;
		}
		assert_non_null(process);
		assert_int_equal(process->pid, pid);
	}
	assert_int_equal(table->processes.count, 2000 - 667);
}

static void we_are_read_from_proc(void **state)
{
	struct process_table *table = *state;
	struct process *process = get(table, getpid());
	struct mapping *code, *vdso;
	uint64_t here = (uint64_t)(uintptr_t)we_are_read_from_proc;

	prctl(PR_SET_NAME, "a (b) c");
	assert_ok(process_table_read(table, process));
	assert_string_equal(process->comm, "a (b) c");
	assert_true(process->start_time > 0);
	assert_true(process->mappings_known);
	assert_true(process->dirty);
	for (uint32_t i = 1; i < process->mappings.count; i++)
		assert_true(process->mappings.at[i - 1].end <= process->mappings.at[i].start);

	code = process_mapping(process, here);
	assert_non_null(code);
	assert_int_equal(code->kind, MAPPING_FILE);
	assert_false(process_table_knows(table, code));
	process_table_resolve(table, process, code, true);
	assert_non_null(code->object);
	assert_true(process_table_knows(table, code));
	assert_string_equal(code->object->path, strtab_get(&table->paths, code->path));
	/* The bias is right when the function lies in executable code of the file. */
	assert_non_null(object_segment_of(code->object, here - code->bias));

	vdso = process_mapping(process, getauxval(AT_SYSINFO_EHDR));
	if (vdso) {
		assert_int_equal(vdso->kind, MAPPING_VDSO);
		process_table_resolve(table, process, vdso, true);
		assert_non_null(vdso->object);
		assert_int_equal(vdso->bias, vdso->start);
	}
	/* Reading again finds the same files and objects. */
	process_table_resolve(table, process, code, true);
	assert_ok(process_table_read(table, process));
	code = process_mapping(process, here);
	assert_null(code->object);
	process_table_resolve(table, process, code, true);
	assert_non_null(code->object);
}

static void *wait_for_the_end(void *argument)
{
	for (;;)
		pause();
	return argument;
}

/* To /proc/PID it is a zombie then, which has no mappings. */
static void a_process_is_read_by_a_thread_that_lives(void **state)
{
	struct process_table *table = *state;
	uint64_t here = (uint64_t)(uintptr_t)a_process_is_read_by_a_thread_that_lives;
	struct process *process;
	struct proc_stat stat;
	pthread_t thread;
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (pthread_create(&thread, NULL, wait_for_the_end, NULL) != 0)
			_exit(1);
		syscall(SYS_exit, 0); /* only this thread */
	}
	do
		assert_ok(proc_stat_read(&stat, pid));
	while (stat.state != 'Z');
	assert_true(proc_living_thread(pid) > 0 && proc_living_thread(pid) != pid);
	process = get(table, pid);
	assert_ok(process_table_read(table, process));
	assert_int_equal(process->thread, proc_living_thread(pid));
	assert_non_null(process_mapping(process, here));
	assert_ok(kill(pid, SIGKILL));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_errno(proc_living_thread(pid), ESRCH);
	assert_int_equal(proc_living_thread(getpid()), getpid());
}

/* A process that is gone has its files from another one that had them. */
static void the_files_of_the_dead_are_remembered(void **state)
{
	struct process_table *table = *state;
	struct process *us = get(table, getpid()), *dead;
	uint64_t here = (uint64_t)(uintptr_t)the_files_of_the_dead_are_remembered;
	struct mapping *ours, *theirs;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_ok(process_table_read(table, us));
	dead = get(table, pid);
	assert_errno(process_table_read(table, dead), ESRCH);
	assert_ok(process_inherit(dead, us));
	ours = process_mapping(us, here);
	theirs = process_mapping(dead, here);
	process_table_resolve(table, us, ours, true);
	process_table_resolve(table, dead, theirs, true);
	assert_ptr_equal(theirs->object, ours->object);
	assert_int_equal(theirs->bias, ours->bias);
}

static void copy_file(const char *from, int to)
{
	cleanup(close) int fd = open(from, O_RDONLY | O_CLOEXEC);
	char buffer[65536];
	ssize_t size;

	assert_true(fd >= 0 && to >= 0);
	while ((size = read(fd, buffer, sizeof(buffer))) > 0)
		assert_int_equal(write(to, buffer, (size_t)size), size);
}

/* Written over in place, while it is mapped: other code, though nobody tells of a mapping. */
static void a_file_that_is_written_over_is_another_object(void **state)
{
	struct process_table *table = *state;
	struct process *process = get(table, getpid());
	cleanup(close) int fd = memfd_create("library", MFD_CLOEXEC);
	struct mapping mapping = { .kind = MAPPING_FILE }, *ours;
	struct object *before;
	struct stat st;
	void *memory;

	copy_file("/proc/self/exe", fd);
	assert_ok(fstat(fd, &st));
	memory = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_true(memory != MAP_FAILED);
	mapping.start = (uint64_t)(uintptr_t)memory;
	mapping.end = mapping.start + 4096;
	mapping.inode = st.st_ino;
	mapping.device_major = major(st.st_dev);
	mapping.device_minor = minor(st.st_dev);
	assert_ok(strtab_add_str(&table->paths, &mapping.path, "/memfd:library (deleted)"));
	assert_ok(process_map(process, &mapping));
	ours = process_mapping(process, mapping.start);
	process_table_resolve(table, process, ours, true);
	if (!ours->object) {
		munmap(memory, 4096);
		skip(); /* map_files is for root */
	}
	before = object_ref(ours->object);
	process_table_check(table, process, 1);
	assert_ptr_equal(ours->object, before);
	process->generation = 5;
	assert_int_equal(pwrite(fd, "more", 4, st.st_size), 4);
	process_table_check(table, process, 1); /* once in a round */
	assert_ptr_equal(ours->object, before);
	process_table_check(table, process, 2);
	assert_null(ours->object);
	assert_true(process_changed(process, 5, mapping.start));
	process_table_resolve(table, process, ours, true); /* not yet */
	assert_null(ours->object);
	process_take_contents(process, clock_ns(CLOCK_MONOTONIC));
	assert_int_equal(ours->mapped_ns, process->known_since_ns);
	process_table_resolve(table, process, ours, true);
	assert_non_null(ours->object);
	assert_ptr_not_equal(ours->object, before);
	process_table_check(table, process, 3);
	assert_non_null(ours->object);
	/* And when it is mapped anew at the same place, that is news. */
	process->reuses_addresses = false;
	assert_int_equal(pwrite(fd, "more", 4, st.st_size + 4), 4);
	assert_ok(process_map(process, &mapping));
	assert_null(process_mapping(process, mapping.start)->object);
	assert_false(process_mapping(process, mapping.start)->resolved);
	assert_true(process->reuses_addresses);
	object_unref(before);
	munmap(memory, 4096);
}

/*
 * On an overlay the file that was written to may be another than the one that runs, which has the
 * same name; its file system might never answer, so the reader looks.
 */
static void a_file_of_an_overlay_that_is_written_over_is_unknown(void **state)
{
	struct process_table *table = *state;
	struct process *process = get(table, getpid());
	cleanup(close) int fd = memfd_create("library", MFD_CLOEXEC);
	struct mapping mapping = { .start = 0x1000, .end = 0x2000, .kind = MAPPING_FILE }, *ours;
	struct opened opened;
	struct object *object;

	(void)state;
	copy_file("/proc/self/exe", fd);
	opened = direct_opened(fd);
	opened.may_block = opened.overlay = true;
	assert_ok(object_cache_get(table->objects, &object, parcel_make(fd), -1, &opened, "lib"));
	mapping.object = object_ref(object);
	mapping.resolved = true;
	assert_ok(process_map(process, &mapping));
	ours = process_mapping(process, 0x1000);
	process_table_check(table, process, 1);
	assert_ptr_equal(ours->object, object);
	process->generation = 5;
	assert_int_equal(pwrite(fd, "more", 4, (off_t)opened.identity.size), 4);
	process_table_check(table, process, 2); /* not so often */
	assert_ptr_equal(ours->object, object);
	assert_true(object_is_unchanged(object));
	object->state_ns = 0; /* some time later */
	process_table_check(table, process, 3);
	assert_null(ours->object);
	assert_true(process_changed(process, 5, 0x1000));
	assert_false(ask_is_unchanged(table->workers, object, 0));
	process_take_contents(process, clock_ns(CLOCK_MONOTONIC));
	assert_true(ours->resolved);
	/* What is mapped from now on is what it holds now. */
	mapping.object = NULL;
	mapping.resolved = false;
	assert_ok(process_map(process, &mapping));
	assert_false(process_mapping(process, 0x1000)->resolved);
	object_unref(object);
}

static void many_files_are_asked_about_at_once(void **state)
{
	struct process_table *table = *state;
	struct object *objects[3];
	int fds[3];

	for (unsigned i = 0; i < 3; i++) {
		struct opened opened;

		fds[i] = memfd_create("library", MFD_CLOEXEC);
		copy_file("/proc/self/exe", fds[i]);
		opened = direct_opened(fds[i]);
		opened.may_block = true;
		assert_ok(object_cache_get(table->objects, &objects[i], parcel_make(fds[i]), -1,
					   &opened, "lib"));
	}
	assert_int_equal(write(fds[1], "more", 4), 4);
	objects[2]->known_by = 0; /* the reader has to be given its file */
	assert_int_equal(write(fds[2], "more", 4), 4);
	ask_about_changes(table->workers, objects, 3);
	assert_true(object_is_unchanged(objects[0]));
	assert_false(object_is_unchanged(objects[1]));
	assert_false(object_is_unchanged(objects[2]));
	for (unsigned i = 0; i < 3; i++) {
		object_unref(objects[i]);
		close(fds[i]);
	}
}

static void count_forgotten(void *context, const struct object *object)
{
	assert_true(object->forgotten);
	++*(uint32_t *)context;
}

/* Files of no content are enough: that they are no programs is remembered, too. */
static void add_empty_files(struct process_table *table, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct opened opened = { .identity = { .inode = i, .mtime_ns = 5 } };
		struct object *object = NULL;

		assert_true(object_cache_get(table->objects, &object,
					     memfd_create("empty", MFD_CLOEXEC), -1, &opened,
					     "empty") != 0);
	}
}

/* A machine that runs ever new programs: what is kept of those that are gone is bounded. */
static void of_many_files_the_latest_are_kept(void **state)
{
	struct process_table *table = *state;
	struct process *process = get(table, getpid());
	uint64_t here = (uint64_t)(uintptr_t)of_many_files_the_latest_are_kept;
	uint32_t forgotten = 0, path;
	struct mapping *code;
	char name[PATH_MAX]; /* the path of this very program, wherever it was built */

	assert_ok(process_table_read(table, process));
	code = process_mapping(process, here);
	process_table_resolve(table, process, code, true);
	assert_non_null(code->object);
	add_empty_files(table, 6000);
	for (uint32_t i = 0; i < 40000; i++) {
		snprintf(name, sizeof(name), "/tmp/conftest%u", i);
		assert_ok(strtab_add_str(&table->paths, &path, name));
	}
	snprintf(name, sizeof(name), "%s", strtab_get(&table->paths, code->path));
	/* All of them were used just now, but names are only names. */
	process_table_forget_unused(table, 0, count_forgotten, &forgotten);
	assert_int_equal(forgotten, 0);
	assert_true(table->paths.offsets.count < 1000);
	assert_string_equal(strtab_get(&table->paths, code->path), name);
	assert_true(process_table_knows(table, code));
	/* The one that was used first is open: somebody has it mapped. */
	process_table_forget_unused(table, UINT64_MAX, count_forgotten, &forgotten);
	assert_int_equal(forgotten, 0);
	assert_true(process_table_knows(table, code));
	object_close(code->object);
	assert_true(object_cache_forget(table->objects, 4000, UINT64_MAX, count_forgotten,
					&forgotten));
	assert_int_equal(forgotten, 1);
	assert_true(code->object->forgotten); /* what has it mapped still has it */
	assert_false(object_cache_forget(table->objects, 4000, UINT64_MAX, count_forgotten,
					 &forgotten));
}

/* Another path to the same file for each number. */
static void spell_path(char *ret, const char *path, unsigned number)
{
	const char *slash = strrchr(path, '/');

	memcpy(ret, path, (size_t)(slash - path));
	ret += slash - path;
	for (unsigned bit = 0; bit < 20; bit++)
		ret += sprintf(ret, number >> bit & 1 ? "/." : "//.");
	strcpy(ret, slash);
}

/* Whoever renames his file again and again is not to fill the memory with its names. */
static void a_file_that_is_renamed_all_the_time_is_known_by_its_latest_names(void **state)
{
	enum { RENAMES = 100000 };
	struct process_table *table = *state;
	struct process *process = get(table, getpid());
	uint64_t here =
		(uint64_t)(uintptr_t)a_file_that_is_renamed_all_the_time_is_known_by_its_latest_names;
	char real[PATH_MAX], path[PATH_MAX + 64];
	struct mapping code, first;
	uint32_t most_files = 0, most_bytes = 0, references;

	assert_ok(process_table_read(table, process));
	code = *process_mapping(process, here);
	snprintf(real, sizeof(real), "%s", strtab_get(&table->paths, code.path));
	for (unsigned i = 0; i < RENAMES; i++) {
		struct mapping mapping = code;

		spell_path(path, real, i);
		assert_ok(process_table_path(table, &mapping.path, path, strlen(path)));
		process->files = 0; /* each time it is the only one */
		process_table_resolve(table, process, &mapping, false);
		assert_non_null(mapping.object);
		assert_true(process_table_knows(table, &mapping));
		references = mapping.object->references;
		object_unref(mapping.object);
		if (i == 0)
			first = mapping;
		if (table->files.list.count > most_files)
			most_files = table->files.list.count;
		if (i % 1000 == 0)
			process_table_forget_unused(table, 0, count_forgotten, &(uint32_t){ 0 });
		if (table->paths.bytes.count > most_bytes)
			most_bytes = table->paths.bytes.count;
	}
	assert_true(most_files <= 32768);
	assert_true(references <= 32768 + 2);
	assert_true(most_bytes < 64 << 20);
	/* Ids of paths have changed since. */
	spell_path(path, real, 0);
	assert_ok(process_table_path(table, &first.path, path, strlen(path)));
	assert_false(process_table_knows(table, &first));
	spell_path(path, real, RENAMES - 1);
	assert_ok(process_table_path(table, &first.path, path, strlen(path)));
	assert_true(process_table_knows(table, &first));
}

/* Who maps ever more files leaves as many that may be open as he has. */
static void a_process_does_not_have_all_files_open(void **state)
{
	struct process_table *table = *state;
	struct process *process = get(table, getpid()), *other = get(table, 1);
	uint64_t here = (uint64_t)(uintptr_t)a_process_does_not_have_all_files_open;
	struct mapping code, mapping;
	unsigned opened = 0;

	assert_ok(process_table_read(table, process));
	code = *process_mapping(process, here);
	table->open_files_max = 20;
	for (unsigned i = 0; i < 100; i++) {
		mapping = code;
		process_table_resolve(table, process, &mapping, false);
		assert_int_equal(mapping.resolved, mapping.object != NULL);
		opened += mapping.object != NULL;
		object_unref(mapping.object);
	}
	assert_int_equal(object_cache_open_files(table->objects), 1);
	assert_int_equal(opened, 18); /* one is open, one would be */
	assert_int_equal(process->files, opened);
	mapping = code;
	process_table_resolve(table, other, &mapping, false);
	assert_non_null(mapping.object);
	object_unref(mapping.object);
}

/* Paths of 4 KiB that living processes have mapped cannot be dropped. */
static void long_paths_have_an_end(void **state)
{
	struct process_table *table = *state;
	static char path[4096];
	uint32_t id, short_id;

	memset(path, 'x', sizeof(path) - 1);
	for (unsigned i = 0; i < 40000; i++) {
		snprintf(path, 16, "/%08u", i);
		path[9] = '/';
		assert_ok(process_table_path(table, &id, path, sizeof(path) - 1));
	}
	assert_int_equal(id, 0);
	assert_true(table->paths.bytes.count <= 64 << 20);
	for (unsigned i = 0; i < 1000; i++) { /* what is left */
		char rest[32];

		snprintf(rest, sizeof(rest), "/lib/%08u", i);
		assert_ok(process_table_path(table, &id, rest, strlen(rest)));
	}
	assert_ok(process_table_path(table, &short_id, "/usr/lib/libfoo.so", 18));
	assert_string_equal(strtab_get(&table->paths, short_id), "libfoo.so");
	/* Those that are there stay what they are. */
	snprintf(path, 16, "/%08u", 7);
	path[9] = '/';
	assert_ok(process_table_path(table, &id, path, sizeof(path) - 1));
	assert_string_equal(strtab_get(&table->paths, id), path);
	/* Nobody has them mapped. */
	process_table_forget_unused(table, 0, count_forgotten, &id);
	assert_true(table->paths.bytes.count < 4096);
	assert_ok(process_table_path(table, &id, path, sizeof(path) - 1));
	assert_string_equal(strtab_get(&table->paths, id), path);
}

/* What the kernel calls such a file is forgotten with it. */
static void a_forgotten_file_is_looked_for_again(void **state)
{
	struct process_table *table = *state;
	struct process *process = get(table, getpid());
	uint64_t here = (uint64_t)(uintptr_t)a_forgotten_file_is_looked_for_again;
	struct object *before;
	uint32_t forgotten = 0;
	struct mapping *code;

	assert_ok(process_table_read(table, process));
	code = process_mapping(process, here);
	process_table_resolve(table, process, code, true);
	before = object_ref(code->object);
	object_close(before);
	add_empty_files(table, 6000);
	process_table_forget_unused(table, UINT64_MAX, count_forgotten, &forgotten);
	assert_int_equal(forgotten, 1);
	assert_false(process_table_knows(table, code));
	assert_ok(process_table_read(table, process));
	code = process_mapping(process, here);
	process_table_resolve(table, process, code, true);
	assert_non_null(code->object);
	assert_ptr_not_equal(code->object, before);
	assert_true(process_table_knows(table, code));
	object_unref(before);
}

static void anonymous_code_has_no_object(void **state)
{
	struct process_table *table = *state;
	struct process *process = get(table, getpid());
	struct mapping mapping = { .start = 0x1000, .end = 0x2000, .kind = MAPPING_ANONYMOUS };

	assert_ok(process_map(process, &mapping));
	process_table_resolve(table, process, &process->mappings.at[0], true);
	assert_true(process->mappings.at[0].resolved);
	assert_null(process->mappings.at[0].object);
}

/* Our own program once more, as ld.so would map it; returns where, and where it ends. */
static char *map_again(const struct object *object, const char *path, char **end)
{
	uint64_t page = 4096, size = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *base;

	assert_true(fd >= 0);
	for (uint32_t i = 0; i < object->segments.count; i++)
		if (object->segments.at[i].address + object->segments.at[i].memory_size > size)
			size = object->segments.at[i].address + object->segments.at[i].memory_size;
	/* Nothing lies beside it: what does belongs to something else. */
	base = mmap(NULL, size + 4 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(base != MAP_FAILED);
	base += 2 * page;
	for (uint32_t i = 0; i < object->segments.count; i++) {
		const struct object_segment *segment = &object->segments.at[i];
		uint64_t before = segment->address % page;

		assert_true(mmap(base + segment->address - before, segment->file_size + before,
				 PROT_READ | (segment->executable ? PROT_EXEC : 0),
				 MAP_PRIVATE | MAP_FIXED, fd,
				 (off_t)(segment->file_offset - before)) != MAP_FAILED);
	}
	close(fd);
	*end = base + size;
	return base;
}

static void cover(char *start, size_t size)
{
	assert_true(mmap(start, size, PROT_READ | PROT_EXEC,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED);
}

static void code_that_was_copied_is_still_the_files(void **state)
{
	struct process_table *table = *state;
	struct process *process = get(table, getpid());
	const uint64_t page = 4096;
	const uint64_t here = (uint64_t)(uintptr_t)code_that_was_copied_is_still_the_files;
	const struct object_segment *segment;
	struct mapping *code;
	char *base, *end, *text;
	uint64_t size;

	assert_ok(process_table_read(table, process));
	code = process_mapping(process, here);
	assert_non_null(code);
	process_table_resolve(table, process, code, true);
	assert_non_null(code->object);
	segment = object_segment_of(code->object, here - code->bias);
	assert_non_null(segment);
	base = map_again(code->object, strtab_get(&table->paths, code->path), &end);
	text = base + segment->address - segment->address % page;
	size = (segment->address % page + segment->memory_size + page - 1) & ~(page - 1);

	/* A page of it, then all: seen when it is looked at again, and when for the first time. */
	for (uint64_t bytes = page; bytes <= size; bytes += size - page) {
		cover(text, bytes);
		assert_ok(process_table_look_again(table, process));
		for (int first = 0; first < 2; first++) {
			code = process_mapping(process, (uint64_t)(uintptr_t)text);
			assert_non_null(code);
			assert_non_null(code->object);
			assert_int_equal(code->bias, (uint64_t)(uintptr_t)base);
			assert_ok(process_table_read(table, process));
		}
		code = process_mapping(process, (uint64_t)(uintptr_t)text);
		assert_int_equal(code->kind, MAPPING_ANONYMOUS);
		if (bytes == size)
			break;
	}
	/* Memory that reaches beyond the code is other code, and so is all when the file is gone. */
	assert_ok(munmap(text, size));
	cover(text - page, page);
	assert_ok(process_table_read(table, process));
	code = process_mapping(process, (uint64_t)(uintptr_t)text - page);
	assert_non_null(code);
	assert_null(code->object);
	assert_ok(munmap(base, (size_t)(end - base)));
	cover(text, size);
	assert_ok(process_table_look_again(table, process));
	code = process_mapping(process, (uint64_t)(uintptr_t)text);
	assert_non_null(code);
	assert_null(code->object);
	assert_ok(munmap(text, size));
}

static void moved_code_is_found_again(void **state)
{
	struct process_table *table = *state;
	struct process *process = get(table, getpid());
	const uint64_t page = 4096;
	char *end, *base, *text, *room, *moved;
	const struct object_segment *segment;
	struct mapping *code;

	assert_ok(process_table_read(table, process));
	code = process_mapping(process, (uint64_t)(uintptr_t)moved_code_is_found_again);
	process_table_resolve(table, process, code, true);
	segment = object_segment_of(code->object,
				    (uint64_t)(uintptr_t)moved_code_is_found_again - code->bias);
	base = map_again(code->object, strtab_get(&table->paths, code->path), &end);
	text = base + segment->address - segment->address % page;
	assert_ok(process_table_look_again(table, process));
	code = process_mapping(process, (uint64_t)(uintptr_t)text);
	process_table_resolve(table, process, code, true);
	assert_int_equal(code->bias, (uint64_t)(uintptr_t)base);
	room = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	moved = mremap(text, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, room + page);
	assert_ptr_equal(moved, room + page);
	assert_null(process_mapping(process, (uint64_t)(uintptr_t)moved));
	process->generation = 5;
	assert_ok(process_table_look_again(table, process));
	code = process_mapping(process, (uint64_t)(uintptr_t)moved);
	assert_non_null(code);
	process_table_resolve(table, process, code, true);
	assert_int_equal(code->bias, (uint64_t)(uintptr_t)(base + (moved - text)));
	/* What stayed where it was is not taken for changed. */
	assert_true(process_changed(process, 5, (uint64_t)(uintptr_t)moved));
	assert_false(process_changed(process, 5, (uint64_t)(uintptr_t)moved_code_is_found_again));
	assert_ok(munmap(base, (size_t)(end - base)));
	assert_ok(munmap(room, 3 * page));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_pid_has_one_process, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_removed_process_is_unknown_when_it_comes_again,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_come_and_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(we_are_read_from_proc, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_process_is_read_by_a_thread_that_lives, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(the_files_of_the_dead_are_remembered, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_file_that_is_written_over_is_another_object,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_file_of_an_overlay_that_is_written_over_is_unknown, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_files_are_asked_about_at_once, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(of_many_files_the_latest_are_kept, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			a_file_that_is_renamed_all_the_time_is_known_by_its_latest_names, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(long_paths_have_an_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_process_does_not_have_all_files_open, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_forgotten_file_is_looked_for_again, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(anonymous_code_has_no_object, set_up, tear_down),
		cmocka_unit_test_setup_teardown(code_that_was_copied_is_still_the_files, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(moved_code_is_found_again, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
