// SPDX-License-Identifier: Apache-2.0
/*
 * Rows from what Go's runtime walks its stacks by (runtime/traceback.go): for each address how far
 * the stack pointer has moved, so that the return address lies right above. The runtime stops where
 * a function moves to another stack, or asks the scheduler where the goroutine's stack is; a walk
 * from outside goes on by what those functions leave behind: rbp, or the note of asmcgocall.
 *
 * Go keeps no register but rbp for its callers, so rbx is lost in every frame.
 */
#include "elf/gopclntab.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "elf/gopclntab_code.h"

enum {
	/* Of all functions together: several times what the largest programs have. */
	MAX_STEPS = 64 << 20,
	/* Between functions; more is no padding, but code of others. */
	MAX_PADDING_BYTES = 64,
	/* Longer names are no names of the runtime's. */
	MAX_NAME_BYTES = 64,
};

/* What a function is to a walk, beyond what its table says. */
enum role {
	ROLE_PLAIN,
	ROLE_OUTERMOST, /* stacks begin in it */
	ROLE_INJECTED,	/* it was not called: its caller was interrupted */
	ROLE_SIGNAL,	/* signal handlers return to it */
	ROLE_SCHEDULER, /* once on the system's stack, the goroutine is none of its business */
	ROLE_RESUMING,	/* leaves for a goroutine */
	ROLE_SWITCHING, /* runs on another stack for a while */
	ROLE_C_CALL,	/* asmcgocall */
};

/*
 * Told by name, for funcIDs change their numbers from version to version. The flags say the rest,
 * except for Go 1.16, which has none.
 */
static const struct {
	const char *name;
	enum role role;
} roles[] = {
	{ "_rt0_amd64", ROLE_OUTERMOST }, /* the entry code jumps there */
	{ "gogo", ROLE_RESUMING },
	{ "runtime.asmcgocall", ROLE_C_CALL },
	{ "runtime.asyncPreempt", ROLE_INJECTED },
	{ "runtime.callCgoMmap", ROLE_SWITCHING },
	{ "runtime.callCgoMunmap", ROLE_SWITCHING },
	{ "runtime.callCgoSigaction", ROLE_SWITCHING },
	{ "runtime.cgoSigtramp", ROLE_INJECTED },
	{ "runtime.cgocallback", ROLE_SWITCHING },
	{ "runtime.clone", ROLE_SCHEDULER },
	{ "runtime.debugCallV1", ROLE_INJECTED },
	{ "runtime.debugCallV2", ROLE_INJECTED },
	{ "runtime.goexit", ROLE_OUTERMOST },
	{ "runtime.gogo", ROLE_RESUMING },
	{ "runtime.mcall", ROLE_SCHEDULER },
	{ "runtime.morestack", ROLE_SCHEDULER },
	{ "runtime.mstart", ROLE_OUTERMOST },
	{ "runtime.nanotime1", ROLE_SWITCHING },
	{ "runtime.rt0_go", ROLE_OUTERMOST },
	{ "runtime.sigfwd", ROLE_SWITCHING },
	{ "runtime.sigpanic", ROLE_INJECTED },
	{ "runtime.sigpanic0", ROLE_INJECTED },
	{ "runtime.sigprofNonGoWrapper", ROLE_INJECTED },
	{ "runtime.sigreturn", ROLE_SIGNAL },
	{ "runtime.sigreturn__sigaction", ROLE_SIGNAL },
	{ "runtime.sigtramp", ROLE_INJECTED },
	{ "runtime.systemstack", ROLE_SWITCHING },
	{ "runtime.walltime", ROLE_SWITCHING },
	{ "runtime.walltime1", ROLE_SWITCHING },
	{ "time.now", ROLE_SWITCHING },
};

/* Within [from, to) another rule holds than the table's. */
struct exception {
	uint64_t from, to;
	struct wire_rule rule;
};

enum { MAX_EXCEPTIONS = 3 * GO_CALLS };

struct builder {
	struct cfi_table *table;
	struct gopclntab_cursor cursor;
	struct go_code code;
	struct go_steps steps; /* of the function under way */
	struct go_frame frame;
	uint8_t kind;				     /* where the table tells: RULE_SP and flags */
	struct exception exceptions[MAX_EXCEPTIONS]; /* ascending, disjoint */
	unsigned exception_count;
	uint64_t end;	 /* how far there are rows */
	uint64_t passed; /* end of the last function */
	uint64_t total_steps;
};

static const struct wire_rule gap = { .cfa_words = CFI_GAP, .kind_and_step = RULE_NONE };
static const struct wire_rule unknown = { .cfa_words = CFI_UNKNOWN, .kind_and_step = RULE_NONE };
static const struct wire_rule outermost = { .kind_and_step = RULE_END };
static const struct wire_rule signal_return = { .kind_and_step = RULE_SIGNAL };
/* rbp is the base of a frame, this function's or its caller's, be it on another stack. */
static const struct wire_rule by_frame = {
	.cfa_words = 2, .bx_slot = RULE_BX_LOST, .bp_slot = 2, .kind_and_step = RULE_FRAME
};

/* ---- one function ---- */

/* The rule that the table gives: the frame is `delta` bytes and the return address. */
static struct wire_rule plain_rule(const struct builder *b, int32_t delta, bool saved)
{
	int32_t words = delta / 8 + 1;

	/* Below the entry's: where a return address is kept aside (rawVforkSyscall). */
	if (delta % 8 != 0 || delta < -8 || words > RULE_MAX_CFA_WORDS)
		return unknown;
	return (struct wire_rule){ .cfa_words = words,
				   .bx_slot = RULE_BX_LOST,
				   .bp_slot = saved && b->frame.slot <= words ? b->frame.slot : 0,
				   .kind_and_step = b->kind };
}

static int add_plain(struct builder *b, uint64_t from, uint64_t to, int32_t delta)
{
	uint64_t saved_from = b->frame.slot ? b->frame.saved_from : UINT64_MAX;
	struct wire_rule rule;
	int r = 0;

	if (from < saved_from) {
		rule = plain_rule(b, delta, false);
		r = cfi_table_add(b->table, from, &rule);
	}
	if (r == 0 && saved_from < to) {
		rule = plain_rule(b, delta, true);
		r = cfi_table_add(b->table, from > saved_from ? from : saved_from, &rule);
	}
	return r;
}

/* A step, cut up by the exceptions. */
static int add_step(struct builder *b, uint64_t from, uint64_t to, int32_t delta)
{
	int r = 0;

	for (unsigned i = 0; i < b->exception_count && from < to && r == 0; i++) {
		const struct exception *exception = &b->exceptions[i];

		if (exception->to <= from)
			continue;
		if (exception->from >= to)
			break;
		if (exception->from > from)
			r = add_plain(b, from, exception->from, delta);
		if (r == 0)
			r = cfi_table_add(b->table, exception->from > from ? exception->from : from,
					  &exception->rule);
		from = exception->to < to ? exception->to : to;
	}
	return r == 0 && from < to ? add_plain(b, from, to, delta) : r;
}

static void except(struct builder *b, uint64_t from, uint64_t to, const struct wire_rule *rule)
{
	struct exception *last = b->exceptions + b->exception_count - 1;

	if (b->exception_count && last->to == from && cfi_rule_same(&last->rule, rule))
		last->to = to;
	else if (b->exception_count < MAX_EXCEPTIONS && from < to)
		b->exceptions[b->exception_count++] = (struct exception){ from, to, *rule };
}

/*
 * A function that runs on another stack for a while. In its own frame rbp tells where that is, as
 * soon as it has one. Without one (Go before 1.21) rbp is still the base of its caller's frame:
 * then the walk goes on behind the caller, which is left out.
 */
static void except_switch(struct builder *b, const struct gopclntab_function *function)
{
	struct go_switch found = go_code_switch(&b->code, function->start, function->end);

	/* One that has the name only, and calls the other. */
	if (!found.first)
		return;
	if (!b->frame.from) {
		except(b, found.first, found.last > found.first ? found.last : function->end,
		       &by_frame);
		return;
	}
	for (uint32_t i = 0; i < b->steps.list.count; i++) {
		const struct go_step *step = &b->steps.list.at[i];
		uint64_t from = step->start, to = step->end;

		if (step->delta < 8 || to <= b->frame.from)
			continue;
		if (from < b->frame.from)
			from = b->frame.from;
		if (b->frame.restored_early && i + 1 < b->steps.list.count &&
		    step[1].delta < step->delta)
			to -= go_code_frame_end(&b->code, to);
		except(b, from, to, &by_frame);
	}
}

static void except_c_call(struct builder *b, const struct gopclntab_function *function)
{
	struct go_call calls[GO_CALLS];
	unsigned count = go_code_calls(&b->code, function->start, function->end, calls);
	struct wire_rule noted = { .bx_slot = RULE_BX_LOST, .kind_and_step = RULE_DEPTH };

	if (count == 0) {
		except_switch(b, function);
		return;
	}
	/* The note tells where rsp was, below the frame if there is one. */
	noted.cfa_words = b->frame.from ? 2 : 1;
	noted.bp_slot = b->frame.from ? 2 : 0;
	for (unsigned i = 0; i < count; i++) {
		noted.steps = calls[i].words;
		except(b, calls[i].switched, calls[i].from, &by_frame);
		except(b, calls[i].from, calls[i].to, &noted);
	}
}

static void except_resume(struct builder *b, const struct gopclntab_function *function)
{
	/* runtime.gobuf: sp, pc. */
	const struct wire_rule by_gobuf = { .bx_slot = RULE_BX_LOST,
					    .steps = 1,
					    .kind_and_step = RULE_RESUME };
	const struct wire_rule by_rbx = { .bx_slot = RULE_BX_LOST, .kind_and_step = RULE_RESUME };
	struct go_resume found;

	if (!go_code_resume(&b->code, function->start, function->end, &found))
		return;
	except(b, found.from, found.last, &by_gobuf);
	except(b, found.last, function->end, &by_rbx);
}

/* Notes what differs from the table. */
static void note_exceptions(struct builder *b, const struct gopclntab_function *function,
			    enum role role)
{
	struct go_switch found;

	b->exception_count = 0;
	b->kind = RULE_SP;
	switch (role) {
	case ROLE_PLAIN:
		break;
	case ROLE_OUTERMOST:
		except(b, function->start, function->end, &outermost);
		break;
	case ROLE_INJECTED:
		b->kind = RULE_SP | RULE_NEXT_EXACT;
		break;
	case ROLE_SIGNAL:
		if (go_code_is_signal_return(&b->code, function->start))
			except(b, function->start, function->end, &signal_return);
		break;
	case ROLE_SCHEDULER:
		found = go_code_switch(&b->code, function->start, function->end);
		if (found.first)
			except(b, found.first, function->end, &outermost);
		break;
	case ROLE_RESUMING:
		except_resume(b, function);
		break;
	case ROLE_SWITCHING:
		except_switch(b, function);
		break;
	case ROLE_C_CALL:
		except_c_call(b, function);
		break;
	}
}

static enum role role_of(struct builder *b, const struct gopclntab_function *function)
{
	char name[MAX_NAME_BYTES];
	uint64_t entry = b->cursor.table->object->entry;
	size_t low = 0, high = ARRAY_SIZE(roles);

	gopclntab_cursor_name(&b->cursor, function, name, sizeof(name));
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, roles[middle].name);

		if (order == 0)
			return roles[middle].role;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	if (function->flags & GOPCLNTAB_TOP_FRAME ||
	    (entry >= function->start && entry < function->end))
		return ROLE_OUTERMOST;
	return function->flags & GOPCLNTAB_SP_WRITE ? ROLE_SWITCHING : ROLE_PLAIN;
}

/* Reads the function's table into b->steps. Returns 0 or -ENOMEM; *ret: is it all there? */
static int read_steps(struct builder *b, const struct gopclntab_function *function)
{
	struct gopclntab_values values;

	b->steps.list.count = 0;
	gopclntab_values_init(&values, function, function->stack_values);
	while (b->total_steps < MAX_STEPS && gopclntab_values_next(&values, &b->cursor)) {
		struct go_step *step = array_push(&b->steps.list);

		if (!step)
			return -ENOMEM;
		*step = (struct go_step){ values.start, values.end, values.value };
		b->total_steps++;
	}
	return 0;
}

static int add_start(struct cfi_table *table, uint64_t start)
{
	uint64_t *added = array_push(&table->functions);

	if (!added)
		return -ENOMEM;
	*added = start;
	return 0;
}

static int add_function(struct builder *b, const struct gopclntab_function *function)
{
	const struct go_steps *steps = &b->steps;
	uint32_t count;
	int r;

	if (function->start < b->passed ||
	    !go_code_covers(&b->code, function->start, function->end)) {
		b->table->broken++;
		return 0;
	}
	b->passed = function->end;
	/* Without a table it is not Go's: C code that Go's linker took in, and nothing of its CFI. */
	if (function->stack_values == 0)
		return add_start(b->table, function->start);
	r = read_steps(b, function);
	if (r < 0)
		return r;
	count = steps->list.count;
	if (count == 0) {
		b->table->broken++;
		return 0;
	}
	if (function->end - steps->list.at[count - 1].end <= MAX_PADDING_BYTES)
		steps->list.at[count - 1].end = function->end;
	b->frame = go_code_frame(&b->code, steps, function->flags & GOPCLNTAB_ASSEMBLY);
	note_exceptions(b, function, role_of(b, function));
	r = add_start(b->table, function->start);
	if (r == 0 && b->end && b->end < function->start)
		r = cfi_table_add(b->table, b->end, &gap);
	for (uint32_t i = 0; i < count && r == 0; i++)
		r = add_step(b, steps->list.at[i].start, steps->list.at[i].end,
			     steps->list.at[i].delta);
	b->end = steps->list.at[count - 1].end;
	return r;
}

/* ---- the whole ---- */

static int build(struct builder *b, const struct gopclntab *table)
{
	struct gopclntab_function function;
	int r = 0;

	gopclntab_cursor_init(&b->cursor, table);
	go_code_init(&b->code, table->object);
	for (uint32_t i = 0; i < table->count && r == 0; i++) {
		if (gopclntab_cursor_function(&b->cursor, &function, i))
			r = add_function(b, &function);
		else
			b->table->broken++;
	}
	if (r == 0 && b->table->rows.count > 0)
		r = cfi_table_add(b->table, b->end, &gap);
	return r;
}

int gopclntab_rows(struct cfi_table *ret, const struct object *object)
{
	cleanup(cfi_table_fini) struct cfi_table rows = {};
	cleanup(free) struct builder *b = NULL;
	struct gopclntab table;
	int r = gopclntab_open(&table, object);

	if (r == 0 && table.count > 0) {
		b = calloc(1, sizeof(*b));
		if (!b)
			return -ENOMEM;
		b->table = &rows;
		r = build(b, &table);
		array_fini(&b->steps.list);
	}
	if (r < 0)
		return r;
	*ret = rows;
	rows = (struct cfi_table){};
	return 0;
}
