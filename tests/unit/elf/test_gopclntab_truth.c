// SPDX-License-Identifier: Apache-2.0
/*
 * The rows of real Go programs against what Go's linker says of the same code in .debug_frame, at
 * every row that either of the two has. That is made from the same tables, by the linker: the CFA
 * has to be the same wherever the table is followed. Where it is not, the function has to be one that
 * Go marks (its stacks begin in it, it sets its stack pointer) or one of the few that are known by
 * name; and there must be few of them. .debug_frame does not tell of rbp: where it is saved, the code
 * has to show an instruction that does it.
 *
 * Programs: those named as arguments; or one built by each Go that is installed.
 */
#include "test.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf/cfi.h"
#include "elf/gopclntab.h"
#include "elf/object_file.h"

enum { MAX_PRINTED = 20, MAX_PADDING_BYTES = 64 };

static char **arguments;

static struct {
	uint64_t points, same, padding, marked, named, other, framed, unproven, injected;
	uint32_t functions, kinds[RULE_KIND_COUNT];
} total;

/* Its rules may differ from what the linker says, without a flag. */
static bool is_known(const char *name)
{
	static const char *const known[] = {
		"runtime.asyncPreempt", "runtime.sigreturn", "runtime.sigreturn__sigaction",
		"_rt0_amd64_linux", "_rt0_amd64", /* the entry point, and where it jumps */
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(name, known[i]) == 0)
			return true;
	return false;
}

static const struct wire_rule *rule_at(const struct cfi_table *table, uint64_t address)
{
	static const struct wire_rule gap = { .kind_and_step = RULE_NONE };
	uint32_t low = 0, high = table->rows.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (table->rows.at[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &table->rows.at[low - 1].rule : &gap;
}

static void complain(uint64_t address, const char *name, const struct wire_rule *go,
		     const struct wire_rule *cfi)
{
	if (total.other++ < MAX_PRINTED)
		printf("  %#lx %s: kind %u words %d, .debug_frame: kind %u words %d\n", address,
		       name, go->kind_and_step, go->cfa_words, cfi->kind_and_step, cfi->cfa_words);
}

static void compare_at(const struct gopclntab *table, struct gopclntab_cursor *cursor,
		       const struct cfi_table *rows, const struct cfi_table *cfi, uint64_t address)
{
	const struct wire_rule *go = rule_at(rows, address), *linker = rule_at(cfi, address);
	struct gopclntab_function function;
	char name[128];
	uint64_t start, size;
	uint32_t number;

	total.points++;
	/* RULE_NONE: frames of more than 64 MiB. */
	if (go->cfa_words == linker->cfa_words &&
	    (go->kind_and_step == linker->kind_and_step ||
	     (go->kind_and_step == (RULE_SP | RULE_NEXT_EXACT) &&
	      linker->kind_and_step == RULE_SP))) {
		total.same++;
		return;
	}
	if (gopclntab_find(table, address, &start, &size, &number) < 0 ||
	    !gopclntab_cursor_function(cursor, &function, number)) {
		/* Outside of Go's code: C, or nothing. */
		if (go->kind_and_step != RULE_NONE)
			complain(address, "outside", go, linker);
		else
			total.padding++;
		return;
	}
	gopclntab_cursor_name(cursor, &function, name, sizeof(name));
	if (function.stack_values == 0 && go->kind_and_step == RULE_NONE)
		total.padding++;
	else if (linker->kind_and_step == RULE_NONE && function.end - address < MAX_PADDING_BYTES)
		total.padding++;
	else if (function.flags & (GOPCLNTAB_TOP_FRAME | GOPCLNTAB_SP_WRITE))
		total.marked++;
	else if (is_known(name))
		total.named++;
	else
		complain(address, name, go, linker);
}

/* Where a function's rows say for the first time that rbp is saved, push or a store has to end. */
static void prove_saved(const struct gopclntab *table, const struct cfi_table *rows, uint32_t at)
{
	const struct object *object = table->object;
	const struct cfi_row *row = &rows->rows.at[at];
	const struct object_segment *segment = object_segment_of(object, row->address);
	unsigned char code[8] = {};
	uint64_t start, size;
	uint32_t number;

	if (row->rule.kind_and_step != RULE_SP || !row->rule.bp_slot ||
	    gopclntab_find(table, row->address, &start, &size, &number) < 0)
		return;
	for (uint32_t i = at; i > 0 && rows->rows.at[i].address > start;)
		if (rows->rows.at[--i].rule.bp_slot)
			return;
	total.framed++;
	if (!segment ||
	    pread(object->fd, code, 8,
		  (off_t)(segment->file_offset + row->address - segment->address - 8)) != 8)
		return;
	if (code[7] != 0x55 && memcmp(code, "\x48\x89\xac\x24", 4) != 0 &&
	    memcmp(code + 3, "\x48\x89\x6c\x24", 4) != 0 &&
	    memcmp(code + 4, "\x48\x89\x2c\x24", 4) != 0)
		if (total.unproven++ < MAX_PRINTED)
			printf("  %#lx: rbp is not saved here\n", row->address);
}

static void compare_file(const char *path)
{
	cleanup(object_unref) struct object *object = NULL;
	struct gopclntab_cursor *cursor = malloc(sizeof(*cursor));
	struct cfi_table rows = {}, cfi = {};
	struct gopclntab table;

	assert_non_null(cursor);
	assert_ok(object_open(&object, open(path, O_RDONLY | O_CLOEXEC), path));
	assert_ok(gopclntab_open(&table, object));
	assert_true(table.count > 0);
	assert_ok(gopclntab_rows(&rows, object));
	assert_int_equal(rows.broken, 0);
	assert_ok(cfi_read(&cfi, object));
	assert_true(cfi.rows.count > table.count); /* there is a .debug_frame */
	gopclntab_cursor_init(cursor, &table);
	memset(&total, 0, sizeof(total));
	total.functions = table.count;
	for (uint32_t i = 0; i < rows.rows.count; i++) {
		compare_at(&table, cursor, &rows, &cfi, rows.rows.at[i].address);
		prove_saved(&table, &rows, i);
		total.kinds[rows.rows.at[i].rule.kind_and_step & RULE_KIND_MASK]++;
		total.injected += (rows.rows.at[i].rule.kind_and_step & RULE_NEXT_EXACT) != 0;
	}
	for (uint32_t i = 0; i < cfi.rows.count; i++)
		compare_at(&table, cursor, &rows, &cfi, cfi.rows.at[i].address);
	printf("%s: %u functions, %u rows (%u unknown), %u in .debug_frame; of %lu points %lu same, "
	       "%lu padding or C, %lu in functions that Go marks, %lu in known ones, %lu others; %lu "
	       "frames save rbp\n",
	       path, total.functions, rows.rows.count, rows.unsupported, cfi.rows.count,
	       total.points, total.same, total.padding, total.marked, total.named, total.other,
	       total.framed);
	assert_int_equal(total.other, 0);
	assert_int_equal(total.unproven, 0);
	/* The special cases are special. */
	assert_true(total.marked + total.named < total.points / 50);
	assert_true(total.framed > total.functions / 2);
	assert_true(total.kinds[RULE_END] > 0 && total.kinds[RULE_FRAME] > 0 &&
		    total.injected > 0 && total.kinds[RULE_RESUME] == 2 &&
		    total.kinds[RULE_DEPTH] == 2 && total.kinds[RULE_SIGNAL] == 1);
	cfi_table_fini(&rows);
	cfi_table_fini(&cfi);
	free(cursor);
}

/* Builds a program that does nothing, which has all of the runtime in it, and compares it. */
static void compare_toolchain(const char *go, const char *folder)
{
	char command[3 * PATH_MAX], path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/nothing.go", folder);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs("package main\n\nimport \"time\"\n\nfunc main() { println(time.Now().Unix()) }\n",
	      file);
	fclose(file);
	snprintf(
		command, sizeof(command),
		"cd %s && GOENV=off GOFLAGS= GO111MODULE=off GOTOOLCHAIN=local GOROOT= CGO_ENABLED=0 "
		"GOPATH=%s/path GOCACHE=${GOCACHE:-${TMPDIR:-/tmp}/profd-live-go} "
		"%s build -o nothing nothing.go",
		folder, folder, go);
	assert_int_equal(system(command), 0);
	snprintf(path, sizeof(path), "%s/nothing", folder);
	compare_file(path);
}

static void test_installed_toolchains(void **state)
{
	static const char *const places[] = { "/usr/bin/go", "/usr/local/go/bin/go",
					      "/usr/lib/go/bin/go" };
	char folder[] = "/tmp/profd-go-XXXXXX", seen[ARRAY_SIZE(places)][PATH_MAX], command[64];
	unsigned count = 0;

	(void)state;
	for (char **argument = arguments; *argument; argument++)
		compare_file(*argument);
	if (*arguments)
		return;
	assert_non_null(mkdtemp(folder));
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		bool known = false;

		if (!realpath(places[i], seen[count]))
			continue;
		for (unsigned k = 0; k < count; k++)
			known = known || strcmp(seen[k], seen[count]) == 0;
		if (!known)
			compare_toolchain(seen[count++], folder);
	}
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	assert_int_equal(system(command), 0);
	if (count == 0)
		skip();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_installed_toolchains) };

	(void)argc;
	arguments = argv + 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
