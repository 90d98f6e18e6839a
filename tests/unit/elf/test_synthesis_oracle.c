// SPDX-License-Identifier: Apache-2.0
/*
 * Real files that have call frame information, read as if they had none: what decoding finds is
 * compared with it at every address. Rows may be missing, that is honest; wrong ones must be very
 * rare.
 *
 * Some assembly code's own information is wrong: it does not follow the stack pointer (glibc's
 * mpn_mul_1, OpenSSL's x25519), or names the wrong registers (OpenSSL's SHA-1 for several buffers).
 * Entries that contradict their own instructions are left out, and counted.
 */
#include "test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/table.h"
#include "elf/code.h"
#include "elf/instruction.h"
#include "elf/object_file.h"
#include "elf/synthesis.h"

/* A walk over the addresses of a table, upwards. */
struct steps {
	const struct cfi_table *table;
	uint32_t next;
};

static const struct wire_rule *step_to(struct steps *steps, uint64_t address)
{
	static const struct wire_rule gap = { .cfa_words = CFI_GAP, .kind_and_step = RULE_NONE };
	const struct cfi_table *table = steps->table;

	while (steps->next < table->rows.count && table->rows.at[steps->next].address <= address)
		steps->next++;
	return steps->next ? &table->rows.at[steps->next - 1].rule : &gap;
}

static struct {
	uint64_t total, same, other_form, register_or_slot, unknown, missing, wrong, faulty;
	unsigned printed;
} seen;

/* By how much the instruction moves the stack pointer, in words; 0 also when nobody knows. */
static int64_t moves(const struct instruction *i)
{
	switch (i->kind) {
	case INSTRUCTION_PUSH:
		return -1;
	case INSTRUCTION_POP:
		return i->a == REGISTER_SP ? 0 : 1;
	case INSTRUCTION_ADD:
		return i->a == REGISTER_SP && i->b == REGISTER_SP ? i->value / 8 : 0;
	default:
		return 0;
	}
}

static uint32_t first_row(const struct cfi_table *table, uint64_t address)
{
	uint32_t low = 0, high = table->rows.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (table->rows.at[middle].address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * Does the entry from `start` to `end` contradict its own instructions? Wherever the CFA is told by
 * the stack pointer it has to move with it, and what is pushed before the first jump is where it was
 * pushed to.
 */
static bool is_faulty(struct code *code, const struct cfi_table *cfi, uint64_t start, uint64_t end)
{
	struct steps steps = { cfi, first_row(cfi, start) };
	int64_t words = 1;
	int pushed = 0; /* the slot of rbx */
	bool straight = true;

	while (start < end) {
		const struct wire_rule before = *step_to(&steps, start), *after;
		struct instruction i;
		size_t size;
		const unsigned char *bytes = code_bytes(code, start, &size);

		if (!bytes || !instruction_decode(&i, bytes, size, start))
			return false;
		start += i.length;
		if (start >= end)
			return false;
		after = step_to(&steps, start);
		if (moves(&i) && before.kind_and_step == RULE_SP &&
		    after->kind_and_step == RULE_SP &&
		    after->cfa_words != before.cfa_words - moves(&i))
			return true;
		straight = straight && i.kind != INSTRUCTION_JUMP && i.kind != INSTRUCTION_CALL &&
			   i.kind != INSTRUCTION_CALL_INDIRECT && i.kind != INSTRUCTION_POP;
		words -= moves(&i);
		if (straight && i.kind == INSTRUCTION_PUSH && i.a == REGISTER_BX && !pushed)
			pushed = (int)words;
		if (straight && pushed && after->kind_and_step == RULE_TEMPORARY &&
		    after->bx_slot && after->bx_slot != pushed)
			return true;
	}
	return false;
}

static void note_wrong(const char *what, uint64_t address, const struct wire_rule *cfi,
		       const struct wire_rule *got)
{
	seen.wrong++;
	if (seen.printed++ < 20)
		print_message("%s at %#lx: %u %d %u %u, not %u %d %u %u\n", what,
			      (unsigned long)address, got->kind_and_step, got->cfa_words,
			      got->bp_slot, got->bx_slot, cfi->kind_and_step, cfi->cfa_words,
			      cfi->bp_slot, cfi->bx_slot);
}

static bool is_end(const struct wire_rule *rule)
{
	return rule->kind_and_step == RULE_END || rule->kind_and_step == RULE_SIGNAL;
}

static void compare(uint64_t address, const struct wire_rule *cfi, const struct wire_rule *got)
{
	int bp = rule_bp_slot(cfi, cfi->cfa_words), got_bp = rule_bp_slot(got, got->cfa_words);
	int bx = rule_bx_slot(cfi, cfi->cfa_words), got_bx = rule_bx_slot(got, got->cfa_words);

	seen.total++;
	if (got->kind_and_step == RULE_NONE) {
		seen.missing += got->cfa_words == CFI_GAP;
		seen.unknown += got->cfa_words != CFI_GAP;
	} else if (cfi->kind_and_step != got->kind_and_step) {
		/* The same place may be told by one register or another. */
		if (is_end(cfi) || is_end(got))
			note_wrong("kind", address, cfi, got);
		else
			seen.other_form++;
	} else if (cfi->cfa_words != got->cfa_words || cfi->steps != got->steps) {
		note_wrong("CFA", address, cfi, got);
	} else if (bp == got_bp && (bx == got_bx || got_bx == RULE_BX_LOST)) {
		seen.same++;
	} else if ((bp && got_bp && bp != got_bp) ||
		   (bx && got_bx && bx != got_bx && got_bx != RULE_BX_LOST)) {
		note_wrong("slot", address, cfi, got);
	} else {
		/* Right after it was saved, and right before it is lost, it is in both. */
		seen.register_or_slot++;
	}
}

static double percent(uint64_t part)
{
	return 100.0 * (double)part / (double)seen.total;
}

/* same_percent: so many addresses at least have the same row; wrong_percent: fewer are wrong. */
static void check_file(const char *path, double same_percent, double wrong_percent)
{
	static const struct cfi_table none;
	cleanup(object_unref) struct object *object = NULL;
	cleanup(section_table_fini) struct section_table sections = {};
	cleanup(cfi_table_fini) struct cfi_table cfi = {}, rows = {};
	cleanup(code_fini) struct code code = {};
	struct steps by_cfi = { &cfi, 0 }, by_rows = { &rows, 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		print_message("%s is not here\n", path);
		return;
	}
	memset(&seen, 0, sizeof(seen));
	assert_ok(object_open(&object, fd, path));
	assert_ok(cfi_read(&cfi, object));
	assert_ok(synthesis_rows(&rows, object, &none));
	assert_ok(section_table_read(&sections, object->fd));
	assert_ok(code_init(&code, object, &sections, &none));
	for (uint32_t i = 0; i < cfi.functions.count; i++) {
		uint64_t start = cfi.functions.at[i];
		uint64_t end = i + 1 < cfi.functions.count
				       ? cfi.functions.at[i + 1]
				       : cfi.rows.at[cfi.rows.count - 1].address;
		bool faulty = is_faulty(&code, &cfi, start, end);

		for (uint64_t at = start; at < end; at++) {
			const struct wire_rule *rule = step_to(&by_cfi, at);
			const struct wire_rule *got = step_to(&by_rows, at);

			if (rule->kind_and_step == RULE_NONE)
				continue;
			if (faulty)
				seen.faulty++;
			else
				compare(at, rule, got);
		}
	}
	print_message("%s: %lu addresses: %.3f %% the same, %.3f %% in another form, %.3f %% "
		      "register or slot, %.3f %% unknown, %.3f %% not found, %.4f %% wrong; "
		      "%lu left out\n",
		      path, (unsigned long)seen.total, percent(seen.same), percent(seen.other_form),
		      percent(seen.register_or_slot), percent(seen.unknown), percent(seen.missing),
		      percent(seen.wrong), (unsigned long)seen.faulty);
	assert_true(seen.total > 100000);
	assert_true(percent(seen.same) >= same_percent);
	assert_true(percent(seen.wrong) < wrong_percent);
	assert_true(percent(seen.register_or_slot) < 0.5);
	assert_true(percent(seen.other_form) < 3);
	assert_true(seen.faulty < seen.total / 20);
}

static void test_c_library(void **state)
{
	(void)state;
	check_file("/lib/x86_64-linux-gnu/libc.so.6", 90, 0.005);
}

static void test_python(void **state)
{
	(void)state;
	check_file("/usr/bin/python3.11", 96, 0.005);
}

static void test_libcrypto(void **state)
{
	(void)state;
	check_file("/usr/lib/x86_64-linux-gnu/libcrypto.so.3", 87, 0.005);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_c_library),
		cmocka_unit_test(test_python),
		cmocka_unit_test(test_libcrypto),
	};

	for (int i = 1; i < argc; i++)
		check_file(argv[i], 0, 100);
	return argc > 1 ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
