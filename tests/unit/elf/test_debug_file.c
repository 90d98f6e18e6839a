// SPDX-License-Identifier: Apache-2.0
/* A target's root is a folder of ours here, so that nothing of this machine takes part. */
#include "test.h"
#include "direct.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <lzma.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "elf/debug_file.h"
#include "elf/elf_image.h"
#include "elf/object_file.h"
#include "elf/rooted.h"
#include "elf/symbol_table.h"

#define TEXT IMAGE_TEXT
static const struct image_symbol symbols[] = { { "found", TEXT, 16, STT_FUNC, STB_LOCAL } };

static char root[64];

static int make_root(void **state)
{
	(void)state;
	strcpy(root, "/tmp/profd-test-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int remove_root(void **state)
{
	(void)state;
	return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* "ROOT/path"; good until the next call. */
static const char *below(const char *path)
{
	static char buffer[256];

	snprintf(buffer, sizeof(buffer), "%s%s", root, path);
	return buffer;
}

static void write_file(const char *path, const void *data, size_t size)
{
	char full[256];
	int fd;

	snprintf(full, sizeof(full), "%s", below(path));
	for (char *slash = strchr(full + strlen(root) + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(full, 0755);
		*slash = '/';
	}
	fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	close(fd);
}

struct note {
	Elf64_Nhdr header;
	char name[4];
	unsigned char id[4];
};

/* Puts a build ID note where the image has its .strtab's end, as segment and as section. */
static void add_build_id(struct image *image, const unsigned char id[4])
{
	struct note note = { { 4, 4, NT_GNU_BUILD_ID }, "GNU", { id[0], id[1], id[2], id[3] } };
	size_t place = sizeof(image->strings) - sizeof(note);

	memcpy(image->strings + place, &note, sizeof(note));
	image->header.e_phnum = 2;
	image->segments[1] = (Elf64_Phdr){
		.p_type = PT_NOTE,
		.p_offset = offsetof(struct image, strings) + place,
		.p_filesz = sizeof(note),
		.p_align = 4,
	};
	image->sections[0] = (Elf64_Shdr){
		.sh_type = SHT_NOTE,
		.sh_offset = image->segments[1].p_offset,
		.sh_size = sizeof(note),
		.sh_addralign = 4,
	};
}

/* Takes the place of .symtab: a stripped file with a section for `data`. */
static void replace_symtab(struct image *image, const char *name, uint64_t offset, uint64_t size)
{
	image->sections[2] = (Elf64_Shdr){
		.sh_name = image_name(image, name),
		.sh_type = SHT_PROGBITS,
		.sh_offset = offset,
		.sh_size = size,
	};
}

enum { NAME_BYTES = 256 };

static int take_name(void *context, uint32_t number, const struct name_line *lines,
		     uint32_t line_count)
{
	assert_int_equal(number, 0);
	assert_int_equal(line_count, 1);
	snprintf(context, NAME_BYTES, "%s", lines[0].name);
	return 0;
}

static uid_t image_owner; /* of objects; only root can choose another than himself */

/* How an object whose path is /app/program below the root names its first function. */
static void check_name(const struct image *image, const char *expected)
{
	int fd = image_open(image);
	cleanup(object_unref) struct object *object = NULL;
	const uint64_t address = TEXT;
	char name[NAME_BYTES];
	uint32_t answered;

	if (geteuid() == 0)
		assert_ok(fchown(fd, image_owner, 0));
	object = direct_object(fd, open(root, O_PATH | O_DIRECTORY | O_CLOEXEC), "/app/program");
	assert_ok(ask_names(direct_workers(), object, &address, 1, &answered, take_name, name));
	assert_string_equal(name, expected ? expected : "");
}

static void test_build_id(void **state)
{
	static const unsigned char id[] = { 0xfe, 0x01, 0x02, 0x03 }, other[] = { 0xfe, 1, 2, 4 };
	static const char path[] = "/usr/lib/debug/.build-id/fe/010203.debug";
	struct image stripped, debug;

	(void)state;
	image_make(&stripped, NULL, 0);
	add_build_id(&stripped, id);
	check_name(&stripped, NULL);
	image_make(&debug, symbols, 1);
	add_build_id(&debug, id);
	write_file(path, &debug, sizeof(debug));
	check_name(&stripped, "found");

	/* The right name with another build ID inside. */
	add_build_id(&debug, other);
	write_file(path, &debug, sizeof(debug));
	check_name(&stripped, NULL);
	write_file(path, "no ELF at all", 13);
	check_name(&stripped, NULL);

	/* A link as Fedora has them, absolute: it means the target's root. */
	add_build_id(&debug, id);
	write_file("/usr/lib/debug/app/program.debug", &debug, sizeof(debug));
	assert_ok(unlink(below(path)));
	assert_ok(symlink("/usr/lib/debug/app/program.debug", below(path)));
	check_name(&stripped, "found");

	/* Something that must not be opened at all. */
	assert_ok(unlink(below(path)));
	assert_ok(mkfifo(below(path), 0644));
	check_name(&stripped, NULL);
	assert_ok(unlink(below(path)));
}

/* What belongs to somebody else than the object does, and not to root, says nothing of it. */
static void test_owner(void **state)
{
	static const unsigned char id[] = { 0xfe, 0x01, 0x02, 0x03 };
	static const char path[] = "/usr/lib/debug/.build-id/fe/010203.debug";
	struct image stripped, debug;

	(void)state;
	if (geteuid() != 0)
		skip(); /* cannot give files away */
	image_make(&stripped, NULL, 0);
	add_build_id(&stripped, id);
	image_make(&debug, symbols, 1);
	add_build_id(&debug, id);
	write_file(path, &debug, sizeof(debug));
	assert_ok(chmod(below(path), 0644));
	check_name(&stripped, "found");
	assert_ok(chown(below(path), 65534, 0));
	check_name(&stripped, NULL);
	image_owner = 65534;
	check_name(&stripped, "found");
	assert_ok(chown(below(path), 0, 0));
	check_name(&stripped, "found");
	image_owner = 0;
	assert_ok(unlink(below(path)));
}

static void test_debug_link(void **state)
{
	static const char *const places[] = { "/app/p.debug", "/app/.debug/p.debug",
					      "/usr/lib/debug/app/p.debug" };
	struct {
		char name[8];
		uint32_t checksum;
	} link = { .name = "p.debug" };
	struct image stripped, debug;

	(void)state;
	image_make(&debug, symbols, 1);
	link.checksum = lzma_crc32((const uint8_t *)&debug, sizeof(debug), 0);
	image_make(&stripped, NULL, 0);
	replace_symtab(&stripped, ".gnu_debuglink", offsetof(struct image, strings), sizeof(link));
	memcpy(stripped.strings, &link, sizeof(link));
	check_name(&stripped, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		write_file(places[i], &debug, sizeof(debug));
		check_name(&stripped, "found");
		if (i < 2)
			assert_ok(unlink(below(places[i])));
	}
	stripped.strings[offsetof(typeof(link), checksum)] ^= 1;
	check_name(&stripped, NULL);
	stripped.strings[offsetof(typeof(link), checksum)] ^= 1;
	stripped.sections[2].sh_size = 9; /* no room for the checksum */
	check_name(&stripped, NULL);
	stripped.sections[2].sh_size = 4; /* not even for the name's end */
	check_name(&stripped, NULL);
	stripped.sections[2].sh_size = sizeof(link);
	memcpy(stripped.strings, "a/debug", 8); /* a name that leads elsewhere */
	write_file("/app/a/debug", &debug, sizeof(debug));
	check_name(&stripped, NULL);
}

/* An image with this xz data as its .gnu_debugdata, in its text. */
static void check_debugdata(const uint8_t *data, size_t size, const char *expected)
{
	struct whole {
		struct image image;
		uint8_t rest[IMAGE_TEXT_OFFSET + IMAGE_TEXT_SIZE - sizeof(struct image)];
	} whole = {};
	cleanup(object_unref) struct object *object = NULL;
	cleanup(symbol_table_free) struct symbol_table *table = NULL;
	cleanup(bytes_fini) struct bytes name = {};
	struct symbol_extent extent;

	assert_true(size <= sizeof(whole.rest));
	image_make(&whole.image, NULL, 0);
	replace_symtab(&whole.image, ".gnu_debugdata", offsetof(struct whole, rest), size);
	memcpy(whole.rest, data, size);
	assert_ok(object_open(&object, image_file(&whole, sizeof(whole)), "/app/program"));
	assert_ok(symbol_table_new(&table, object, -1));
	if (!expected) {
		assert_errno(symbol_table_find(table, TEXT, &extent), ENOENT);
		return;
	}
	assert_ok(symbol_table_find(table, TEXT, &extent));
	assert_ok(symbol_table_name(table, extent.number, &name));
	assert_string_equal(bytes_str(&name), expected);
}

static void test_debugdata(void **state)
{
	uint8_t packed[4096];
	struct image inner;
	size_t size = 0;

	(void)state;
	image_make(&inner, symbols, 1);
	assert_int_equal(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL, (const uint8_t *)&inner,
						 sizeof(inner), packed, &size, sizeof(packed)),
			 LZMA_OK);
	check_debugdata(packed, size, "found");
	check_debugdata(packed, size - 20, NULL);
	check_debugdata(packed, 1, NULL);
	packed[size / 2] ^= 0x55;
	check_debugdata(packed, size, NULL);
	check_debugdata((const uint8_t *)"garbage", 7, NULL);
}

/* Little data that unpacks to more than anybody wants. */
static void test_debugdata_bomb(void **state)
{
	cleanup(object_unref) struct object *object = NULL;
	size_t zeros_size = 80 << 20, size = 0, room = 1 << 20;
	cleanup(section_table_fini) struct section_table sections = {};
	uint8_t *zeros = calloc(1, zeros_size), *packed = malloc(room);
	struct image image;
	int fd;

	(void)state;
	assert_non_null(zeros);
	assert_non_null(packed);
	assert_int_equal(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, NULL, zeros, zeros_size,
						 packed, &size, room),
			 LZMA_OK);
	image_make(&image, NULL, 0);
	replace_symtab(&image, ".gnu_debugdata", IMAGE_TEXT_OFFSET + IMAGE_TEXT_SIZE, size);
	fd = image_open(&image);
	assert_int_equal(pwrite(fd, packed, size, IMAGE_TEXT_OFFSET + IMAGE_TEXT_SIZE), size);
	free(zeros);
	free(packed);
	assert_ok(object_open(&object, fd, "/app/program"));
	assert_ok(section_table_read(&sections, object->fd));
	assert_errno(debug_file_unpack(object, &sections), EFBIG);
}

static void test_rooted(void **state)
{
	int fd;

	(void)state;
	write_file("/inside/file", "x", 1);
	assert_ok(symlink("../../../../../../inside/file", below("/inside/up")));
	assert_ok(symlink("/proc/self/root/etc/passwd", below("/inside/magic")));
	assert_ok(symlink("/etc/passwd", below("/inside/absolute")));
	fd = rooted_open(root, "/inside/up", ROOTED_FOLLOW, 100);
	assert_true(fd >= 0); /* ".." stops at the root */
	close(fd);
	assert_errno(rooted_open(root, "/inside/up", 0, 100), ELOOP);
	assert_errno(rooted_open(root, "/inside/absolute", ROOTED_FOLLOW, 1000000), ENOENT);
	assert_errno(rooted_open(root, "/inside/magic", ROOTED_FOLLOW, 1000000), ENOENT);
	assert_errno(rooted_open(root, "/inside/file", ROOTED_FOLLOW, 0), EFBIG);
	assert_errno(rooted_open(root, "/inside", ROOTED_FOLLOW, 1000000), EINVAL);
	assert_errno(rooted_open("/nowhere/at/all", "/inside", ROOTED_FOLLOW, 100), ENOENT);
	/* What the kernel makes up is not even opened. */
	assert_errno(rooted_open("", "/proc/version", ROOTED_FOLLOW, 100), EINVAL);
	assert_errno(rooted_open("", "/dev/null", ROOTED_FOLLOW, 100), EINVAL);
}

/* Who holds one is given tens of seconds by the kernel to let go of it. */
static void test_leased_file(void **state)
{
	cleanup(close) int leased = -1;

	(void)state;
	write_file("/inside/leased", "x", 1);
	leased = open(below("/inside/leased"), O_RDWR | O_CLOEXEC);
	assert_true(leased >= 0);
	(void)signal(SIGIO, SIG_IGN);
	assert_ok(fcntl(leased, F_SETLEASE, F_WRLCK));
	assert_errno(rooted_open(root, "/inside/leased", ROOTED_FOLLOW, 100), EWOULDBLOCK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_build_id),  cmocka_unit_test(test_owner),
		cmocka_unit_test(test_debug_link),
		cmocka_unit_test(test_debugdata), cmocka_unit_test(test_debugdata_bomb),
		cmocka_unit_test(test_rooted),	  cmocka_unit_test(test_leased_file),
	};

	return cmocka_run_group_tests(tests, make_root, remove_root);
}
