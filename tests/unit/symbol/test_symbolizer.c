// SPDX-License-Identifier: Apache-2.0
#include "test.h"
#include "direct.h"

#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "elf/elf_image.h"
#include "elf/go_image.h"
#include "elf/object_file.h"
#include "symbol/symbolizer.h"

/* Twice 2 KiB would be much on a stack. */
static struct symbol symbol, again;

static struct symbolizer *new_symbolizer(bool kernel_names)
{
	const struct symbolizer_options options = { .kernel_names = kernel_names };
	struct symbolizer *symbolizer = NULL;

	assert_ok(symbolizer_new(&symbolizer, &options, direct_workers()));
	return symbolizer;
}

static int take(void *context, uint32_t number, const struct symbol *found)
{
	assert_int_equal(number, 0);
	*(struct symbol *)context = *found;
	return 0;
}

static int name_one(struct symbolizer *symbolizer, struct symbol *ret, struct object *object,
		    uint64_t address)
{
	return symbolizer_object(symbolizer, object, &address, 1, take, ret);
}

static int name_kernel(struct symbolizer *symbolizer, struct symbol *ret, uint64_t address)
{
	return symbolizer_kernel(symbolizer, &address, 1, take, ret);
}

static int name_jit(struct symbolizer *symbolizer, struct symbol *ret, pid_t pid, uint64_t address)
{
	return symbolizer_jit(symbolizer, pid, 0, &address, 1, take, ret);
}

static void check(const char *name, const char *system_name, bool named)
{
	assert_int_equal(symbol.line_count, 1);
	assert_string_equal(symbol.lines[0].name, name);
	assert_string_equal(symbol.lines[0].system_name, system_name);
	assert_string_equal(symbol.lines[0].file, "");
	assert_int_equal(symbol.lines[0].line, 0);
	assert_int_equal(symbol.named, named);
}

static void test_object(void **state)
{
	static const struct image_symbol symbols[] = {
		{ "_ZN2ns1f1gEv", IMAGE_TEXT, 16, STT_FUNC, STB_GLOBAL },
		{ "plain", IMAGE_TEXT + 16, 16, STT_FUNC, STB_GLOBAL },
	};
	cleanup(symbolizer_free) struct symbolizer *symbolizer = new_symbolizer(false);
	cleanup(object_unref) struct object *object = NULL, *other = NULL;
	struct image image;
	const char *first;

	(void)state;
	image_make(&image, symbols, 2);
	assert_ok(object_open(&object, image_open(&image), "/opt/libfoo.so"));
	assert_ok(name_one(symbolizer, &symbol, object, IMAGE_TEXT));
	check("ns::f::g", "_ZN2ns1f1gEv", true);
	first = symbol.lines[0].name;
	assert_ok(name_one(symbolizer, &symbol, object, IMAGE_TEXT + 16));
	check("plain", "plain", true);
	assert_ok(name_one(symbolizer, &symbol, object, IMAGE_TEXT + 15));
	check("ns::f::g", "_ZN2ns1f1gEv", true);
	assert_ptr_equal(symbol.lines[0].name, first);
	assert_ok(name_one(symbolizer, &symbol, object, IMAGE_TEXT + 32));
	check("[libfoo.so]", "[libfoo.so]", false);
	assert_true(symbolizer_cost_ns(symbolizer) > 0);

	/* Another object with the same numbers inside. */
	image_make(&image, symbols + 1, 1);
	image.symbols[1].st_value = IMAGE_TEXT;
	assert_ok(object_open(&other, image_open(&image), "/"));
	assert_ok(name_one(symbolizer, &symbol, other, IMAGE_TEXT));
	check("plain", "plain", true);
	assert_ok(name_one(symbolizer, &symbol, other, 0));
	check("[unknown]", "[unknown]", false);
}

/* A stripped Go program; what a symbol table says comes first, elsewhere. */
static void test_go(void **state)
{
	static const struct go_image_function functions[] = {
		GO_FUNCTION("main.(*T).work", 0, "\x90\xc3", { 2, 0 }),
		GO_FUNCTION("runtime.goexit", GOPCLNTAB_TOP_FRAME, "\x90\xc3", { 2, 0 }),
	};
	cleanup(symbolizer_free) struct symbolizer *symbolizer = new_symbolizer(false);
	cleanup(object_unref) struct object *object = NULL;
	struct go_image image;

	(void)state;
	go_image_make(&image, GOPCLNTAB_1_20, functions, 2);
	object = go_image_open(&image);
	assert_non_null(object);
	assert_ok(name_one(symbolizer, &symbol, object, GO_TEXT));
	check("main.(*T).work", "main.(*T).work", true);
	assert_ok(name_one(symbolizer, &symbol, object, GO_TEXT + GO_FUNCTION_BYTES + 1));
	check("runtime.goexit", "runtime.goexit", true);
	assert_ok(name_one(symbolizer, &symbol, object, GO_TEXT + 2 * GO_FUNCTION_BYTES));
	check("[go]", "[go]", false);
}

static int own_bias(struct dl_phdr_info *info, size_t size, void *bias)
{
	(void)size;
	*(uint64_t *)bias = info->dlpi_addr;
	return 1;
}

/* This program without its section headers: stripped as far as it goes, exception tables stay. */
static void test_function_start(void **state)
{
	cleanup(symbolizer_free) struct symbolizer *symbolizer = new_symbolizer(false);
	cleanup(object_unref) struct object *object = NULL;
	cleanup(close) int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	const Elf64_Off nowhere = 0;
	uint64_t bias = 0, address;
	char expected[64], chunk[65536];
	ssize_t size;
	int copy = memfd_create("stripped", MFD_CLOEXEC);

	(void)state;
	while ((size = read(self, chunk, sizeof(chunk))) > 0)
		assert_int_equal(write(copy, chunk, (size_t)size), size);
	assert_int_equal(pwrite(copy, &nowhere, sizeof(nowhere), offsetof(Elf64_Ehdr, e_shoff)),
			 sizeof(nowhere));
	/* The build ID must not lead to a debug file of this very test. */
	assert_ok(object_open(&object, copy, "/opt/test program"));
	object->build_id_size = 0;
	dl_iterate_phdr(own_bias, &bias);
	address = (uintptr_t)test_function_start - bias;
	snprintf(expected, sizeof(expected), "test program+0x%lx", (unsigned long)address);
	assert_ok(name_one(symbolizer, &symbol, object, address + 20));
	check(expected, expected, false);
	assert_ok(name_one(symbolizer, &again, object, address));
	assert_ptr_equal(symbol.lines[0].name, again.lines[0].name);
}

static void test_vdso(void **state)
{
	cleanup(symbolizer_free) struct symbolizer *symbolizer = new_symbolizer(false);
	cleanup(object_unref) struct object *object = NULL;

	(void)state;
	assert_ok(object_open_vdso(&object));
	assert_ok(name_one(symbolizer, &symbol, object, UINT64_MAX));
	check("[vdso]", "[vdso]", false);
}

static void test_kernel(void **state)
{
	cleanup(symbolizer_free) struct symbolizer *none = new_symbolizer(false);
	cleanup(symbolizer_free) struct symbolizer *symbolizer = new_symbolizer(true);

	(void)state;
	assert_ok(name_kernel(none, &symbol, 0xffffffff81000000));
	check("[kernel]", "[kernel]", false);
	assert_null(symbolizer_kernel_trouble(none));
	/* Whatever this machine allows, there is an answer that can be shown. */
	assert_ok(name_kernel(symbolizer, &symbol, 16));
	check("[kernel]", "[kernel]", false);
}

static void test_jit(void **state)
{
	cleanup(symbolizer_free) struct symbolizer *symbolizer = new_symbolizer(false);
	char path[64];
	FILE *file;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	(void)unlink(path);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs("1000 10 LazyCompile:~f\n2000 10 _ZN3jit4codeEv\n", file);
	fclose(file);
	assert_ok(name_jit(symbolizer, &symbol, getpid(), 0x1008));
	check("LazyCompile:~f", "LazyCompile:~f", true);
	assert_ok(unlink(path));
	assert_ok(name_jit(symbolizer, &symbol, getpid(), 0x2008));
	check("jit::code", "_ZN3jit4codeEv", true);
	assert_ok(name_jit(symbolizer, &symbol, getpid(), 0x3000));
	check("[jit]", "[jit]", false);
	/* The kernel's own numbers for "no such process". */
	assert_ok(name_jit(symbolizer, &symbol, 0, 0x1000));
	check("[jit]", "[jit]", false);
}

static int take_number(void *context, uint32_t number, const struct symbol *found)
{
	char expected[32];

	snprintf(expected, sizeof(expected), number % 3 ? "ns::f%04u" : "f%04u", number);
	assert_string_equal(found->lines[0].name, expected);
	assert_true(found->named);
	assert_int_equal(number, (*(uint32_t *)context)++);
	return 0;
}

/* Many at once take few questions, and each has its own readable form. */
static void test_many_jit_names(void **state)
{
	enum { NAMES = 4096 };
	cleanup(symbolizer_free) struct symbolizer *symbolizer = new_symbolizer(false);
	struct workers *workers = direct_workers();
	static uint64_t addresses[NAMES];
	uint64_t before = workers->reader.sequence;
	uint32_t told = 0;
	char path[64];
	FILE *file;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	(void)unlink(path);
	file = fopen(path, "we");
	assert_non_null(file);
	for (unsigned i = 0; i < NAMES; i++) {
		addresses[i] = 0x1000 + 16 * i;
		fprintf(file, i % 3 ? "%lx 10 _ZN2ns5f%04uEv\n" : "%lx 10 f%04u\n",
			(unsigned long)addresses[i], i);
	}
	fclose(file);
	assert_ok(symbolizer_jit(symbolizer, getpid(), 0, addresses, NAMES, take_number, &told));
	assert_int_equal(told, NAMES);
	assert_true(workers->reader.sequence - before < 10);
	assert_ok(unlink(path));
}

/* An object that has too many names has none of the others, and that is told. */
static void test_too_many_names(void **state)
{
	static const struct image_symbol symbols[] = {
		{ "_ZN2ns1f1gEv", IMAGE_TEXT, 16, STT_FUNC, STB_GLOBAL },
		{ "_ZN2ns1f1hEv", IMAGE_TEXT + 16, 16, STT_FUNC, STB_GLOBAL },
		{ "plain", IMAGE_TEXT + 32, 16, STT_FUNC, STB_GLOBAL },
	};
	const struct symbolizer_options options = { .name_bytes_max = 300 };
	cleanup(symbolizer_free) struct symbolizer *symbolizer = NULL;
	cleanup(object_unref) struct object *object = NULL, *other = NULL;
	struct workers *workers = direct_workers();
	uint32_t given_up = workers->given_up;
	struct image image;

	(void)state;
	assert_ok(symbolizer_new(&symbolizer, &options, workers));
	image_make(&image, symbols, 3);
	assert_ok(object_open(&object, image_open(&image), "/opt/libgreedy.so"));
	assert_ok(object_open(&other, image_open(&image), "/opt/libmodest.so"));
	assert_ok(name_one(symbolizer, &symbol, object, IMAGE_TEXT));
	check("ns::f::g", "_ZN2ns1f1gEv", true);
	assert_int_equal(workers->given_up, given_up);
	assert_ok(name_one(symbolizer, &symbol, object, IMAGE_TEXT + 16));
	check("[too many names]", "[too many names]", false);
	assert_int_equal(symbolizer_refused(symbolizer), 1);
	assert_int_equal(workers->given_up, given_up + 1);
	/* What is there costs nothing. */
	assert_ok(name_one(symbolizer, &symbol, object, IMAGE_TEXT + 8));
	check("ns::f::g", "_ZN2ns1f1gEv", true);
	assert_ok(name_one(symbolizer, &symbol, other, IMAGE_TEXT + 32));
	check("plain", "plain", true);
	assert_int_equal(symbolizer_refused(symbolizer), 1);
}

/* A process that waits, whose JIT has so many functions of 16 bytes from 0x1000 on. */
static pid_t start_jit(unsigned functions)
{
	char path[64];
	FILE *file;
	pid_t pid = fork();

	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)pid);
	(void)unlink(path);
	file = fopen(path, "we");
	assert_non_null(file);
	for (unsigned i = 0; i < functions; i++)
		fprintf(file, "%x 10 f%u\n", 0x1000 + 16 * i, i);
	fclose(file);
	return pid;
}

static void end_jit(pid_t pid)
{
	char path[64];

	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)pid);
	assert_ok(unlink(path));
}

/* Who has the most gives way, and that is told; the others keep theirs. */
static void test_too_many_jit_names(void **state)
{
	const struct symbolizer_options options = { .jit_bytes_max = 1 << 20 };
	cleanup(symbolizer_free) struct symbolizer *symbolizer = NULL;
	struct workers *workers = direct_workers();
	uint32_t given_up = workers->given_up;
	pid_t many = start_jit(4000), few = start_jit(2), more = start_jit(14000);

	(void)state;
	assert_ok(symbolizer_new(&symbolizer, &options, workers));
	assert_ok(name_jit(symbolizer, &symbol, many, 0x1000));
	check("f0", "f0", true);
	assert_ok(name_jit(symbolizer, &symbol, few, 0x1010));
	check("f1", "f1", true);
	assert_int_equal(workers->given_up, given_up);
	assert_ok(name_jit(symbolizer, &symbol, more, 0x1020));
	check("[jit]", "[jit]", false);
	assert_int_equal(workers->given_up, given_up + 1);
	assert_ok(name_jit(symbolizer, &symbol, more, 0x1000));
	check("[jit]", "[jit]", false);
	assert_ok(name_jit(symbolizer, &symbol, few, 0x1000));
	check("f0", "f0", true);
	assert_ok(name_jit(symbolizer, &symbol, many, 0x1020));
	check("f2", "f2", true);
	assert_int_equal(workers->given_up, given_up + 1);
	/* What a process had is there for others when it is over. */
	symbolizer_forget_process(symbolizer, many, 0);
	symbolizer_forget_process(symbolizer, more, 0);
	assert_ok(name_jit(symbolizer, &symbol, more, 0x1020));
	check("f2", "f2", true);
	end_jit(many);
	end_jit(few);
	end_jit(more);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_object),
		cmocka_unit_test(test_go),
		cmocka_unit_test(test_function_start),
		cmocka_unit_test(test_vdso),
		cmocka_unit_test(test_kernel),
		cmocka_unit_test(test_jit),
		cmocka_unit_test(test_many_jit_names),
		cmocka_unit_test(test_too_many_jit_names),
		cmocka_unit_test(test_too_many_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
