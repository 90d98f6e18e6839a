// SPDX-License-Identifier: Apache-2.0
/*
 * The packed tables of real files against libdw: at every row that either of the two knows, its
 * first, second, middle and last address. Where libdw finds no entry, the table must have no rule
 * either, also in the middle of long gaps (asked every 16 bytes, the alignment of functions).
 *
 * Differences that are meant: a slot below the stack pointer says that the register holds, and so does
 * one that counts from rbp where only the return address is left of the frame; padding of fewer
 * than 16 bytes has the rule of the row before it; what no rule can say has none.
 *
 * Files: those named as arguments; or a few, and some of the system's folders; or all of those
 * (PROFD_ALL_LIBRARIES=1, minutes).
 */
#include "test.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
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

enum { SP = 7, BP = 6, BX = 3, RA = 16, MAX_PRINTED = 40, QUICK_STRIDE = 60 };

/* What holds at one address, in the form in which the two are compared. */
struct meaning {
	uint8_t kind;
	int32_t cfa_offset;
	int slot, bx_slot;
	uint16_t steps; /* what else the rule's `steps` says where they are none */
};

struct oracle {
	Dwarf_CFI *eh_frame, *debug_frame;
	Dwarf_Frame *frame;
	Dwarf_Addr start, end; /* where the frame holds */
	bool signal;
};

static struct {
	uint64_t files, rows, packed, bytes, points, differ, kinds[RULE_KIND_COUNT];
	uint64_t unsupported, broken, dropped;
	uint32_t most_rules; /* of one file */
} total;

static char **arguments;

/* ---- what libdw says ---- */

/* The frame at an address, kept while it holds. */
static bool oracle_seek(struct oracle *o, uint64_t address)
{
	if (o->frame && address >= o->start && address < o->end)
		return true;
	free(o->frame);
	o->frame = NULL;
	if ((!o->eh_frame || dwarf_cfi_addrframe(o->eh_frame, address, &o->frame) != 0) &&
	    (!o->debug_frame || dwarf_cfi_addrframe(o->debug_frame, address, &o->frame) != 0)) {
		o->frame = NULL;
		return false;
	}
	return dwarf_frame_info(o->frame, &o->start, &o->end, &o->signal) == RA;
}

/* Do the operations begin with this register and an offset? */
static bool is_register(const Dwarf_Op *ops, size_t count, unsigned number, int64_t *ret_offset)
{
	if (count < 1)
		return false;
	/* What libdw makes of DW_CFA_def_cfa; the other is what stands in expressions. */
	if (ops[0].atom == DW_OP_bregx && ops[0].number == number) {
		*ret_offset = (int64_t)ops[0].number2;
		return true;
	}
	*ret_offset = (int64_t)ops[0].number;
	return ops[0].atom == DW_OP_breg0 + number;
}

static bool is_plt(const Dwarf_Op *ops, size_t count)
{
	return count == 9 && ops[1].atom == DW_OP_breg16 && ops[1].number == 0 &&
	       ops[2].atom == DW_OP_lit15 && ops[3].atom == DW_OP_and &&
	       ops[4].atom >= DW_OP_lit0 && ops[4].atom <= DW_OP_lit15 && ops[5].atom == DW_OP_ge &&
	       ops[6].atom == DW_OP_lit3 && ops[7].atom == DW_OP_shl && ops[8].atom == DW_OP_plus;
}

struct location {
	bool undefined, same, at_cfa;
	int64_t offset; /* at_cfa: from the CFA */
	const Dwarf_Op *ops;
	size_t count;
};

static bool locate(Dwarf_Frame *frame, int number, struct location *ret, Dwarf_Op memory[3])
{
	Dwarf_Op *ops;
	size_t count;

	*ret = (struct location){};
	if (dwarf_frame_register(frame, number, memory, &ops, &count) != 0)
		return false;
	ret->undefined = count == 0 && ops == memory;
	ret->same = count == 0 && ops == NULL;
	if (count > 0 && ops[0].atom == DW_OP_call_frame_cfa) {
		ops++;
		count--;
		ret->at_cfa = count == 0 || (count == 1 && ops[0].atom == DW_OP_plus_uconst);
		ret->offset = count ? (int64_t)ops[0].number : 0;
	}
	ret->ops = ops;
	ret->count = count;
	return true;
}

static bool is_stored_at(const struct location *location, unsigned number, int64_t offset)
{
	int64_t found;

	return location->count == 1 &&
	       is_register(location->ops, location->count, number, &found) && found == offset;
}

/*
 * The slot of a register that was saved, 0: it holds. -1: no slot can say it. base, offset: the CFA;
 * exact: it is base + offset.
 */
static int oracle_slot(const struct location *saved, unsigned base, int64_t offset, bool exact)
{
	int64_t at;

	if (saved->same || saved->undefined)
		return 0;
	if (saved->at_cfa)
		at = saved->offset;
	else if (exact && base == SP && offset == 8 && saved->count == 1 &&
		 is_register(saved->ops, 1, BP, &at))
		return 0;
	else if (exact && saved->count == 1 && is_register(saved->ops, 1, base, &at))
		at -= offset;
	else
		return -1;
	if (exact && base == SP && at < 0 && at < -offset)
		return 0;
	return at >= 0 || at % 8 || at < -8 * 255 ? -1 : (int)(-at / 8);
}

/* DWARF's number of each enum wire_temporary. */
static const unsigned temporaries[WIRE_TEMPORARIES] = { 0, 1, 2, 4, 5, 8, 9, 10, 11 };

/*
 * The `steps` of RULE_STORED, or below 0: what follows the first operation of the CFA is no
 * "(plus 8 times a register) deref (plus a constant)".
 */
static int stored_steps(const Dwarf_Op *cfa, size_t count, bool from_bp)
{
	int steps = from_bp ? RULE_STORED_FROM_BP : 0;
	size_t at = 1;

	for (int i = 0; at == 1 && count >= 5 && i < WIRE_TEMPORARIES; i++) {
		if (cfa[1].atom == DW_OP_breg0 + temporaries[i] && cfa[1].number == 0 &&
		    cfa[2].atom == DW_OP_lit8 && cfa[3].atom == DW_OP_mul &&
		    cfa[4].atom == DW_OP_plus) {
			steps |= (i + 1) << RULE_STORED_INDEX_SHIFT;
			at = 5;
		}
	}
	if (at >= count || cfa[at++].atom != DW_OP_deref)
		return -1;
	if (at == count)
		return steps;
	if (cfa[at].atom != DW_OP_plus_uconst || cfa[at].number % 8 ||
	    cfa[at].number > 8 * RULE_STORED_ADDED || at + 1 != count)
		return -1;
	return steps | (int)(cfa[at].number / 8);
}

/* How the CFA is found; nothing of the registers yet. *base: what it counts from. */
static struct meaning oracle_cfa(const Dwarf_Op *cfa, size_t count, unsigned *base, int64_t *offset)
{
	struct meaning m = { .kind = RULE_NONE };

	*base = SP;
	if (is_register(cfa, count, SP, offset)) {
		if (count == 1) {
			m.kind = RULE_SP;
		} else if (is_plt(cfa, count)) {
			m.kind = RULE_PLT;
			m.steps = (uint16_t)(cfa[4].atom - DW_OP_lit0);
		} else if (stored_steps(cfa, count, false) >= 0) {
			m.kind = RULE_STORED;
			m.steps = (uint16_t)stored_steps(cfa, count, false);
		}
	} else if (is_register(cfa, count, BP, offset)) {
		*base = BP;
		if (count == 1)
			m.kind = RULE_BP;
		else if (stored_steps(cfa, count, true) >= 0) {
			m.kind = RULE_STORED;
			m.steps = (uint16_t)stored_steps(cfa, count, true);
		}
	} else if (is_register(cfa, count, BX, offset) && count == 1) {
		*base = BX;
		m.kind = RULE_BX;
	}
	for (uint16_t i = 0; m.kind == RULE_NONE && count == 1 && i < WIRE_TEMPORARIES; i++) {
		if (is_register(cfa, count, temporaries[i], offset)) {
			*base = temporaries[i];
			m.kind = RULE_TEMPORARY;
			m.steps = i;
		}
	}
	/* No frame is that large: the mark of Go's linker for code that sets rsp at will. */
	if (m.kind != RULE_NONE && (*offset % 8 || *offset >= 1 << 26 || *offset <= -(1 << 26)))
		m.kind = RULE_NONE;
	m.cfa_offset = m.kind == RULE_NONE ? 0 : (int32_t)*offset;
	return m;
}

static struct meaning oracle_meaning(struct oracle *o)
{
	const struct meaning none = { .kind = RULE_NONE };
	struct meaning m = { .kind = RULE_NONE };
	Dwarf_Op ra_memory[3], bp_memory[3], bx_memory[3], *cfa;
	struct location ra, bp, bx;
	unsigned base;
	int64_t offset = 0;
	size_t count;
	bool exact;

	if (!locate(o->frame, RA, &ra, ra_memory))
		return none;
	if (ra.undefined)
		return (struct meaning){ .kind = RULE_END };
	if (dwarf_frame_cfa(o->frame, &cfa, &count) != 0 || !locate(o->frame, BP, &bp, bp_memory) ||
	    !locate(o->frame, BX, &bx, bx_memory))
		return none;
	if (o->signal) {
		if (count == 2 && is_register(cfa, count, SP, &offset) && offset == 160 &&
		    cfa[1].atom == DW_OP_deref && is_stored_at(&ra, SP, 168) &&
		    is_stored_at(&bp, SP, 120) && is_stored_at(&bx, SP, 128))
			m.kind = RULE_SIGNAL;
		return m;
	}
	m = oracle_cfa(cfa, count, &base, &offset);
	if (m.kind == RULE_STORED && m.steps == RULE_STORED_FROM_BP && is_stored_at(&bp, BP, 0)) {
		m.kind = RULE_DRAP;
		m.steps = 0;
	}
	exact = m.kind == RULE_SP || m.kind == RULE_BP || m.kind == RULE_BX ||
		m.kind == RULE_TEMPORARY;
	m.slot = oracle_slot(&bp, base, offset, exact);
	m.bx_slot = oracle_slot(&bx, base, offset, exact);
	if (m.kind == RULE_TEMPORARY && is_stored_at(&bp, BP, 0))
		m.slot = RULE_BP_IN_FRAME;
	if (m.kind == RULE_DRAP) {
		m.slot = 0;
		m.bx_slot = bx.at_cfa ? -1 : oracle_slot(&bx, BP, 0, true);
	}
	/* libdw gives a register as the place of a value that is held in one. */
	for (uint16_t i = 0; m.kind == RULE_SP && offset >= 0 && i < WIRE_TEMPORARIES; i++) {
		if (ra.count == 1 &&
		    (ra.ops[0].atom == DW_OP_reg0 + temporaries[i] ||
		     (ra.ops[0].atom == DW_OP_regx && ra.ops[0].number == temporaries[i]))) {
			m.kind = RULE_LINK;
			m.steps = i;
		}
	}
	if (m.kind != RULE_LINK && (!ra.at_cfa || ra.offset != -8))
		return none;
	if (m.bx_slot < 0 || m.bx_slot == 255)
		m.bx_slot = RULE_BX_LOST;
	if (m.kind == RULE_NONE || m.slot < 0 ||
	    ((m.kind == RULE_PLT || m.kind == RULE_LINK) && (m.slot || m.bx_slot)))
		return none;
	return m;
}

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

	if (oracle_seek(&c->oracle, address))
		want = oracle_meaning(&c->oracle);
	else if (padding && oracle_seek(&c->oracle, c->padding_start - 1))
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
		if (!oracle_seek(&c->oracle, at)) {
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

	if (fd < 0 || object_open(&object, fd, path) != 0 || object->machine != EM_X86_64)
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
	static const char *const few[] = { "/proc/self/exe", "/lib/x86_64-linux-gnu/libc.so.6",
					   "/lib64/ld-linux-x86-64.so.2" };
	static const char *const folders[] = { "/usr/lib/x86_64-linux-gnu", "/usr/bin", "/usr/sbin",
					       "/usr/lib64" };
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
