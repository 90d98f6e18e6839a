// SPDX-License-Identifier: Apache-2.0
#include "test.h"
#include "direct.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elf/elf_image.h"
#include "elf/object_file.h"
#include "proc/object_cache.h"

static int open_self(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static struct object *open_image(const struct image *image)
{
	struct object *object = NULL;

	assert_ok(object_open(&object, image_open(image), "/x/image"));
	return object;
}

struct where {
	uint64_t address, bias;
	bool found;
};

/* What the dynamic linker says about the object that holds an address. */
static int ask_linker(struct dl_phdr_info *info, size_t size, void *where_)
{
	struct where *where = where_;

	(void)size;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const Elf64_Phdr *segment = &info->dlpi_phdr[i];

		if (segment->p_type == PT_LOAD &&
		    where->address - info->dlpi_addr - segment->p_vaddr < segment->p_memsz) {
			where->bias = info->dlpi_addr;
			where->found = true;
		}
	}
	return 0;
}

static void test_bias_of_own_mappings(void **state)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[4096], mode[8], path[2048];
	unsigned long start, end, offset;
	unsigned compared = 0;

	(void)state;
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		cleanup(object_unref) struct object *object = NULL;
		struct where where = {};
		uint64_t bias = 1;

		if (sscanf(line, "%lx-%lx %7s %lx %*s %*s %2047s", &start, &end, mode, &offset,
			   path) != 5 ||
		    mode[2] != 'x')
			continue;
		if (strcmp(path, "[vdso]") == 0)
			assert_ok(object_open_vdso(&object));
		else if (path[0] != '/' ||
			 object_open(&object, open(path, O_RDONLY | O_CLOEXEC), path) != 0)
			continue;
		where.address = start + (end - start) / 2;
		dl_iterate_phdr(ask_linker, &where);
		if (!where.found)
			continue;
		assert_ok(object_bias(object, &bias, start, offset, true));
		assert_true(bias == where.bias);
		assert_non_null(object_segment_of(object, start - bias + 64));
		compared++;
	}
	fclose(maps);
	assert_true(compared >= 3); /* the program, libc, ld.so */
}

/* A layout, and where a mapping of its text must lead. */
struct layout {
	const char *what;
	uint16_t type;
	Elf64_Phdr segments[2];
	uint64_t start, file_offset, bias;
};

static void test_bias_of_layouts(void **state)
{
	static const struct layout layouts[] = {
		{ "text and data meet in one page (traditional)",
		  ET_DYN,
		  { { .p_flags = PF_X, .p_filesz = 0x1234 },
		    { .p_offset = 0x1234, .p_vaddr = 0x3234, .p_filesz = 0x100 } },
		  0x7f0000003000,
		  0x1000,
		  0x7f0000000000 },
		{ "headers and text meet in one page (lld)",
		  ET_DYN,
		  { { .p_filesz = 0x7c4 },
		    { .p_flags = PF_X, .p_offset = 0x7d0, .p_vaddr = 0x17d0, .p_filesz = 0x500 } },
		  0x7f0000001000,
		  0,
		  0x7f0000000000 },
		{ "one segment, mapped in part",
		  ET_DYN,
		  { { .p_flags = PF_X, .p_filesz = 0x1f00 } },
		  0x7f0000001000,
		  0x1000,
		  0x7f0000000000 },
		{ "prelinked library",
		  ET_DYN,
		  { { .p_flags = PF_X, .p_vaddr = 0x3000000000, .p_filesz = 0x1f00 } },
		  0x3000000000,
		  0,
		  0 },
		{ "library mapped below its own addresses",
		  ET_DYN,
		  { { .p_flags = PF_X, .p_vaddr = 0x3000000000, .p_filesz = 0x1f00 } },
		  0x2000000000,
		  0,
		  -0x1000000000ULL },
		{ "fixed program",
		  ET_EXEC,
		  { { .p_flags = PF_X, .p_vaddr = 0x400000, .p_filesz = 0x1f00 } },
		  0x400000,
		  0,
		  0 },
		{ "fixed program, two texts in one page",
		  ET_EXEC,
		  { { .p_flags = PF_X, .p_vaddr = 0x400000, .p_filesz = 0x1800 },
		    { .p_flags = PF_X,
		      .p_offset = 0x1800,
		      .p_vaddr = 0x801800,
		      .p_filesz = 0x100 } },
		  0x801000,
		  0x1000,
		  0 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(layouts); i++) {
		const struct layout *layout = &layouts[i];
		cleanup(object_unref) struct object *object = NULL;
		struct image image;
		uint64_t bias = 1;

		image_make(&image, NULL, 0);
		image.header.e_type = layout->type;
		image.header.e_phnum = 2;
		for (unsigned j = 0; j < 2; j++) {
			image.segments[j] = layout->segments[j];
			image.segments[j].p_type = layout->segments[j].p_filesz ? PT_LOAD : PT_NULL;
			image.segments[j].p_memsz = layout->segments[j].p_filesz;
		}
		object = open_image(&image);
		print_message("%s\n", layout->what);
		assert_ok(object_bias(object, &bias, layout->start, layout->file_offset, true));
		assert_true(bias == layout->bias);
		assert_errno(object_bias(object, &bias, layout->start, 0x100000, true), ENOENT);
	}
}

/* lld: the headers' page is mapped with them, and once more with the code behind them. */
static void test_bias_of_the_page_of_headers(void **state)
{
	cleanup(object_unref) struct object *object = NULL;
	struct image image;
	uint64_t bias = 1;

	(void)state;
	image_make(&image, NULL, 0);
	image.header.e_phnum = 2;
	image.segments[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_filesz = 0x700, .p_memsz = 0x700 };
	image.segments[1] = (Elf64_Phdr){ .p_type = PT_LOAD,
					  .p_flags = PF_X,
					  .p_offset = 0x700,
					  .p_vaddr = 0x1700,
					  .p_filesz = 0x901,
					  .p_memsz = 0x901 };
	object = open_image(&image);
	assert_ok(object_bias(object, &bias, 0x7f0000000000, 0, false));
	assert_true(bias == 0x7f0000000000);
	assert_ok(object_bias(object, &bias, 0x7f0000001000, 0, true));
	assert_true(bias == 0x7f0000000000);
	assert_false(object_has_code(object, 0xfff));
	assert_true(object_has_code(object, 0x1000)); /* pages are mapped whole */
	assert_true(object_has_code(object, 0x1fff));
	assert_true(object_has_code(object, 0x2fff));
	assert_false(object_has_code(object, 0x3000));
	assert_false(object_has_code(object, UINT64_MAX));
}

/* What a change to a good file makes of it. */
static void test_broken_headers(void **state)
{
	struct image image;
	struct object *object = NULL;

	(void)state;
#define SPOIL(outcome, change)                                                                     \
	do {                                                                                       \
		image_make(&image, NULL, 0);                                                       \
		change;                                                                            \
		assert_int_equal(object_open(&object, image_open(&image), "/x"), outcome);         \
		assert_null(object);                                                               \
	} while (0)
	SPOIL(OBJECT_NOT_ELF, image.header.e_ident[0] = 0);
	SPOIL(OBJECT_NOT_ELF, image.header.e_ident[EI_CLASS] = ELFCLASS32);
	SPOIL(OBJECT_NOT_ELF, image.header.e_ident[EI_DATA] = ELFDATA2MSB);
	SPOIL(OBJECT_NOT_ELF, image.header.e_type = ET_CORE);
	SPOIL(OBJECT_BROKEN, image.header.e_phnum = 0);
	SPOIL(OBJECT_BROKEN, image.header.e_phnum = 0xffff);
	SPOIL(OBJECT_BROKEN, image.header.e_phoff = UINT64_MAX);
	SPOIL(OBJECT_BROKEN, image.header.e_phoff = 0x2000 - 8);
	SPOIL(OBJECT_BROKEN, image.segments[0].p_type = PT_NULL);
	SPOIL(OBJECT_BROKEN, image.segments[0].p_filesz = 0x1001);
	SPOIL(OBJECT_BROKEN, image.segments[0].p_offset = UINT64_MAX - 15);
	SPOIL(OBJECT_BROKEN, image.segments[0].p_memsz = 1);
	SPOIL(OBJECT_BROKEN, image.segments[0].p_vaddr = UINT64_MAX - 15);
#undef SPOIL
	/* Section headers do not matter here. */
	image_make(&image, NULL, 0);
	image.header.e_shoff = UINT64_MAX;
	object = open_image(&image);
	object_unref(object);
}

static void test_build_id(void **state)
{
	struct {
		Elf64_Nhdr other;
		char other_name[8], other_data[4];
		Elf64_Nhdr header;
		char name[4];
		unsigned char id[20];
	} note = {
		.other = { 6, 3, 1 },
		.other_name = "Other",
		.header = { 4, 20, NT_GNU_BUILD_ID },
		.name = "GNU",
		.id = { 0xab, 0xcd, 0xef, [19] = 0x01 },
	};
	cleanup(object_unref) struct object *object = NULL;
	char hex[2 * OBJECT_BUILD_ID_MAX + 1];
	struct image image;

	(void)state;
	image_make(&image, NULL, 0);
	image.header.e_phnum = 2;
	image.segments[1] = (Elf64_Phdr){
		.p_type = PT_NOTE,
		.p_offset = offsetof(struct image, strings),
		.p_filesz = sizeof(note),
		.p_align = 4,
	};
	memcpy(image.strings, &note, sizeof(note));
	object = open_image(&image);
	object_build_id_hex(object, hex);
	assert_string_equal(hex, "abcdef0000000000000000000000000000000001");

	/* Cut short: no ID rather than half of one. */
	image.segments[1].p_filesz -= 1;
	object_unref(object);
	object = open_image(&image);
	object_build_id_hex(object, hex);
	assert_string_equal(hex, "");

	/* Go's linker lets the program header end behind another note. */
	image.segments[1].p_filesz = offsetof(typeof(note), header);
	image.sections[1].sh_type = SHT_NOTE;
	image.sections[1].sh_offset = image.segments[1].p_offset + offsetof(typeof(note), header);
	image.sections[1].sh_size = sizeof(note) - offsetof(typeof(note), header);
	image.sections[1].sh_addralign = 4;
	object_unref(object);
	object = open_image(&image);
	object_build_id_hex(object, hex);
	assert_string_equal(hex, "abcdef0000000000000000000000000000000001");
}

static void test_not_a_file(void **state)
{
	struct object *object = NULL;
	int ends[2];

	(void)state;
	assert_ok(pipe(ends));
	assert_int_equal(object_open(&object, ends[0], "/pipe"), OBJECT_NOT_ELF);
	assert_int_equal(close(ends[0]), -1); /* closed already */
	close(ends[1]);
	assert_int_equal(object_open(&object, open("/dev/zero", O_RDONLY), "/dev/zero"),
			 OBJECT_NOT_ELF);
}

static void forget_nothing(void *context, const struct object *object)
{
	(void)context;
	(void)object;
}

/* The image below two overlays is one file; what one of them has changed is another. */
static void test_cache_of_overlays(void **state)
{
	cleanup(object_cache_free) struct object_cache *cache = object_cache_new(direct_workers());
	struct object *objects[4] = {};
	struct image image;

	(void)state;
	image_make(&image, NULL, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(objects); i++) {
		int fd = image_open(&image);
		struct opened opened = direct_opened(fd);

		opened.overlay = i != 3;
		opened.identity.inode = 10;
		opened.identity.ctime_ns = opened.identity.mtime_ns = i == 2 ? 1 : 0;
		opened.identity.device = 40 + i;
		assert_ok(object_cache_get(cache, &objects[i], fd, -1, &opened, "/app"));
	}
	assert_ptr_equal(objects[0], objects[1]);
	assert_ptr_not_equal(objects[0], objects[2]);
	assert_ptr_not_equal(objects[0], objects[3]); /* on no overlay */
	for (unsigned i = 0; i < ARRAY_SIZE(objects); i++)
		object_unref(objects[i]);
}

/* What a FUSE, or an overlay over one, says: the same in everything as a file of somebody else. */
static void test_cache_of_forged_files(void **state)
{
	cleanup(object_cache_free) struct object_cache *cache = object_cache_new(direct_workers());
	cleanup(object_unref) struct object *forged = NULL, *again = NULL, *real = NULL, *new = NULL;
	cleanup(object_unref) struct object *later = NULL;
	struct opened opened;
	struct image image;
	int fd;

	(void)state;
	image_make(&image, NULL, 0);
	fd = image_open(&image);
	opened = direct_opened(fd);
	opened.overlay = true;
	opened.honest = false;
	opened.identity.device = 40;
	assert_ok(object_cache_get(cache, &forged, fd, -1, &opened, "/app"));
	/* On another overlay, which is root's. */
	opened.honest = true;
	opened.identity.device = 41;
	assert_ok(object_cache_get(cache, &real, image_open(&image), -1, &opened, "/app"));
	assert_ptr_not_equal(real, forged);
	/* While it is open its device cannot be that of another. */
	opened.honest = false;
	opened.identity.device = 40;
	assert_ok(object_cache_get(cache, &again, image_open(&image), -1, &opened, "/app"));
	assert_ptr_equal(again, forged);
	object_close(forged);
	assert_int_equal(
		object_cache_reopen(cache, forged, image_open(&image), -1, &opened), -ESTALE);
	opened.overlay = false;
	opened.honest = true; /* the device is given to a tmpfs */
	assert_ok(object_cache_get(cache, &new, image_open(&image), -1, &opened, "/app"));
	assert_ptr_not_equal(new, forged);
	assert_ptr_not_equal(new, real);
	/* And the other way round. */
	object_close(new);
	opened.honest = false;
	assert_ok(object_cache_get(cache, &later, image_open(&image), -1, &opened, "/app"));
	assert_ptr_not_equal(later, new);
	assert_ptr_not_equal(later, forged);
	/* All of them are forgotten in time. */
	object_close(real);
	object_close(later);
	assert_true(object_cache_forget(cache, 0, UINT64_MAX, forget_nothing, NULL));
	assert_true(forged->forgotten && real->forgotten && new->forgotten && later->forgotten);
	assert_false(object_cache_forget(cache, 0, UINT64_MAX, forget_nothing, NULL));
}

/* root: NULL is our own. */
static int get(struct object_cache *cache, struct object **ret, int fd, const char *path,
	       const char *root)
{
	struct opened opened = direct_opened(fd);
	int root_fd = root ? open(root, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

	return object_cache_get(cache, ret, fd, root_fd, &opened, path);
}

static void assert_root(const struct object *object, const char *root)
{
	struct stat found, expected;

	if (!root) {
		assert_int_equal(object->root_fd, -1);
		return;
	}
	assert_ok(fstat(object->root_fd, &found));
	assert_ok(stat(root, &expected));
	assert_int_equal(found.st_ino, expected.st_ino);
	assert_int_equal(found.st_dev, expected.st_dev);
}

static void test_cache(void **state)
{
	cleanup(object_cache_free) struct object_cache *cache = object_cache_new(direct_workers());
	struct object *a = NULL, *b = NULL, *other = NULL, *vdso = NULL;
	struct image image;
	int fd, again;

	(void)state;
	assert_ok(get(cache, &a, open_self(), "/first", "/proc"));
	assert_ok(get(cache, &b, open_self(), "/second", NULL));
	assert_ptr_equal(a, b);
	assert_string_equal(b->path, "/first");
	assert_root(b, "/proc");

	/* Closed, it gets what the next one brings. */
	object_close(a);
	assert_root(a, NULL);
	object_unref(b);
	assert_ok(get(cache, &b, open_self(), "/third", "/usr"));
	assert_ptr_equal(a, b);
	assert_true(a->fd >= 0);
	assert_root(a, "/usr");

	image_make(&image, NULL, 0);
	assert_ok(get(cache, &other, image_open(&image), "/other", NULL));
	assert_ptr_not_equal(other, a);
	assert_true(other->id > a->id);

	assert_ok(object_cache_get_vdso(cache, &vdso));
	assert_string_equal(vdso->path, "[vdso]");
	object_unref(vdso);
	assert_ok(object_cache_get_vdso(cache, &vdso));
	assert_non_null(object_segment_of(vdso, vdso->segments.at[0].address));

	/* A failure is remembered while the file is the same, and no longer. */
	image.header.e_phnum = 0;
	fd = image_open(&image);
	again = dup(fd);
	assert_int_equal(get(cache, &b, fd, "/bad", NULL), OBJECT_BROKEN);
	fd = dup(again);
	assert_int_equal(get(cache, &b, again, "/bad", NULL), OBJECT_BROKEN);
	image.header.e_phnum = 1;
	assert_int_equal(pwrite(fd, &image, sizeof(image), 0), sizeof(image));
	assert_ok(ftruncate(fd, IMAGE_TEXT_OFFSET + IMAGE_TEXT_SIZE + 1));
	assert_ok(get(cache, &b, fd, "/good", NULL));
	object_unref(b);

	object_unref(a);
	object_unref(a); /* the second get took a reference, too */
	object_unref(other);
	object_unref(vdso);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bias_of_own_mappings), cmocka_unit_test(test_bias_of_layouts),
		cmocka_unit_test(test_bias_of_the_page_of_headers),
		cmocka_unit_test(test_broken_headers),	     cmocka_unit_test(test_build_id),
		cmocka_unit_test(test_not_a_file),	     cmocka_unit_test(test_cache),
		cmocka_unit_test(test_cache_of_overlays),
		cmocka_unit_test(test_cache_of_forged_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
