// SPDX-License-Identifier: Apache-2.0
/*
 * The packed tables of real files against libdw: at every row that either of the two knows, its
 * first, second, middle and last address. Where libdw finds no entry, the table must have no rule
 * either, also in the middle of long gaps (asked every 16 bytes, the alignment of functions).
 *
 * Differences that are meant. x86-64: a slot below the stack pointer says that the register holds, and so does
 * one that counts from rbp where only the return address is left of the frame; padding of fewer
 * than 16 bytes has the rule of the row before it; what no rule can say has none.
 *
 * Files: those named as arguments; or a few, and some of the system's folders; or all of those
 * (PROFD_ALL_LIBRARIES=1, minutes).
 */
#include "test.h"

#include <elf.h>
#include <fcntl.h>
#include <ftw.h>
#include <libelf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bpf/table.h"
#include "elf/cfi.h"
#include "elf/object_file.h"
#include "unwind/table.h"

#if defined(__aarch64__)
#include "table_oracle_aarch64.h"
#define MACHINE EM_AARCH64
#define FOLDER "/usr/lib/aarch64-linux-gnu"
#define LINKER "/lib/ld-linux-aarch64.so.1"
/* Under user emulation there are few files, and each takes its time. */
enum { MAX_PRINTED = 40, QUICK_STRIDE = 4 };
#else
#include "table_oracle_x86_64.h"
#define MACHINE EM_X86_64
#define FOLDER "/usr/lib/x86_64-linux-gnu"
#define LINKER "/lib64/ld-linux-x86-64.so.2"
enum { MAX_PRINTED = 40, QUICK_STRIDE = 60 };
#endif

static struct {
	uint64_t files, rows, packed, bytes, points, differ, kinds[RULE_KIND_COUNT];
	uint64_t unsupported, broken, dropped;
	uint32_t most_rules; /* of one file */
} total;

static char **arguments;

/* ---- what the table says ---- */

static struct meaning table_meaning(const struct unwind_table *table, uint64_t address)
{
	uint64_t page = address >> WIRE_PAGE_SHIFT;
	struct meaning m = { .kind = RULE_NONE };
	const struct wire_rule *rule;
	uint32_t found, distance;

	if (page < table->first_page || page - table->first_page >= table->block_offset.count ||
	    table->block_offset.at[page - table->first_page] == UINT32_MAX)
		return m;
	found = table_block_search(table->blocks.at, table->blocks.count,
				   table->block_offset.at[page - table->first_page],
				   (uint16_t)address);
	assert_true(found >> 16 < table->rules.count);
	assert_true((found & 0xffff) <= (address & 0xffff));
	rule = &table->rules.at[found >> 16];
	distance = (uint32_t)(address & 0xffff) - (found & 0xffff);
	m.kind = rule->kind_and_step & RULE_KIND_MASK;
	if (m.kind == RULE_NONE)
		return m;
	m.cfa_offset = 8 * rule_cfa_words(rule, distance);
	m.slot = rule_bp_slot(rule, m.cfa_offset / 8);
	m.bx_slot = rule_bx_slot(rule, m.cfa_offset / 8);
	if (!(rule->kind_and_step & (RULE_STEPS_PUSH | RULE_STEPS_POP)))
		m.steps = rule->steps;
	return m;
}

/* ---- the comparison ---- */

static bool same_meaning(const struct meaning *a, const struct meaning *b)
{
	return a->kind == b->kind && a->cfa_offset == b->cfa_offset && a->slot == b->slot &&
	       a->bx_slot == b->bx_slot && a->steps == b->steps;
}

struct comparison {
	const char *path;
	const struct unwind_table *table;
	struct oracle oracle;
	uint64_t padding_start, padding_end; /* of the row under way, equal when it is none */
	uint64_t differ;
};

static void compare_at(struct comparison *c, uint64_t address)
{
	struct meaning got = table_meaning(c->table, address), want = { .kind = RULE_NONE };
	bool padding = address >= c->padding_start && address < c->padding_end;

	if (oracle_seek_frame(&c->oracle, address, RA))
		want = oracle_meaning(&c->oracle);
	else if (padding && oracle_seek_frame(&c->oracle, c->padding_start - 1, RA))
		want = oracle_meaning(&c->oracle);
	total.points++;
	total.kinds[got.kind]++;
	if (same_meaning(&got, &want))
		return;
	if (c->differ++ < MAX_PRINTED)
		print_message("%s: %#llx: table kind %u cfa %d slots %d %d steps %u, "
			      "libdw kind %u cfa %d slots %d %d steps %u\n",
			      c->path, (unsigned long long)address, got.kind, got.cfa_offset,
			      got.slot, got.bx_slot, got.steps, want.kind, want.cfa_offset,
			      want.slot, want.bx_slot, want.steps);
}

/* All of [start, end), which our rows take for one. */
static void compare_range(struct comparison *c, uint64_t start, uint64_t end)
{
	for (uint64_t at = start; at < end;) {
		uint64_t to = end;

		compare_at(c, at);
		if (!oracle_seek_frame(&c->oracle, at, RA)) {
			/* No entry here: look for one that we do not know of. */
			at = (at | 15) + 1;
			if (at >= end)
				compare_at(c, end - 1);
			continue;
		}
		if (c->oracle.end < to)
			to = c->oracle.end;
		if (at + 1 < to)
			compare_at(c, at + 1);
		compare_at(c, at + (to - at) / 2);
		compare_at(c, to - 1);
		at = to;
	}
}

static void compare_rows(struct comparison *c, const struct cfi_table *rows)
{
	for (uint32_t i = 0; i + 1 < rows->rows.count; i++) {
		const struct cfi_row *row = &rows->rows.at[i];

		c->padding_start = c->padding_end = 0;
		if (row->rule.kind_and_step == RULE_NONE && row->rule.cfa_words == CFI_GAP &&
		    row[1].address - row->address < 16) {
			c->padding_start = row->address;
			c->padding_end = row[1].address;
		}
		compare_range(c, row->address, row[1].address);
	}
	c->padding_start = c->padding_end = 0;
}

static void compare_outside(struct comparison *c, const struct cfi_table *rows,
			    const struct object *object)
{
	uint64_t first = UINT64_MAX, last = 0;

	if (rows->rows.count) {
		first = rows->rows.at[0].address;
		last = rows->rows.at[rows->rows.count - 1].address;
	}
	for (uint32_t i = 0; i < object->segments.count; i++) {
		const struct object_segment *segment = &object->segments.at[i];
		uint64_t start = segment->address, end = start + segment->file_size;

		if (!segment->executable)
			continue;
		if (start < first)
			compare_range(c, start, end < first ? end : first);
		if (end > last)
			compare_range(c, start > last ? start : last, end);
	}
}

static void compare_object(const struct object *object, const char *path)
{
	struct comparison c = { .path = path };
	struct unwind_table table = {};
	struct cfi_table rows = {};
	Elf *elf = elf_begin(object->fd, ELF_C_READ_MMAP, NULL);
	Dwarf *dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);

	assert_ok(cfi_read(&rows, object));
	assert_ok(unwind_table_build(&table, &rows));
	assert_ok(unwind_table_check(&table));
	if (table.rules.count > total.most_rules)
		total.most_rules = table.rules.count;
	c.table = &table;
	c.oracle.eh_frame = dwarf_getcfi_elf(elf);
	c.oracle.debug_frame = dwarf ? dwarf_getcfi(dwarf) : NULL;
	compare_rows(&c, &rows);
	compare_outside(&c, &rows, object);
	total.files++;
	total.rows += rows.rows.count;
	total.packed += table.row_count;
	total.bytes += table.blocks.count + 4ULL * table.block_offset.count;
	total.differ += c.differ;
	total.unsupported += rows.unsupported;
	total.broken += rows.broken;
	total.dropped += table.dropped_rules;
	if (rows.broken)
		print_message("%s: %u broken\n", path, rows.broken);
	if (c.differ)
		print_message("%s: %llu points differ\n", path, (unsigned long long)c.differ);
	free(c.oracle.frame);
	dwarf_cfi_end(c.oracle.eh_frame);
	dwarf_end(dwarf);
	elf_end(elf);
	unwind_table_fini(&table);
	cfi_table_fini(&rows);
}

/* Whether there was something to compare. */
static bool compare_file(const char *path)
{
	cleanup(object_unref) struct object *object = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || object_open(&object, fd, path) != 0 || object->machine != MACHINE)
		return false;
	compare_object(object, path);
	return true;
}

/* ---- which files ---- */

static int visit_stride, visited;

static int visit(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)where;
	/* Separate debug files have the headers of their originals, but not the contents. */
	if (type == FTW_F && S_ISREG(st->st_mode) && visited++ % visit_stride == 0)
		compare_file(path);
	return 0;
}

static void test_files(void **state)
{
	static const char *const few[] = { "/proc/self/exe", FOLDER "/libc.so.6", LINKER };
	static const char *const folders[] = { FOLDER, "/usr/bin", "/usr/sbin", "/usr/lib64" };
	const char *all = getenv("PROFD_ALL_LIBRARIES");
	cleanup(object_unref) struct object *vdso = NULL;

	(void)state;
	elf_version(EV_CURRENT);
	if (arguments[0]) {
		for (char **path = arguments; *path; path++)
			assert_true(compare_file(*path));
	} else {
		for (size_t i = 0; i < ARRAY_SIZE(few); i++)
			compare_file(few[i]);
		assert_true(total.files > 0);
		if (object_open_vdso(&vdso) == 0)
			compare_object(vdso, "[vdso]");
		visit_stride = all && strcmp(all, "1") == 0 ? 1 : QUICK_STRIDE;
		for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
			nftw(folders[i], visit, 16, FTW_PHYS);
	}
	print_message("%llu files, %llu rows, packed %llu in %llu bytes, at most %u rules; "
		      "%llu points compared, %llu differ; %llu unsupported, %llu broken, "
		      "%llu dropped\n",
		      (unsigned long long)total.files, (unsigned long long)total.rows,
		      (unsigned long long)total.packed, (unsigned long long)total.bytes,
		      total.most_rules, (unsigned long long)total.points,
		      (unsigned long long)total.differ, (unsigned long long)total.unsupported,
		      (unsigned long long)total.broken, (unsigned long long)total.dropped);
	print_message("points by kind: none %llu sp %llu bp %llu bx %llu plt %llu signal %llu "
		      "drap %llu stored %llu temporary %llu link %llu end %llu\n",
		      (unsigned long long)total.kinds[RULE_NONE],
		      (unsigned long long)total.kinds[RULE_SP],
		      (unsigned long long)total.kinds[RULE_BP],
		      (unsigned long long)total.kinds[RULE_BX],
		      (unsigned long long)total.kinds[RULE_PLT],
		      (unsigned long long)total.kinds[RULE_SIGNAL],
		      (unsigned long long)total.kinds[RULE_DRAP],
		      (unsigned long long)total.kinds[RULE_STORED],
		      (unsigned long long)total.kinds[RULE_TEMPORARY],
		      (unsigned long long)total.kinds[RULE_LINK],
		      (unsigned long long)total.kinds[RULE_END]);
	assert_true(total.kinds[RULE_SP] > 0);
	assert_int_equal(total.differ, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_files) };

	(void)argc;
	arguments = argv + 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
