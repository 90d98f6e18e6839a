// SPDX-License-Identifier: Apache-2.0
/*
 * Strings live in one pool until the symbolizer is freed. What has no name of its own is made up
 * once and kept under (kind of name, object; number).
 */
#include "symbol/symbolizer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/hash.h"
#include "symbol/jit_names.h"
#include "symbol/kernel.h"
#include "symbol/name_pool.h"
#include "worker/ask_reader.h"

/* Of the names that JITs give, all in all: any number of processes may have a large map. */
#define JIT_BYTES_MAX (256ULL << 20)

struct known_process {
	pid_t pid;
	uint64_t start_time;
	struct jit_names *names;
	uint64_t bytes; /* that they take */
	uint64_t kept_bytes; /* of those that were asked for, in symbolizer.names */
	bool undemangled;    /* its names are too much for the reader */
};

/* A function that has its name. */
struct known_function {
	uint64_t owner, number; /* see owner_of */
	struct symbol_line line;
};

struct symbolizer {
	struct symbolizer_options options;
	struct workers *workers; /* borrowed */
	struct name_pool names;
	ARRAY_OF(struct known_process) processes;
	ARRAY_OF(struct known_function) functions;
	struct hash_index process_index, function_index;
	struct kernel_symbols *kernel; /* NULL: not read so far */
	const char *kernel_trouble;
	uint64_t cost_ns;
	uint64_t jit_bytes; /* of all processes */
	uint64_t kernel_kept_bytes;
	bool kernel_undemangled;
	uint64_t refused;
};

int symbolizer_new(struct symbolizer **ret, const struct symbolizer_options *options,
		   struct workers *workers)
{
	struct symbolizer *symbolizer = calloc(1, sizeof(*symbolizer));

	if (!symbolizer)
		return -ENOMEM;
	symbolizer->options = *options;
	if (!symbolizer->options.jit_bytes_max)
		symbolizer->options.jit_bytes_max = JIT_BYTES_MAX;
	symbolizer->workers = workers;
	name_pool_init(&symbolizer->names, options->name_bytes_max);
	*ret = symbolizer;
	return 0;
}

void symbolizer_free(struct symbolizer *symbolizer)
{
	if (!symbolizer)
		return;
	for (uint32_t i = 0; i < symbolizer->processes.count; i++)
		jit_names_free(symbolizer->processes.at[i].names);
	array_fini(&symbolizer->processes);
	array_fini(&symbolizer->functions);
	hash_index_fini(&symbolizer->process_index);
	hash_index_fini(&symbolizer->function_index);
	kernel_symbols_free(symbolizer->kernel);
	name_pool_fini(&symbolizer->names);
	free(symbolizer);
}

/* CPU time of this thread and of those who work for it. */
static uint64_t cost_now(const struct symbolizer *symbolizer)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID) + workers_cpu_ns(symbolizer->workers);
}

/* A name as it is in a table, of one address. */
struct found_name {
	const char *name;   /* NULL: there is none */
	const char *module; /* of the kernel, shown behind the name; "": none */
	size_t readable;    /* offset of its readable form in texts; SIZE_MAX: none */
};

/* Names of one origin, for addresses. */
struct found_names {
	ARRAY_OF(struct found_name) list;
	struct bytes readable;
	const char *origin;   /* for people */
	const char *nameless; /* what is shown where there is none */
	struct payer payer;
	uint64_t *share;   /* see name_pool_add */
	bool *undemangled; /* set once the reader could not cope with them */
};

static void found_names_fini_cleanup(struct found_names *names)
{
	array_fini(&names->list);
	bytes_fini(&names->readable);
}

static int add_found(struct found_names *names, const char *name, const char *module)
{
	struct found_name *slot = array_push(&names->list);

	if (!slot)
		return -ENOMEM;
	*slot = (struct found_name){ name, module, SIZE_MAX };
	return 0;
}

/* Asks about a part of the names, from *at on. Returns 0 or -ENOMEM. */
static int demangle_some(struct symbolizer *symbolizer, struct found_names *names, uint32_t *at)
{
	cleanup(bytes_fini) struct bytes question = {};
	size_t answered = names->readable.size;
	uint32_t from = *at;
	int r;

	for (; *at < names->list.count; ++*at) {
		const char *name = names->list.at[*at].name;

		if (!name || !ask_may_demangle(name))
			continue;
		if (question.size + strlen(name) + 1 > ASK_DEMANGLED_BYTES)
			break;
		bytes_add(&question, name, strlen(name) + 1);
	}
	if (question.failed)
		return -ENOMEM;
	if (question.size == 0)
		return 0;
	r = ask_demangled(symbolizer->workers, &names->readable, question.at, question.size,
			  &names->payer);
	if (r > 0) {
		*names->undemangled = true;
		workers_give_up(symbolizer->workers, names->origin, worker_outcome_text(r));
	}
	if (r != 0)
		return r < 0 ? -ENOMEM : 0;
	for (uint32_t i = from; i < *at; i++) {
		struct found_name *found = &names->list.at[i];

		if (!found->name || !ask_may_demangle(found->name))
			continue;
		if (names->readable.at[answered])
			found->readable = answered;
		answered += strlen(names->readable.at + answered) + 1;
	}
	return 0;
}

/* Makes a line of a name. Returns 0, NAME_POOL_FULL or -ENOMEM. */
static int make_line(struct symbolizer *symbolizer, struct symbol_line *ret,
		     const struct found_names *names, const struct found_name *found)
{
	cleanup(bytes_fini) struct bytes text = {};
	struct symbol_line line = { .file = "" };
	int r;

	bytes_add_str(&text, found->readable == SIZE_MAX ? found->name
							 : names->readable.at + found->readable);
	if (*found->module)
		bytes_add_format(&text, " [%s]", found->module);
	if (!bytes_str(&text))
		return -ENOMEM;
	r = name_pool_add(&symbolizer->names, &line.name, names->share, bytes_str(&text));
	if (r == 0)
		r = name_pool_add(&symbolizer->names, &line.system_name, names->share, found->name);
	if (r == 0)
		*ret = line;
	return r;
}

/* The same for a name that we made up. */
static int make_plain_line(struct symbolizer *symbolizer, struct symbol_line *ret, uint64_t *share,
			   const char *name)
{
	const char *kept;
	int r = name_pool_add(&symbolizer->names, &kept, share, name);

	if (r != 0)
		return r;
	*ret = (struct symbol_line){ .name = kept, .system_name = kept, .file = "" };
	return 0;
}

static bool function_equal(const void *context, uint32_t position, const void *key_)
{
	const struct symbolizer *symbolizer = context;
	const struct known_function *a = &symbolizer->functions.at[position], *b = key_;

	return a->owner == b->owner && a->number == b->number;
}

static const struct symbol_line *find_function(const struct symbolizer *symbolizer, uint64_t owner,
					       uint64_t number)
{
	struct known_function key = { .owner = owner, .number = number };
	uint32_t position = hash_index_find(&symbolizer->function_index, hash_pair(owner, number),
					    function_equal, symbolizer, &key);

	return position == HASH_ABSENT ? NULL : &symbolizer->functions.at[position].line;
}

static int keep_function(struct symbolizer *symbolizer, uint64_t owner, uint64_t number,
			 const struct symbol_line *line)
{
	struct known_function *function = array_push(&symbolizer->functions);
	int r;

	if (!function)
		return -ENOMEM;
	*function = (struct known_function){ owner, number, *line };
	r = hash_index_add(&symbolizer->function_index, hash_pair(owner, number),
			   symbolizer->functions.count - 1);
	if (r < 0)
		symbolizer->functions.count--;
	return r;
}

/* The last part of the path; the vdso's name is in brackets already. */
static const char *base_name(const struct object *object)
{
	const char *slash = strrchr(object->path, '/');
	const char *name = slash ? slash + 1 : object->path;

	return *name ? name : "unknown";
}

/* Owner and number of what is kept: the object's id, and room for several kinds. */
static uint64_t owner_of(const struct object *object, enum wire_name_kind kind)
{
	return (uint64_t)object->id << 3 | kind;
}

/* A function without a name of its own: one line for all of it. Returns as make_line. */
static int make_nameless_line(struct symbolizer *symbolizer, struct symbol_line *ret,
			      struct object *object, const struct name_line *found)
{
	uint64_t owner = owner_of(object, found->kind);
	const struct symbol_line *known = find_function(symbolizer, owner, found->start);
	cleanup(bytes_fini) struct bytes name = {};
	const char *base = base_name(object);
	int r;

	if (known) {
		*ret = *known;
		return 0;
	}
	if (found->kind == WIRE_NAME_ENTRY)
		bytes_add_str(&name, "_start");
	else if (found->kind == WIRE_NAME_START)
		bytes_add_format(&name, "%s+0x%" PRIx64, base, found->start);
	else
		bytes_add_format(&name, *base == '[' ? "%s" : "[%s]", base);
	if (!bytes_str(&name))
		return -ENOMEM;
	r = make_plain_line(symbolizer, ret, &object->name_bytes, bytes_str(&name));
	return r != 0 ? r : keep_function(symbolizer, owner, found->start, ret);
}

/* Returns as make_line. */
static int make_symbol_line(struct symbolizer *symbolizer, struct symbol_line *ret,
			    struct object *object, const struct name_line *found)
{
	struct name_pool *names = &symbolizer->names;
	struct symbol_line line = { .file = "",
				    .line = found->line,
				    .start_line = found->start_line };
	int r = name_pool_add(names, &line.name, &object->name_bytes, found->name);

	if (r == 0)
		r = name_pool_add(names, &line.system_name, &object->name_bytes,
				  found->system_name);
	if (r == 0 && *found->file)
		r = name_pool_add(names, &line.file, &object->name_bytes, found->file);
	if (r == 0)
		*ret = line;
	return r;
}

static void note_too_many_names(struct symbolizer *symbolizer, const char *whose)
{
	symbolizer->refused++;
	workers_give_up(symbolizer->workers, whose, "its names take more memory than profd allows");
}

/* Returns 0, NAME_POOL_FULL when it has another name than its own, or -ENOMEM. */
static int keep_line(struct symbolizer *symbolizer, struct symbol_line *ret, struct object *object,
		     const struct name_line *found)
{
	static const struct name_line whole = { .kind = WIRE_NAME_NONE };
	int r = found->kind == WIRE_NAME_SYMBOL
			? make_symbol_line(symbolizer, ret, object, found)
			: make_nameless_line(symbolizer, ret, object, found);

	if (r != NAME_POOL_FULL)
		return r;
	note_too_many_names(symbolizer, object->path);
	r = make_nameless_line(symbolizer, ret, object, &whole);
	if (r == NAME_POOL_FULL)
		r = make_plain_line(symbolizer, ret, NULL, "[too many names]");
	return r < 0 ? r : NAME_POOL_FULL;
}

struct naming_call {
	struct symbolizer *symbolizer;
	struct object *object;
	uint32_t first; /* number of the first address of this question */
	symbol_fn tell;
	void *context;
	bool is_stale; /* the answer is of a file that was written over */
};

static int take_name(void *context, uint32_t number, const struct name_line *lines,
		     uint32_t line_count)
{
	static const struct name_line nothing = { .kind = WIRE_NAME_NONE };
	struct naming_call *call = context;
	struct symbol symbol;
	int r = 0;

	/* All of the answer is there: was it read from what ran? */
	if (number == 0)
		call->is_stale = !ask_is_unchanged(call->symbolizer->workers, call->object,
						   UINT64_MAX);
	if (call->is_stale) {
		lines = &nothing;
		line_count = 1;
	}

	symbol.line_count = line_count < SYMBOL_MAX_LINES ? line_count : SYMBOL_MAX_LINES;
	symbol.named = lines[0].kind == WIRE_NAME_SYMBOL || lines[0].kind == WIRE_NAME_ENTRY;
	for (uint32_t i = 0; i < symbol.line_count && r >= 0; i++) {
		r = keep_line(call->symbolizer, &symbol.lines[i], call->object, &lines[i]);
		if (r == NAME_POOL_FULL)
			symbol.named = false;
	}
	return r < 0 ? r : call->tell(call->context, call->first + number, &symbol);
}

static const char *perf_map_path(char ret[32], pid_t pid)
{
	snprintf(ret, 32, "/tmp/perf-%d.map", (int)pid);
	return ret;
}

static int read_kernel(struct symbolizer *symbolizer)
{
	int r;

	symbolizer->kernel = kernel_symbols_new();
	if (!symbolizer->kernel)
		return -ENOMEM;
	if (!symbolizer->options.kernel_names)
		return 0;
	r = kernel_symbols_read(symbolizer->kernel);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		symbolizer->kernel_trouble = "/proc/kallsyms cannot be read";
	else if (kernel_symbols_hidden(symbolizer->kernel))
		symbolizer->kernel_trouble = "kernel.kptr_restrict hides kernel addresses";
	return 0;
}

/* Returns 0, what `tell` returned below 0, or -ENOMEM. */
static int tell_found(struct symbolizer *symbolizer, struct found_names *names, symbol_fn tell,
		      void *context)
{
	struct symbol symbol;
	int r = 0;

	for (uint32_t at = 0; at < names->list.count && !*names->undemangled && r == 0;)
		r = demangle_some(symbolizer, names, &at);
	for (uint32_t i = 0; i < names->list.count && r >= 0; i++) {
		const struct found_name *found = &names->list.at[i];

		symbol.line_count = 1;
		symbol.named = found->name;
		r = found->name ? make_line(symbolizer, &symbol.lines[0], names, found) : 0;
		if (r == NAME_POOL_FULL) {
			note_too_many_names(symbolizer, names->origin);
			symbol.named = false;
		}
		if (r >= 0 && !symbol.named)
			r = make_plain_line(symbolizer, &symbol.lines[0], NULL, names->nameless);
		if (r == 0)
			r = tell(context, i, &symbol);
	}
	return r;
}

static int name_kernel(struct symbolizer *symbolizer, const uint64_t *addresses, uint32_t count,
		       symbol_fn tell, void *context)
{
	cleanup(found_names_fini) struct found_names names = {
		.origin = "/proc/kallsyms",
		.nameless = "[kernel]",
		.payer = { .local = true },
		.share = &symbolizer->kernel_kept_bytes,
		.undemangled = &symbolizer->kernel_undemangled,
	};
	const char *name, *module;
	int r = symbolizer->kernel ? 0 : read_kernel(symbolizer);

	for (uint32_t i = 0; i < count && r == 0; i++)
		r = kernel_symbols_find(symbolizer->kernel, addresses[i], &name, &module) == 0
			    ? add_found(&names, name, module)
			    : add_found(&names, NULL, "");
	return r < 0 ? r : tell_found(symbolizer, &names, tell, context);
}

static bool process_equal(const void *context, uint32_t position, const void *key_)
{
	const struct symbolizer *symbolizer = context;
	const struct known_process *a = &symbolizer->processes.at[position], *b = key_;

	return a->pid == b->pid && a->start_time == b->start_time;
}

static struct known_process *find_process(struct symbolizer *symbolizer, pid_t pid,
					  uint64_t start_time)
{
	struct known_process key = { .pid = pid, .start_time = start_time };
	uint32_t position = hash_index_find(&symbolizer->process_index,
					    hash_pair((uint64_t)pid, start_time), process_equal,
					    symbolizer, &key);

	return position == HASH_ABSENT ? NULL : &symbolizer->processes.at[position];
}

static int know_process(struct symbolizer *symbolizer, struct known_process **ret, pid_t pid,
			uint64_t start_time)
{
	struct known_process *known = find_process(symbolizer, pid, start_time);
	cleanup(jit_names_free) struct jit_names *names = NULL;
	int r;

	if (known) {
		*ret = known;
		return 0;
	}
	names = jit_names_new(pid, start_time);
	known = names ? array_push(&symbolizer->processes) : NULL;
	if (!known)
		return -ENOMEM;
	r = hash_index_add(&symbolizer->process_index, hash_pair((uint64_t)pid, start_time),
			   symbolizer->processes.count - 1);
	if (r < 0) {
		symbolizer->processes.count--;
		return r;
	}
	*known = (struct known_process){ .pid = pid,
					 .start_time = start_time,
					 .names = TAKE_PTR(names) };
	*ret = known;
	return 0;
}

static void count_bytes(struct symbolizer *symbolizer, struct known_process *process)
{
	symbolizer->jit_bytes -= process->bytes;
	process->bytes = jit_names_bytes(process->names);
	symbolizer->jit_bytes += process->bytes;
}

/* Gives up whoever has the most, for that is not who has a few as everybody does. */
static int keep_jit_names_small(struct symbolizer *symbolizer)
{
	int r = 0;

	while (r == 0 && symbolizer->jit_bytes > symbolizer->options.jit_bytes_max) {
		struct known_process *largest = &symbolizer->processes.at[0];

		for (uint32_t i = 1; i < symbolizer->processes.count; i++)
			if (symbolizer->processes.at[i].bytes > largest->bytes)
				largest = &symbolizer->processes.at[i];
		r = jit_names_give_up(largest->names, symbolizer->workers);
		count_bytes(symbolizer, largest);
	}
	return r;
}

static int name_jit(struct symbolizer *symbolizer, pid_t pid, uint64_t start_time,
		    const uint64_t *addresses, uint32_t count, symbol_fn tell, void *context)
{
	cleanup(found_names_fini) struct found_names names = { .nameless = "[jit]" };
	struct known_process *process;
	const char *name;
	char path[32];
	int r = know_process(symbolizer, &process, pid, start_time);

	if (r == 0)
		r = jit_names_update(process->names, symbolizer->workers);
	if (r == 0) {
		count_bytes(symbolizer, process);
		r = keep_jit_names_small(symbolizer);
	}
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < count && r == 0; i++) {
		r = jit_names_find(process->names, addresses[i], &name);
		if (r != -ENOMEM)
			r = add_found(&names, r == 0 ? name : NULL, "");
	}
	count_bytes(symbolizer, process); /* they are put in order */
	names.origin = perf_map_path(path, pid);
	names.payer = jit_names_payer(process->names);
	names.share = &process->kept_bytes;
	names.undemangled = &process->undemangled;
	return r < 0 ? r : tell_found(symbolizer, &names, tell, context);
}

void symbolizer_forget_process(struct symbolizer *symbolizer, pid_t pid, uint64_t start_time)
{
	uint64_t hash = hash_pair((uint64_t)pid, start_time), moved;
	struct known_process *known = find_process(symbolizer, pid, start_time);
	uint32_t at, last = symbolizer->processes.count - 1;

	if (!known)
		return;
	at = (uint32_t)(known - symbolizer->processes.at);
	hash_index_remove(&symbolizer->process_index, hash, at);
	jit_names_free(known->names);
	symbolizer->jit_bytes -= known->bytes;
	if (at != last) {
		*known = symbolizer->processes.at[last];
		moved = hash_pair((uint64_t)known->pid, known->start_time);
		hash_index_remove(&symbolizer->process_index, moved, last);
		/* A slot was just freed. */
		(void)hash_index_add(&symbolizer->process_index, moved, at);
	}
	symbolizer->processes.count--;
}

int symbolizer_object(struct symbolizer *symbolizer, struct object *object,
		      const uint64_t *addresses, uint32_t count, symbol_fn tell, void *context)
{
	struct naming_call call = { symbolizer, object, 0, tell, context, false };
	uint64_t start = cost_now(symbolizer);
	uint32_t answered;
	int r = 0;

	for (uint32_t done = 0, some; done < count && r == 0; done += some) {
		some = count - done < ASK_MAX_ADDRESSES ? count - done : ASK_MAX_ADDRESSES;
		call.first = done;
		r = ask_names(symbolizer->workers, object, addresses + done, some, &answered,
			      take_name, &call);
		if (answered < some)
			break;
	}
	symbolizer->cost_ns += cost_now(symbolizer) - start;
	return r;
}

int symbolizer_kernel(struct symbolizer *symbolizer, const uint64_t *addresses, uint32_t count,
		      symbol_fn tell, void *context)
{
	uint64_t start = cost_now(symbolizer);
	int r = name_kernel(symbolizer, addresses, count, tell, context);

	symbolizer->cost_ns += cost_now(symbolizer) - start;
	return r;
}

int symbolizer_jit(struct symbolizer *symbolizer, pid_t pid, uint64_t start_time,
		   const uint64_t *addresses, uint32_t count, symbol_fn tell, void *context)
{
	uint64_t start = cost_now(symbolizer);
	int r = name_jit(symbolizer, pid, start_time, addresses, count, tell, context);

	symbolizer->cost_ns += cost_now(symbolizer) - start;
	return r;
}

const char *symbolizer_kernel_trouble(const struct symbolizer *symbolizer)
{
	return symbolizer->kernel_trouble;
}

uint64_t symbolizer_refused(const struct symbolizer *symbolizer)
{
	return symbolizer->refused;
}

uint64_t symbolizer_cost_ns(const struct symbolizer *symbolizer)
{
	return symbolizer->cost_ns;
}
