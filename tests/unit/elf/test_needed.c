// SPDX-License-Identifier: Apache-2.0
/* Dynamic segments and "#!" lines: made by hand, of real files against readelf(1), and mutated. */
#include "test.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "elf/dynamic_image.h"
#include "elf/needed.h"
#include "elf/object_file.h"

enum { ROUNDS = 3000 };

static int file_of(const void *data, size_t size)
{
	int fd = memfd_create("needed", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_ok(fs_write_all(fd, data, size));
	return fd;
}

static void read_image(struct needed *ret, const struct dynamic_image *image)
{
	cleanup(object_unref) struct object *object = NULL;

	assert_ok(object_open(&object, file_of(image, DYNAMIC_IMAGE_BYTES), "/image"));
	assert_ok(needed_read(ret, object));
}

/* All names with a blank behind each. */
static const char *names_of(const struct needed *needed, struct bytes *text)
{
	for (uint32_t i = 0; i < needed->names.count; i++)
		bytes_add_format(text, "%s ", needed_text(needed, needed->names.at[i]));
	return bytes_str(text);
}

static void assert_names(const struct needed *needed, const char *expected)
{
	cleanup(bytes_fini) struct bytes text = {};

	assert_string_equal(names_of(needed, &text), expected);
}

static void everything_is_found(void **state)
{
	cleanup(needed_fini) struct needed needed = {};
	struct dynamic_image image;

	(void)state;
	dynamic_image_make(&image);
	dynamic_image_add(&image, DT_NEEDED, "libb.so.2");
	dynamic_image_add(&image, DT_SONAME, "libself.so.1");
	dynamic_image_add(&image, DT_RPATH, "/r1:/r2");
	dynamic_image_add(&image, DT_NEEDED, "liba.so.1");
	dynamic_image_add(&image, DT_RUNPATH, "/not/this/one");
	dynamic_image_add(&image, DT_RUNPATH, "$ORIGIN/../lib");
	dynamic_image_add_value(&image, DT_NULL, 0);
	dynamic_image_add(&image, DT_NEEDED, "libbehind-the-end.so");
	dynamic_image_interpreter(&image, "/lib64/ld.so");
	read_image(&needed, &image);
	assert_names(&needed, "libb.so.2 liba.so.1 ");
	assert_string_equal(needed_text(&needed, needed.soname), "libself.so.1");
	assert_string_equal(needed_text(&needed, needed.rpath), "/r1:/r2");
	assert_string_equal(needed_text(&needed, needed.runpath), "$ORIGIN/../lib");
	assert_string_equal(needed_text(&needed, needed.interpreter), "/lib64/ld.so");
}

static void nothing_is_found_where_nothing_is(void **state)
{
	cleanup(needed_fini) struct needed needed = {};
	struct dynamic_image image;

	(void)state;
	dynamic_image_make(&image);
	image.segments[1].p_type = PT_NULL;
	read_image(&needed, &image);
	assert_names(&needed, "");
	assert_int_equal(needed.soname, 0);
	assert_int_equal(needed.rpath, 0);
	assert_int_equal(needed.runpath, 0);
	assert_int_equal(needed.interpreter, 0);
	assert_string_equal(needed_text(&needed, needed.soname), "");
}

static void texts_stay_inside_of_their_table(void **state)
{
	cleanup(needed_fini) struct needed needed = {};
	struct dynamic_image image;

	(void)state;
	dynamic_image_make(&image);
	dynamic_image_add(&image, DT_NEEDED, "libgood.so");
	dynamic_image_add_value(&image, DT_NEEDED, 0); /* "" */
	dynamic_image_add_value(&image, DT_NEEDED, DYNAMIC_IMAGE_STRINGS);
	dynamic_image_add_value(&image, DT_NEEDED, UINT64_MAX);
	dynamic_image_add_value(&image, DT_NEEDED, DYNAMIC_IMAGE_STRINGS - 3); /* no NUL follows */
	dynamic_image_add_value(&image, DT_RUNPATH, DYNAMIC_IMAGE_STRINGS - 3);
	memcpy(image.strings + DYNAMIC_IMAGE_STRINGS - 3, "xyz", 3);
	dynamic_image_interpreter(&image, "/lib64/ld.so");
	image.segments[2].p_filesz = 5; /* cuts the name off before its NUL */
	read_image(&needed, &image);
	assert_names(&needed, "libgood.so ");
	assert_int_equal(needed.runpath, 0);
	assert_int_equal(needed.interpreter, 0);
}

static void a_table_that_lies_about_its_place_gives_nothing(void **state)
{
	static const struct {
		uint64_t address, size;
		bool found;
	} tables[] = {
		{ DYNAMIC_IMAGE_ADDRESS + offsetof(struct dynamic_image, strings), UINT64_MAX,
		  true },
		{ DYNAMIC_IMAGE_ADDRESS + offsetof(struct dynamic_image, strings), 3, false },
		{ DYNAMIC_IMAGE_ADDRESS + offsetof(struct dynamic_image, strings), 0, false },
		{ 0, 100, false },
		{ DYNAMIC_IMAGE_ADDRESS - 1, 100, false },
		{ DYNAMIC_IMAGE_ADDRESS + DYNAMIC_IMAGE_BYTES, 100, false },
		{ UINT64_MAX, 100, false },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(tables); i++) {
		cleanup(needed_fini) struct needed needed = {};
		struct dynamic_image image;

		dynamic_image_make(&image);
		dynamic_image_add(&image, DT_NEEDED, "libx.so");
		image.dynamic[0].d_un.d_ptr = tables[i].address;
		image.dynamic[1].d_un.d_val = tables[i].size;
		read_image(&needed, &image);
		assert_names(&needed, tables[i].found ? "libx.so " : "");
	}
}

static void more_names_than_sense_are_left_out(void **state)
{
	cleanup(needed_fini) struct needed needed = {};
	struct dynamic_image image;

	(void)state;
	dynamic_image_make(&image);
	for (unsigned i = 0; i < NEEDED_MAX_NAMES + 10; i++) {
		char name[16];

		snprintf(name, sizeof(name), "lib%u.so", i);
		dynamic_image_add(&image, DT_NEEDED, name);
	}
	/* The last entry of the segment, which has no DT_NULL: it is read all the same. */
	while (image.entries < DYNAMIC_IMAGE_ENTRIES - 1)
		dynamic_image_add_value(&image, DT_FLAGS, 0);
	dynamic_image_add(&image, DT_SONAME, "libmany.so");
	read_image(&needed, &image);
	assert_int_equal(needed.names.count, NEEDED_MAX_NAMES);
	assert_string_equal(needed_text(&needed, needed.soname), "libmany.so");
}

/* ---- real files ---- */

/* What readelf prints as "(TAG) ... [TEXT]", with a blank behind each. */
static void ask_readelf(struct bytes *ret, const char *path, const char *tag)
{
	cleanup(bytes_fini) struct bytes command = {};
	char line[4096];
	FILE *pipe;

	bytes_add_format(&command, "LC_ALL=C readelf -dW '%s' 2>/dev/null", path);
	pipe = popen(bytes_str(&command), "r");
	assert_non_null(pipe);
	while (fgets(line, sizeof(line), pipe)) {
		char *begin = strchr(line, '['), *end = strrchr(line, ']');

		if (strstr(line, tag) && begin && end)
			bytes_add_format(ret, "%.*s ", (int)(end - begin - 1), begin + 1);
	}
	pclose(pipe);
}

static bool compare_with_readelf(const char *path)
{
	cleanup(object_unref) struct object *object = NULL;
	cleanup(needed_fini) struct needed needed = {};
	cleanup(bytes_fini) struct bytes names = {}, expected = {}, soname = {};
	int fd = fs_open_regular(path);

	if (fd < 0)
		return false; /* not on this machine */
	ask_readelf(&expected, path, "(NEEDED)");
	ask_readelf(&soname, path, "(SONAME)");
	assert_ok(object_open(&object, fd, path));
	assert_ok(needed_read(&needed, object));
	assert_string_equal(names_of(&needed, &names), bytes_str(&expected));
	if (soname.size) {
		soname.size--; /* the blank */
		assert_string_equal(needed_text(&needed, needed.soname), bytes_str(&soname));
	}
	return expected.size > 0;
}

static void real_files_say_what_readelf_says(void **state)
{
	static const char *const paths[] = {
		"/usr/bin/clang",
		"/usr/bin/git",
		"/usr/bin/gdb",
		"/usr/bin/node",
		"/usr/bin/python3",
		"/lib/x86_64-linux-gnu/libc.so.6",
		"/usr/bin/env",
		"/bin/sh",
		"/usr/lib/x86_64-linux-gnu/libLLVM-14.so.1",
		"/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
	};
	char self[4096];
	ssize_t size = readlink("/proc/self/exe", self, sizeof(self) - 1);
	unsigned compared = 0;

	(void)state;
	if (system("readelf --version >/dev/null 2>&1") != 0)
		skip();
	assert_true(size > 0);
	self[size] = '\0';
	assert_true(compare_with_readelf(self));
	for (unsigned i = 0; i < ARRAY_SIZE(paths); i++)
		compared += compare_with_readelf(paths[i]);
	assert_true(compared >= 2);
}

/* ---- scripts ---- */

static void scripts_are_read_as_the_kernel_does(void **state)
{
	static const struct {
		const char *text, *interpreter, *argument; /* interpreter NULL: no script */
	} cases[] = {
		{ "#!/bin/sh\n", "/bin/sh", "" },
		{ "#!/bin/sh", "/bin/sh", "" },
		{ "#! \t/usr/bin/env  python3 -u \t\nimport x\n", "/usr/bin/env", "python3 -u" },
		{ "#!/bin/sh \nrest of it", "/bin/sh", "" },
		{ "#!relative x\n", "relative", "x" },
		{ "#!\n/bin/sh\n", NULL, NULL },
		{ "#! \t \n", NULL, NULL },
		{ "#!", NULL, NULL },
		{ "#", NULL, NULL },
		{ "", NULL, NULL },
		{ " #!/bin/sh\n", NULL, NULL },
		{ "\177ELF", NULL, NULL },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct script script;
		int r = script_parse(&script, cases[i].text, strlen(cases[i].text));

		assert_int_equal(r, cases[i].interpreter ? 0 : SCRIPT_NONE);
		if (r != 0)
			continue;
		assert_string_equal(script.interpreter, cases[i].interpreter);
		assert_string_equal(script.argument, cases[i].argument);
	}
}

static void a_script_line_longer_than_the_kernel_reads(void **state)
{
	char text[2 * SCRIPT_LINE_BYTES];
	struct script script;

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "#!/", 3);
	for (unsigned cut = 0; cut < 2; cut++) {
		/* An argument may be cut, the interpreter must not. */
		text[100] = cut == 0 ? ' ' : 'x';
		assert_int_equal(script_parse(&script, text, sizeof(text)),
				 cut == 0 ? 0 : SCRIPT_NONE);
		if (cut == 0) {
			assert_int_equal(strlen(script.interpreter), 98);
			assert_int_equal(strlen(script.argument), SCRIPT_LINE_BYTES - 101);
		}
	}
}

/* ---- mutated ---- */

static uint64_t random_u64(void)
{
	return (uint64_t)random() << 42 ^ (uint64_t)random() << 21 ^ (uint64_t)random();
}

/* Whatever the file says, every text is one and the limits hold. Returns whether it was ELF. */
static bool examine(int fd)
{
	cleanup(object_unref) struct object *object = NULL;
	cleanup(needed_fini) struct needed needed = {};

	if (object_open(&object, fd, "/mutated") != 0)
		return false;
	if (needed_read(&needed, object) < 0)
		return true;
	assert_true(needed.names.count <= NEEDED_MAX_NAMES);
	for (uint32_t i = 0; i < needed.names.count; i++)
		assert_in_range(strlen(needed_text(&needed, needed.names.at[i])), 1, 4095);
	assert_true(strlen(needed_text(&needed, needed.soname)) < 4096);
	assert_true(strlen(needed_text(&needed, needed.interpreter)) < 4096);
	assert_true(strlen(needed_text(&needed, needed.rpath)) < 32768);
	assert_true(strlen(needed_text(&needed, needed.runpath)) < 32768);
	return true;
}

/* Spoils what begins the file, or what the dynamic segment holds. */
static void mutate(const unsigned char *data, size_t size, size_t dynamic, size_t dynamic_size)
{
	static const uint64_t values[] = { 0, 1, 0x7fffffffffffffff, UINT64_MAX, 1ULL << 63, 4096 };
	unsigned taken = 0;
	int copy = file_of(data, size);

	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t places[4];
		size_t bytes;
		unsigned count = 1 + (unsigned)random() % 4;

		for (unsigned i = 0; i < count; i++) {
			uint64_t value = random() % 2 ? values[random_u64() % ARRAY_SIZE(values)]
						      : random_u64() >> random() % 64;

			places[i] = random() % 3 ? dynamic + random_u64() % dynamic_size
						 : random_u64() % 512;
			places[i] &= ~(random() % 2 ? 7ULL : 0);
			if (places[i] + sizeof(value) > size)
				places[i] = size - sizeof(value);
			bytes = random() % 2 ? 8 : 1;
			assert_int_equal(pwrite(copy, &value, bytes, (off_t)places[i]), bytes);
		}
		taken += examine(dup(copy));
		for (unsigned i = 0; i < count; i++)
			assert_int_equal(pwrite(copy, data + places[i], 8, (off_t)places[i]), 8);
	}
	close(copy);
	assert_true(taken > ROUNDS / 10);
}

static void mutated_images_never_lead_outside(void **state)
{
	struct dynamic_image image;

	(void)state;
	srandom(41);
	dynamic_image_make(&image);
	for (unsigned i = 0; i < 20; i++)
		dynamic_image_add(&image, i % 4 ? DT_NEEDED : DT_RUNPATH, "libsomething.so.1");
	dynamic_image_interpreter(&image, "/lib64/ld.so");
	mutate((const unsigned char *)&image, DYNAMIC_IMAGE_BYTES,
	       offsetof(struct dynamic_image, dynamic), image.entries * sizeof(Elf64_Dyn));
}

static void mutated_real_files_never_lead_outside(void **state)
{
	cleanup(bytes_fini) struct bytes file = {};
	const Elf64_Phdr *segments;
	Elf64_Ehdr header;

	(void)state;
	srandom(42);
	assert_ok(fs_read(&file, AT_FDCWD, "/proc/self/exe", 64 << 20));
	memcpy(&header, file.at, sizeof(header));
	segments = (const void *)(file.at + header.e_phoff);
	for (unsigned i = 0; i < header.e_phnum; i++)
		if (segments[i].p_type == PT_DYNAMIC)
			mutate((const unsigned char *)file.at, file.size, segments[i].p_offset,
			       segments[i].p_filesz);
}

static void files_cut_short_are_read_as_far_as_they_go(void **state)
{
	struct dynamic_image image;

	(void)state;
	srandom(43);
	dynamic_image_make(&image);
	dynamic_image_add(&image, DT_NEEDED, "libsomething.so.1");
	dynamic_image_interpreter(&image, "/lib64/ld.so");
	for (unsigned round = 0; round < 500; round++) {
		cleanup(object_unref) struct object *object = NULL;
		cleanup(needed_fini) struct needed needed = {};
		int fd = file_of(&image, DYNAMIC_IMAGE_BYTES);

		/* Opened whole, and cut before it is read on. */
		assert_ok(object_open(&object, fd, "/cut"));
		assert_ok(ftruncate(fd, random() % DYNAMIC_IMAGE_BYTES));
		assert_ok(needed_read(&needed, object));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_found),
		cmocka_unit_test(nothing_is_found_where_nothing_is),
		cmocka_unit_test(texts_stay_inside_of_their_table),
		cmocka_unit_test(a_table_that_lies_about_its_place_gives_nothing),
		cmocka_unit_test(more_names_than_sense_are_left_out),
		cmocka_unit_test(real_files_say_what_readelf_says),
		cmocka_unit_test(scripts_are_read_as_the_kernel_does),
		cmocka_unit_test(a_script_line_longer_than_the_kernel_reads),
		cmocka_unit_test(mutated_images_never_lead_outside),
		cmocka_unit_test(mutated_real_files_never_lead_outside),
		cmocka_unit_test(files_cut_short_are_read_as_far_as_they_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
