// SPDX-License-Identifier: Apache-2.0
/*
 * Ten thousand broken files through the real reader process: whatever becomes of each, the process
 * lives on, no file is given up, and neither process takes much memory.
 *
 * PROFD_MUTATIONS=N: so many times as many, for longer runs. The file that ended the process is left
 * behind as crash-hostile_files.
 */
#include "test.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "elf/cfi_image.h"
#include "elf/elf_image.h"
#include "worker/ask_reader.h"

#if defined(__SANITIZE_ADDRESS__)
enum { SANITIZED = 1, FEWER = 4 }; /* the reader is slow then */
#else
enum { SANITIZED = 0, FEWER = 1 };
#endif

enum { ADDRESSES = 32, FILE_BYTES_MAX = 4 << 20 };

static struct workers workers;
static unsigned asked, objects, tables, named;

static uint64_t random_u64(void)
{
	return (uint64_t)random() << 42 ^ (uint64_t)random() << 21 ^ (uint64_t)random();
}

static int count_name(void *context, uint32_t number, const struct name_line *lines,
		      uint32_t line_count)
{
	(void)context;
	assert_true(number < ADDRESSES);
	assert_true(line_count > 0);
	named += lines[0].kind == WIRE_NAME_SYMBOL;
	return 0;
}

/* Everything that profd ever asks about a file. */
static void ask_everything(int fd)
{
	uint32_t answered;
	cleanup(object_unref) struct object *object = NULL;
	uint64_t addresses[ADDRESSES], calls[ADDRESSES];
	struct table_figures figures;
	struct unwind_table table;
	struct needed needed;
	struct opened opened = {};
	struct stat st;

	assert_ok(fstat(fd, &st));
	opened.identity = object_identity_of(&st);
	asked++;
	if (ask_object(&workers, &object, fd, -1, &opened, "/nowhere/hostile") != 0)
		return;
	objects++;
	for (unsigned i = 0; i < ADDRESSES; i++) {
		const struct object_segment *segment =
			&object->segments.at[(unsigned)random() % object->segments.count];

		addresses[i] = segment->address + random_u64() % segment->memory_size;
	}
	if (ask_table(&workers, &table, &figures, object) == 0) {
		tables += table.row_count > 0;
		unwind_table_fini(&table);
	}
	assert_ok(ask_names(&workers, object, addresses, ADDRESSES, &answered, count_name, NULL));
	if (ask_needed(&workers, &needed, object) == 0)
		needed_fini(&needed);
	(void)ask_calls(&workers, calls, object, addresses, ADDRESSES);
	ask_forget(&workers, object);
}

/* Copies: the file is consumed, and may be changed before the next one is made. */
static int make_file(const unsigned char *data, size_t size)
{
	int fd = memfd_create("hostile", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_ok(fs_write_all(fd, data, size));
	return fd;
}

static void check_alive(const char *name, unsigned round, const unsigned char *data, size_t size)
{
	int fd;

	if (workers.reader.lost == 0 && workers.liner.lost == 0 && workers.given_up == 0)
		return;
	fd = open("crash-hostile_files", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd >= 0) {
		(void)fs_write_all(fd, data, size);
		close(fd);
	}
	fail_msg("%s, round %u: %u processes lost, %s", name, round,
		 workers.reader.lost + workers.liner.lost,
		 workers.given_up ? workers.casualties.at[0].why : "not given up");
}

static uint64_t own_peak(void)
{
	struct rusage usage;

	assert_ok(getrusage(RUSAGE_SELF, &usage));
	return (uint64_t)usage.ru_maxrss * 1024;
}

/* ---- breaking ---- */

static const uint64_t edges[] = { 0,
				  1,
				  7,
				  8,
				  24,
				  64,
				  4095,
				  4096,
				  65536,
				  1 << 20,
				  0x7fffffff,
				  0x80000000,
				  0xffffffff,
				  0x100000000,
				  1ULL << 40,
				  100ULL << 30,
				  INT64_MAX,
				  1ULL << 63,
				  UINT64_MAX - 4095,
				  UINT64_MAX };

struct seed {
	const unsigned char *data;
	size_t size;
	uint64_t segments, segment_count, sections, section_count;
};

static struct seed seed_of(const unsigned char *data, size_t size)
{
	struct seed seed = { data, size, 0, 0, 0, 0 };
	Elf64_Ehdr header = {};

	memcpy(&header, data, size < sizeof(header) ? size : sizeof(header));
	if (header.e_phoff < size &&
	    header.e_phnum <= (size - header.e_phoff) / sizeof(Elf64_Phdr)) {
		seed.segments = header.e_phoff;
		seed.segment_count = header.e_phnum;
	}
	if (header.e_shoff < size &&
	    header.e_shnum <= (size - header.e_shoff) / sizeof(Elf64_Shdr)) {
		seed.sections = header.e_shoff;
		seed.section_count = header.e_shnum;
	}
	return seed;
}

/* A number of the headers, which says how much of something there is or where. */
static void break_header(unsigned char *data, const struct seed *seed)
{
	uint64_t edge = edges[(size_t)random() % ARRAY_SIZE(edges)], at = 16, width = 2;

	switch (random() % 3) {
	case 0:
		at = 16 + (uint64_t)random() % (sizeof(Elf64_Ehdr) - 16 - 8);
		width = 1ULL << random() % 4;
		break;
	case 1:
		if (!seed->segment_count)
			return;
		at = seed->segments +
		     (uint64_t)random() % seed->segment_count * sizeof(Elf64_Phdr) +
		     (uint64_t)random() % (sizeof(Elf64_Phdr) / 8) * 8;
		width = random() % 2 ? 8 : 4;
		break;
	default:
		if (!seed->section_count)
			return;
		at = seed->sections +
		     (uint64_t)random() % seed->section_count * sizeof(Elf64_Shdr) +
		     (uint64_t)random() % (sizeof(Elf64_Shdr) / 8) * 8;
		width = random() % 2 ? 8 : 4;
	}
	if (random() % 4 == 0)
		edge += (uint64_t)random() % 17 - 8;
	if (at + width <= seed->size)
		memcpy(data + at, &edge, width);
}

/* A byte of a section's beginning, where its own headers and counts are. */
static void break_section(unsigned char *data, const struct seed *seed)
{
	uint64_t place = random_u64();
	Elf64_Shdr section;

	if (!seed->section_count)
		return;
	memcpy(&section,
	       seed->data + seed->sections + place % seed->section_count * sizeof(section),
	       sizeof(section));
	if (section.sh_type == SHT_NOBITS || section.sh_size == 0 ||
	    section.sh_offset >= seed->size || section.sh_size > seed->size - section.sh_offset)
		return;
	place = section.sh_offset + random_u64() % section.sh_size % (random() % 2 ? 64 : 65536);
	data[place] = (unsigned char)(random() % 2 ? random() : random() % 2 ? 0xff : 0);
}

static void break_one(const char *name, const struct seed *seed, unsigned char *data,
		      unsigned round)
{
	unsigned count = 1 + (unsigned)random() % 6;
	size_t size = seed->size;

	memcpy(data, seed->data, size);
	for (unsigned i = 0; i < count; i++) {
		switch (random() % 5) {
		case 0:
		case 1:
			break_header(data, seed);
			break;
		case 2:
		case 3:
			break_section(data, seed);
			break;
		default:
			data[random_u64() % size] = (unsigned char)random();
		}
	}
	if (random() % 8 == 0)
		size = random_u64() % size;
	ask_everything(make_file(data, size));
	check_alive(name, round, data, size);
}

static void break_file(const char *path, unsigned rounds)
{
	cleanup(bytes_fini) struct bytes file = {};
	cleanup(free) unsigned char *data = NULL;
	const char *times = getenv("PROFD_MUTATIONS");
	struct seed seed;

	if (fs_read(&file, AT_FDCWD, path, FILE_BYTES_MAX) < 0)
		return; /* not on this machine */
	seed = seed_of((const unsigned char *)file.at, file.size);
	data = malloc(file.size);
	assert_non_null(data);
	ask_everything(make_file(seed.data, seed.size));
	check_alive(path, 0, seed.data, seed.size);
	rounds = rounds / FEWER * (times ? (unsigned)strtoul(times, NULL, 10) : 1);
	for (unsigned round = 1; round <= rounds; round++)
		break_one(path, &seed, data, round);
}

/* ---- files that ask for a lot ---- */

#define MUCH (100ULL << 30)
#define FAR (1ULL << 30) /* where it begins: behind all else */

/* What the file's functions are called that can be had; their addresses are from IMAGE_TEXT on. */
static const struct image_symbol some[] = {
	{ "first", IMAGE_TEXT, 16, STT_FUNC, STB_GLOBAL },
	{ "second", IMAGE_TEXT + 16, 16, STT_FUNC, STB_GLOBAL },
};

static int grown(int fd)
{
	assert_ok(ftruncate(fd, FAR + MUCH + 4096));
	return fd;
}

static struct image fine_image(void)
{
	struct image image;

	image_make(&image, some, 2);
	return image;
}

/* A section more in the place of the first, empty one. */
static int with_section(struct image *image, const char *name, uint32_t type, uint64_t offset,
			uint64_t size)
{
	image->sections[0] = (Elf64_Shdr){ .sh_name = image_name(image, name),
					   .sh_type = type,
					   .sh_offset = offset,
					   .sh_size = size,
					   .sh_addr = 0x7000000000,
					   .sh_addralign = 1 };
	return grown(image_open(image));
}

static int with_segment(struct image *image, uint32_t type, uint64_t offset, uint64_t size)
{
	image->header.e_phnum = 2;
	image->segments[1] = (Elf64_Phdr){ .p_type = type,
					   .p_flags = PF_R | PF_X,
					   .p_offset = offset,
					   .p_vaddr = 0x100000000,
					   .p_filesz = size,
					   .p_memsz = size,
					   .p_align = 4 };
	return grown(image_open(image));
}

static void check_peaks(const char *what, uint64_t before)
{
	uint64_t reader = worker_peak_bytes(&workers.reader);

	print_message("%s: reader %lu MiB, %u files given up\n", what, reader >> 20,
		      workers.given_up);
	if (SANITIZED)
		return;
	assert_true(reader < 1100 << 20);
	assert_true(own_peak() - before < 256 << 20);
}

struct wanted_name {
	const char *name;
	bool found;
};

static int find_name(void *context, uint32_t number, const struct name_line *lines,
		     uint32_t line_count)
{
	struct wanted_name *wanted = context;

	(void)number;
	(void)line_count;
	wanted->found = wanted->found || strcmp(lines[0].name, wanted->name) == 0;
	return 0;
}

/* Asks for everything; then for the name of the function at IMAGE_TEXT. fd: consumed. */
static void check_name(int fd, const char *name)
{
	uint32_t answered;
	cleanup(object_unref) struct object *object = NULL;
	const uint64_t address = IMAGE_TEXT;
	struct wanted_name wanted = { name, false };
	struct opened opened = {};
	struct stat st;

	assert_ok(fstat(fd, &st));
	opened.identity = object_identity_of(&st);
	ask_everything(dup(fd));
	assert_ok(ask_object(&workers, &object, fd, -1, &opened, "/nowhere/greedy"));
	assert_ok(ask_names(&workers, object, &address, 1, &answered, find_name, &wanted));
	if (!wanted.found)
		fail_msg("%s has no name", name);
}

static void begin(void)
{
	assert_non_null(getenv("PROFD"));
	worker_set_program(getenv("PROFD"));
	workers_init(&workers);
	assert_ok(workers_check(&workers));
}

/* Headers that speak of 100 GB, in files of that size that take up nothing. */
static void test_files_of_100_gb(void **state)
{
	uint64_t before = own_peak();
	struct image image;

	(void)state;
	begin();
	image = fine_image();
	image.sections[2].sh_offset = FAR;
	image.sections[2].sh_size = MUCH / 24 * 24;
	ask_everything(grown(image_open(&image)));
	image = fine_image();
	image.sections[3].sh_size = MUCH;
	check_name(grown(image_open(&image)), "first");
	image = fine_image();
	image.sections[4].sh_offset = FAR;
	image.sections[4].sh_size = MUCH;
	check_name(grown(image_open(&image)), "first");
	image = fine_image();
	image.header.e_shnum = 0;
	image.sections[0].sh_size = MUCH / sizeof(Elf64_Shdr);
	ask_everything(grown(image_open(&image)));
	image = fine_image();
	check_name(with_section(&image, ".note.gnu.build-id", SHT_NOTE, FAR, MUCH), "first");
	image = fine_image();
	check_name(with_section(&image, ".gnu_debuglink", SHT_PROGBITS, FAR, MUCH), "first");
	image = fine_image();
	check_name(with_section(&image, ".gnu_debugdata", SHT_PROGBITS, FAR, MUCH), "first");
	image = fine_image();
	check_name(with_segment(&image, PT_NOTE, FAR, MUCH), "first");
	image = fine_image();
	check_name(with_segment(&image, PT_DYNAMIC, FAR, MUCH), "first");
	image = fine_image();
	check_name(with_segment(&image, PT_INTERP, FAR, MUCH), "first");
	image = fine_image();
	check_name(with_segment(&image, PT_GNU_EH_FRAME, FAR, MUCH), "first");
	image = fine_image();
	check_name(with_segment(&image, PT_LOAD, FAR, MUCH), "first");
	assert_int_equal(workers.given_up, 0);
	image = fine_image();
	check_name(with_section(&image, ".eh_frame", SHT_PROGBITS, FAR, MUCH), "first");
	/* Refused, and named for it; its names are there all the same. */
	assert_int_equal(workers.given_up, 1);
	assert_string_equal(workers.casualties.at[0].why,
			    "it holds more than profd reads of a file");
	image = fine_image();
	check_name(with_section(&image, ".debug_frame", SHT_PROGBITS, FAR, MUCH), "first");
	check_peaks("100 GB", before);
	assert_int_equal(workers.reader.generation, 1);
	workers_fini(&workers);
}

/* Little that says it will be a lot, or becomes it. */
static void test_compressed(void **state)
{
	static unsigned char packed[1 << 20];
	const size_t size = 80 << 20;
	cleanup(free) unsigned char *zeros = calloc(1, size);
	const struct cfi_list none = { .eh_frame = true };
	struct {
		Elf64_Chdr header;
		unsigned char data[64];
	} lie = { { ELFCOMPRESS_ZLIB, 0, MUCH, 1 }, {} };
	struct bytes frame = {};
	uint64_t before;
	struct image image;
	size_t packed_size = 0;
	int fd;

	(void)state;
	begin();
	assert_non_null(zeros);
	before = own_peak();
	bytes_add(&frame, &lie, sizeof(lie));
	for (uint64_t claim = 1; claim; claim *= 16) {
		((Elf64_Chdr *)(void *)frame.at)->ch_size = claim;
		ask_everything(cfi_image_file(&none, &frame, SHF_COMPRESSED, true));
	}
	bytes_fini(&frame);
	/* Of an executable file of 80 MiB: all zeros. */
	assert_int_equal(lzma_easy_buffer_encode(1, LZMA_CHECK_NONE, NULL, zeros, size, packed,
						 &packed_size, sizeof(packed)),
			 LZMA_OK);
	/* Only who has no table of its own has it unpacked. */
	image = fine_image();
	image.sections[2].sh_type = SHT_DYNSYM;
	fd = with_section(&image, ".gnu_debugdata", SHT_PROGBITS, FAR, packed_size);
	assert_int_equal(pwrite(fd, packed, packed_size, FAR), packed_size);
	check_name(fd, "first");
	check_peaks("compressed", before);
	assert_int_equal(workers.given_up, 0);
	assert_int_equal(workers.reader.generation, 1);
	workers_fini(&workers);
}

/* Many that unpack to as much as is allowed: what is open together has a limit, too. */
static void test_many_compressed(void **state)
{
	uint32_t answered;
	enum { FILES = 12 };
	static unsigned char packed[1 << 20];
	const size_t size = 60 << 20;
	cleanup(free) unsigned char *inside = calloc(1, size);
	const uint64_t address = IMAGE_TEXT;
	struct object *objects_of[FILES];
	struct image image = fine_image();
	size_t packed_size = 0;
	struct stat st;

	(void)state;
	begin();
	assert_non_null(inside);
	memcpy(inside, &image, sizeof(image));
	assert_int_equal(lzma_easy_buffer_encode(1, LZMA_CHECK_NONE, NULL, inside, size, packed,
						 &packed_size, sizeof(packed)),
			 LZMA_OK);
	for (unsigned i = 0; i < FILES; i++) {
		struct wanted_name wanted = { "first", false };
		struct opened opened = {};
		int fd;

		image = fine_image();
		image.sections[2] = (Elf64_Shdr){};
		fd = with_section(&image, ".gnu_debugdata", SHT_PROGBITS, FAR, packed_size);
		assert_int_equal(pwrite(fd, packed, packed_size, FAR), packed_size);
		assert_ok(fstat(fd, &st));
		opened.identity = object_identity_of(&st);
		assert_ok(ask_object(&workers, &objects_of[i], fd, -1, &opened, "/packed"));
		assert_ok(ask_names(&workers, objects_of[i], &address, 1, &answered, find_name, &wanted));
		if (!wanted.found)
			fail_msg("file %u has no names, process %u", i, workers.liner.generation);
	}
	/* Another process each time that the one before had enough. */
	assert_int_equal(workers.given_up, 0);
	assert_int_equal(workers.liner.lost, 0);
	assert_true(workers.liner.generation > 2 && workers.liner.generation < FILES);
	for (unsigned i = 0; i < FILES; i++)
		object_unref(objects_of[i]);
	workers_fini(&workers);
}

/* A million functions of a byte each, and a rule for every one. */
static void test_many_entries(void **state)
{
	enum { ENTRIES = 1 << 20, ENTRY_BYTES = 24 };
	struct cfi_list list = { .eh_frame = true };
	struct image image = fine_image();
	cleanup(free) unsigned char *data = NULL;
	uint64_t before = own_peak();
	size_t cie, at;
	int fd;

	(void)state;
	begin();
	/* Offsets of 4 bytes, from where they stand. */
	list.encoding = DW_EH_PE_pcrel | DW_EH_PE_sdata4;
	cie = cfi_cie(&list, "zR");
	at = list.bytes.size;
	data = calloc(1, at + (size_t)ENTRIES * ENTRY_BYTES + 4);
	assert_non_null(data);
	memcpy(data, list.bytes.at, at);
	for (uint32_t i = 0; i < ENTRIES; i++, at += ENTRY_BYTES) {
		const uint32_t head[] = { ENTRY_BYTES - 4, (uint32_t)(at + 4 - cie),
					  (uint32_t)(IMAGE_TEXT + 0x10000000 + i - (at + 8)), 1 };
		/* No augmentation; DW_CFA_def_cfa_offset (ULEB128). */
		const unsigned char program[] = { 0, DW_CFA_def_cfa_offset,
						  (unsigned char)(0x80 | (i * 8 & 0x78)),
						  (unsigned char)(0x80 | (i >> 4 & 0x7f)),
						  (unsigned char)(i >> 11 & 0x7f) };

		memcpy(data + at, head, sizeof(head));
		memcpy(data + at + sizeof(head), program, sizeof(program));
	}
	image.header.e_phnum = 2;
	image.segments[1] = (Elf64_Phdr){ .p_type = PT_LOAD,
					  .p_flags = PF_R | PF_X,
					  .p_offset = FAR,
					  .p_vaddr = IMAGE_TEXT + 0x10000000,
					  .p_filesz = ENTRIES,
					  .p_memsz = ENTRIES };
	fd = with_section(&image, ".eh_frame", SHT_PROGBITS, FAR, at + 4);
	image.sections[0].sh_addr = 0;
	assert_int_equal(pwrite(fd, &image, sizeof(image), 0), sizeof(image));
	assert_int_equal(pwrite(fd, data, at + 4, FAR), at + 4);
	tables = 0;
	check_name(fd, "first");
	assert_true(tables > 0);
	check_peaks("a million entries", before);
	assert_int_equal(workers.reader.lost, 0);
	bytes_fini(&list.bytes);
	workers_fini(&workers);
}

/* ---- the test ---- */

static void break_corpus(unsigned rounds)
{
	const char *path = getenv("CORPUS");
	struct dirent **entries;
	int count;

	assert_non_null(path);
	count = scandir(path, &entries, NULL, alphasort);
	assert_true(count > 2);
	for (int i = 0; i < count; i++) {
		char file[1024];

		snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.')
			break_file(file, rounds / (unsigned)(count - 2) + 1);
		free(entries[i]);
	}
	free(entries);
}

static void test_ten_thousand_files(void **state)
{
	uint64_t before;

	(void)state;
	begin();
	before = own_peak();
	srandom(51);
	break_corpus(8900);
	break_file("/bin/true", 400);
	break_file("/proc/self/exe", 100);
	break_file("/lib64/ld-linux-x86-64.so.2", 250);
	break_file("/usr/lib/x86_64-linux-gnu/libz.so.1", 300);
	break_file("/lib/x86_64-linux-gnu/libc.so.6", 50);
	print_message("%u files, %u with headers that make sense, %u tables, %u names; "
		      "%u reader processes, %lu MiB at most, own memory %+ld MiB\n",
		      asked, objects, tables, named, workers.reader.generation,
		      worker_peak_bytes(&workers.reader) >> 20, (long)(own_peak() - before) >> 20);
	assert_true(asked > 9000 / FEWER);
	/* If hardly any came through, hardly anything was reached. */
	assert_true(objects > asked / 3);
	assert_true(tables > asked / 10);
	assert_true(named > asked / 10);
	assert_int_equal(workers.reader.generation, 1);
	if (!SANITIZED)
		assert_true(own_peak() - before < 64 << 20);
	workers_fini(&workers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ten_thousand_files), cmocka_unit_test(test_files_of_100_gb),
		cmocka_unit_test(test_compressed),	   cmocka_unit_test(test_many_compressed),
		cmocka_unit_test(test_many_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
