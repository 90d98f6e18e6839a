// SPDX-License-Identifier: Apache-2.0
/*
 * library_turns HOW MILLISECONDS FOLDER LIBRARY...
 *
 * Loads one library after the other, works in it for MILLISECONDS of CPU time, and unloads it. The
 * kernel mostly gives the next one the addresses of the one before. HOW the libraries come:
 *
 *     path       as they are
 *     memory     each time as a new memfd, by /proc/self/fd/N
 *     rename     as FOLDER/library.so, a new file each time, put in the place of the one before
 *     overwrite  as FOLDER/library.so, one file that each time is written over
 *     unlink     as FOLDER/library.so, a new file each time, without a name while it runs
 *     beneath    as FOLDER/library.so, loaded only once, and written over while it is there; so all
 *                of them have to have their code at the same places (plugin_red.so, plugin_tan.so)
 *
 * True stacks: main, turn, plugin_run, NAME_middle, NAME_leaf. Prints how many turns there were,
 * how many of them lay where the one before had been, and the CPU time spent in each library.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "target.h"

enum { MAX_LIBRARIES = 16 };

static char folder_path[4096], folder_new[4096];

FUNCTION uint64_t turn(void *handle, uint64_t value, uint64_t limit_ns, uintptr_t *ret_address);

uint64_t turn(void *handle, uint64_t value, uint64_t limit_ns, uintptr_t *ret_address)
{
	uint64_t (*run)(uint64_t) = (uint64_t(*)(uint64_t))(uintptr_t)dlsym(handle, "plugin_run");
	uint64_t end_ns = target_clock_ns(CLOCK_PROCESS_CPUTIME_ID) + limit_ns;

	*ret_address = (uintptr_t)run & ~(uintptr_t)0xfff;
	while (!target_stopped && target_clock_ns(CLOCK_PROCESS_CPUTIME_ID) < end_ns)
		value = run(value);
	NO_TAIL_CALL(value);
	return value;
}

static void copy(const char *from, int to)
{
	char buffer[65536];
	int fd = open(from, O_RDONLY | O_CLOEXEC);
	ssize_t size;

	if (fd < 0 || to < 0)
		exit(1);
	while ((size = read(fd, buffer, sizeof(buffer))) > 0)
		if (write(to, buffer, (size_t)size) != size)
			exit(1);
	close(fd);
}

static int is(const char *how, const char *what)
{
	return strcmp(how, what) == 0;
}

static void *load(const char *how, const char *library)
{
	static void *beneath;
	const char *path = library;
	char own[64];
	void *handle;
	int fd = -1;

	if (is(how, "memory")) {
		fd = memfd_create("library", MFD_CLOEXEC);
		copy(library, fd);
		snprintf(own, sizeof(own), "/proc/self/fd/%d", fd);
		path = own;
	} else if (is(how, "rename") || is(how, "unlink")) {
		fd = open(folder_new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
		copy(library, fd);
		rename(folder_new, folder_path);
		path = folder_path;
	} else if (is(how, "overwrite") || is(how, "beneath")) {
		/* Cut off, it would lose what the loader has written into its private pages. */
		fd = open(folder_path, O_WRONLY | O_CREAT | O_CLOEXEC | (beneath ? 0 : O_TRUNC), 0755);
		copy(library, fd);
		path = folder_path;
	}
	if (fd >= 0 && !is(how, "memory"))
		close(fd);
	if (beneath)
		return beneath;
	handle = dlopen(path, RTLD_NOW);
	if (!handle) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	if (is(how, "unlink"))
		unlink(path);
	if (is(how, "memory"))
		close(fd);
	if (is(how, "beneath"))
		beneath = handle;
	return handle;
}

int main(int argc, char **argv)
{
	uint64_t value = 1, turns = 0, same = 0, limit_ns, spent[MAX_LIBRARIES] = { 0 };
	uintptr_t address, previous = 0;
	unsigned int libraries;

	if (argc < 5 || argc > 4 + MAX_LIBRARIES)
		return 2;
	libraries = (unsigned int)argc - 4;
	limit_ns = (uint64_t)atol(argv[2]) * 1000000u;
	snprintf(folder_path, sizeof(folder_path), "%s/library.so", argv[3]);
	snprintf(folder_new, sizeof(folder_new), "%s/library.new", argv[3]);
	target_begin(NULL);
	target_ready();
	while (!target_stopped) {
		unsigned int which = turns++ % libraries;
		void *handle = load(argv[1], argv[4 + which]);
		uint64_t begin = target_clock_ns(CLOCK_PROCESS_CPUTIME_ID);

		value = turn(handle, value, limit_ns, &address);
		spent[which] += target_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begin;
		if (!is(argv[1], "beneath"))
			dlclose(handle);
		same += address == previous;
		previous = address;
	}
	printf("{\"turns\": %llu, \"same_place\": %llu, \"value\": %llu, \"cpu_ns\": [",
	       (unsigned long long)turns, (unsigned long long)same, (unsigned long long)value);
	for (unsigned int i = 0; i < libraries; i++)
		printf("%s%llu", i ? ", " : "", (unsigned long long)spent[i]);
	printf("]}\n");
	return 0;
}
