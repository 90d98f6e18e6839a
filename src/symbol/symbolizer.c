// SPDX-License-Identifier: Apache-2.0
/*
 * A function is named once: what was found for it is kept under (kind of code, number of the
 * object, what the resolver calls the function), and every later address inside of it costs a
 * search and a hash. Strings live in one pool until the symbolizer is freed.
 *
 * Resolvers for objects are rows of a table, asked in order. Each fills in as many lines as it
 * knows: the place of one that knows inlined functions is before the symbol table.
 */
#include "symbol/symbolizer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/array.h"
#include "base/hash.h"
#include "elf/function_starts.h"
#include "elf/symbol_table.h"
#include "symbol/demangle.h"
#include "symbol/kernel.h"
#include "symbol/name_pool.h"
#include "symbol/perf_map.h"

/* Positive result of a resolver: ask the next one. */
enum { RESOLVER_SILENT = 1 };

/* An object whose tables are built. */
struct known_object {
	struct object *object;
	struct symbol_table *symbols;
	struct function_starts starts;
	struct symbol_line module; /* "[libfoo.so]" */
};

struct known_process {
	pid_t pid;
	uint64_t start_time;
	struct perf_map *map;
};

/* A function that has its name. */
struct known_function {
	uint64_t owner, number; /* see key_of_symbol and key_of_start */
	struct symbol_line line;
};

struct symbolizer {
	struct symbolizer_options options;
	struct name_pool names;
	ARRAY_OF(struct known_object) objects;
	ARRAY_OF(struct known_process) processes;
	ARRAY_OF(struct known_function) functions;
	struct hash_index object_index, process_index, function_index;
	struct kernel_symbols *kernel; /* NULL: not read so far */
	const char *kernel_trouble;
	uint64_t cost_ns;
};

int symbolizer_new(struct symbolizer **ret, const struct symbolizer_options *options)
{
	struct symbolizer *symbolizer = calloc(1, sizeof(*symbolizer));

	if (!symbolizer)
		return -ENOMEM;
	symbolizer->options = *options;
	*ret = symbolizer;
	return 0;
}

void symbolizer_free(struct symbolizer *symbolizer)
{
	if (!symbolizer)
		return;
	for (uint32_t i = 0; i < symbolizer->objects.count; i++) {
		symbol_table_free(symbolizer->objects.at[i].symbols);
		object_unref(symbolizer->objects.at[i].object);
	}
	for (uint32_t i = 0; i < symbolizer->processes.count; i++)
		perf_map_free(symbolizer->processes.at[i].map);
	array_fini(&symbolizer->objects);
	array_fini(&symbolizer->processes);
	array_fini(&symbolizer->functions);
	hash_index_fini(&symbolizer->object_index);
	hash_index_fini(&symbolizer->process_index);
	hash_index_fini(&symbolizer->function_index);
	kernel_symbols_free(symbolizer->kernel);
	name_pool_fini(&symbolizer->names);
	free(symbolizer);
}

static uint64_t cpu_ns(void)
{
	struct timespec now = {};

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void answer(struct symbol *ret, const struct symbol_line *line, bool named)
{
	ret->lines[0] = *line;
	ret->line_count = 1;
	ret->named = named;
}

/*
 * Makes a line of a name as it is in a symbol table. module: of the kernel, shown behind the name;
 * "" for none. Returns 0 or -ENOMEM.
 */
static int make_line(struct symbolizer *symbolizer, struct symbol_line *ret, const char *name,
		     const char *module)
{
	cleanup(bytes_fini) struct bytes text = {};
	struct symbol_line line = { .file = "" };
	int r = demangle(&text, name);

	if (r == DEMANGLE_NOT)
		bytes_add_str(&text, name);
	if (*module)
		bytes_add_format(&text, " [%s]", module);
	if (r < 0 || !bytes_str(&text))
		return -ENOMEM;
	line.name = name_pool_add(&symbolizer->names, bytes_str(&text));
	line.system_name = name_pool_add(&symbolizer->names, name);
	if (!line.name || !line.system_name)
		return -ENOMEM;
	*ret = line;
	return 0;
}

/* The same for a name that we made up. */
static int make_plain_line(struct symbolizer *symbolizer, struct symbol_line *ret, const char *name)
{
	const char *kept = name_pool_add(&symbolizer->names, name);

	if (!kept)
		return -ENOMEM;
	*ret = (struct symbol_line){ .name = kept, .system_name = kept, .file = "" };
	return 0;
}

/* Owner and number of a function: the object's id, twice as large to make room for two kinds. */
static uint64_t key_of_symbol(const struct object *object)
{
	return (uint64_t)object->id << 1;
}

static uint64_t key_of_start(const struct object *object)
{
	return (uint64_t)object->id << 1 | 1;
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

/*
 * A symbol without a size ends where its function does: not at the next symbol, when the exception
 * tables tell that another function lies between.
 */
static bool reaches(const struct known_object *known, const struct symbol_extent *extent,
		    uint64_t address)
{
	uint64_t start, size;

	if (function_starts_find(&known->starts, address, &start, &size) == 0)
		return start <= extent->start;
	return function_starts_find(&known->starts, extent->start, &start, &size) != 0;
}

static int resolve_by_symbol(struct symbolizer *symbolizer, struct symbol *ret,
			     const struct known_object *known, uint64_t address)
{
	cleanup(bytes_fini) struct bytes name = {};
	const struct symbol_line *line;
	struct symbol_extent extent;
	struct symbol_line made;
	uint64_t owner = key_of_symbol(known->object);
	int r;

	if (!known->symbols || symbol_table_find(known->symbols, address, &extent) < 0)
		return RESOLVER_SILENT;
	if (extent.size == 0 && !reaches(known, &extent, address))
		return RESOLVER_SILENT;
	line = find_function(symbolizer, owner, extent.number);
	if (!line) {
		r = symbol_table_name(known->symbols, extent.number, &name);
		if (r < 0)
			return r == -ENOMEM ? r : RESOLVER_SILENT;
		if (!bytes_str(&name))
			return -ENOMEM;
		r = make_line(symbolizer, &made, bytes_str(&name), "");
		if (r == 0)
			r = keep_function(symbolizer, owner, extent.number, &made);
		if (r < 0)
			return r;
		line = &made;
	}
	answer(ret, line, true);
	return 0;
}

/* The last part of the path; the vdso's name is in brackets already. */
static const char *base_name(const struct object *object)
{
	const char *slash = strrchr(object->path, '/');
	const char *name = slash ? slash + 1 : object->path;

	return *name ? name : "unknown";
}

/* The entry point of stripped programs and of the dynamic loader; crt1.o gives it 38 bytes. */
enum { ENTRY_BYTES_MAX = 64 };

/* Where every stack of a main thread ends deserves its usual name, symbol or not. */
static int resolve_by_entry(struct symbolizer *symbolizer, struct symbol *ret,
			    const struct known_object *known, uint64_t address)
{
	uint64_t entry = known->object->entry, start, size;
	struct symbol_line line;
	int r;

	if (entry == 0 || address < entry || address - entry >= ENTRY_BYTES_MAX)
		return RESOLVER_SILENT;
	if (function_starts_find(&known->starts, address, &start, &size) == 0 && start != entry)
		return RESOLVER_SILENT;
	r = make_plain_line(symbolizer, &line, "_start");
	if (r == 0)
		answer(ret, &line, true);
	return r;
}

/* One name for the whole function, so that its addresses make one box in a picture. */
static int resolve_by_start(struct symbolizer *symbolizer, struct symbol *ret,
			    const struct known_object *known, uint64_t address)
{
	cleanup(bytes_fini) struct bytes name = {};
	const struct symbol_line *line;
	struct symbol_line made;
	uint64_t start, size, owner = key_of_start(known->object);
	int r;

	if (function_starts_find(&known->starts, address, &start, &size) < 0)
		return RESOLVER_SILENT;
	line = find_function(symbolizer, owner, start);
	if (!line) {
		bytes_add_format(&name, "%s+0x%" PRIx64, base_name(known->object), start);
		if (!bytes_str(&name))
			return -ENOMEM;
		r = make_plain_line(symbolizer, &made, bytes_str(&name));
		if (r == 0)
			r = keep_function(symbolizer, owner, start, &made);
		if (r < 0)
			return r;
		line = &made;
	}
	answer(ret, line, false);
	return 0;
}

static int resolve_by_module(struct symbolizer *symbolizer, struct symbol *ret,
			     const struct known_object *known, uint64_t address)
{
	(void)symbolizer;
	(void)address;
	answer(ret, &known->module, false);
	return 0;
}

/* The first one that is not silent wins; the last one never is. */
static int (*const object_resolvers[])(struct symbolizer *symbolizer, struct symbol *ret,
				       const struct known_object *known, uint64_t address) = {
	resolve_by_symbol,
	resolve_by_entry,
	resolve_by_start,
	resolve_by_module,
};

static int make_module_line(struct symbolizer *symbolizer, struct symbol_line *ret,
			    const struct object *object)
{
	cleanup(bytes_fini) struct bytes name = {};
	const char *base = base_name(object);

	bytes_add_format(&name, *base == '[' ? "%s" : "[%s]", base);
	if (!bytes_str(&name))
		return -ENOMEM;
	return make_plain_line(symbolizer, ret, bytes_str(&name));
}

static int know_object(struct symbolizer *symbolizer, const struct known_object **ret,
		       struct object *object)
{
	uint64_t hash = hash_u64(object->id);
	uint32_t position = hash_index_find(&symbolizer->object_index, hash, NULL, NULL, NULL);
	cleanup(symbol_table_free) struct symbol_table *symbols = NULL;
	struct known_object *known, made = { .object = object };
	int r;

	if (position != HASH_ABSENT) {
		*ret = &symbolizer->objects.at[position];
		return 0;
	}
	r = make_module_line(symbolizer, &made.module, object);
	if (r < 0)
		return r;
	/* A file that cannot be read has no names, and that is all. */
	if (symbol_table_new(&symbols, object) == -ENOMEM)
		return -ENOMEM;
	(void)function_starts_init(&made.starts, object);
	known = array_push(&symbolizer->objects);
	if (!known)
		return -ENOMEM;
	r = hash_index_add(&symbolizer->object_index, hash, symbolizer->objects.count - 1);
	if (r < 0) {
		symbolizer->objects.count--;
		return r;
	}
	made.symbols = TAKE_PTR(symbols);
	object_ref(object);
	*known = made;
	*ret = known;
	return 0;
}

static int name_object(struct symbolizer *symbolizer, struct symbol *ret, struct object *object,
		       uint64_t address)
{
	const struct known_object *known;
	int r = know_object(symbolizer, &known, object);

	if (r < 0)
		return r;
	r = RESOLVER_SILENT;
	for (unsigned i = 0; i < ARRAY_SIZE(object_resolvers) && r == RESOLVER_SILENT; i++)
		r = object_resolvers[i](symbolizer, ret, known, address);
	return r;
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

static int name_kernel(struct symbolizer *symbolizer, struct symbol *ret, uint64_t address)
{
	struct symbol_line line;
	const char *name, *module;
	int r = symbolizer->kernel ? 0 : read_kernel(symbolizer);
	bool named;

	if (r < 0)
		return r;
	named = kernel_symbols_find(symbolizer->kernel, address, &name, &module) == 0;
	r = named ? make_line(symbolizer, &line, name, module)
		  : make_plain_line(symbolizer, &line, "[kernel]");
	if (r == 0)
		answer(ret, &line, named);
	return r;
}

static bool process_equal(const void *context, uint32_t position, const void *key_)
{
	const struct symbolizer *symbolizer = context;
	const struct known_process *a = &symbolizer->processes.at[position], *b = key_;

	return a->pid == b->pid && a->start_time == b->start_time;
}

static int know_process(struct symbolizer *symbolizer, struct perf_map **ret, pid_t pid,
			uint64_t start_time)
{
	struct known_process *known, key = { .pid = pid, .start_time = start_time };
	uint64_t hash = hash_pair((uint64_t)pid, start_time);
	uint32_t position =
		hash_index_find(&symbolizer->process_index, hash, process_equal, symbolizer, &key);
	cleanup(perf_map_free) struct perf_map *map = NULL;
	int r;

	if (position != HASH_ABSENT) {
		*ret = symbolizer->processes.at[position].map;
		return 0;
	}
	map = perf_map_new();
	known = map ? array_push(&symbolizer->processes) : NULL;
	if (!known)
		return -ENOMEM;
	r = hash_index_add(&symbolizer->process_index, hash, symbolizer->processes.count - 1);
	if (r < 0) {
		symbolizer->processes.count--;
		return r;
	}
	*ret = map;
	key.map = TAKE_PTR(map);
	*known = key;
	return 0;
}

static int name_jit(struct symbolizer *symbolizer, struct symbol *ret, pid_t pid,
		    uint64_t start_time, uint64_t address)
{
	struct symbol_line line;
	struct perf_map *map;
	const char *name;
	int r = know_process(symbolizer, &map, pid, start_time);
	bool named;

	if (r < 0)
		return r;
	/* What cannot be read adds no names; those that were read before stay. */
	if (perf_map_update(map, pid, start_time) == -ENOMEM)
		return -ENOMEM;
	r = perf_map_find(map, address, &name);
	if (r == -ENOMEM)
		return r;
	named = r == 0;
	r = named ? make_line(symbolizer, &line, name, "")
		  : make_plain_line(symbolizer, &line, "[jit]");
	if (r == 0)
		answer(ret, &line, named);
	return r;
}

int symbolizer_object(struct symbolizer *symbolizer, struct symbol *ret, struct object *object,
		      uint64_t address)
{
	uint64_t start = cpu_ns();
	int r = name_object(symbolizer, ret, object, address);

	symbolizer->cost_ns += cpu_ns() - start;
	return r;
}

int symbolizer_kernel(struct symbolizer *symbolizer, struct symbol *ret, uint64_t address)
{
	uint64_t start = cpu_ns();
	int r = name_kernel(symbolizer, ret, address);

	symbolizer->cost_ns += cpu_ns() - start;
	return r;
}

int symbolizer_jit(struct symbolizer *symbolizer, struct symbol *ret, pid_t pid,
		   uint64_t start_time, uint64_t address)
{
	uint64_t start = cpu_ns();
	int r = name_jit(symbolizer, ret, pid, start_time, address);

	symbolizer->cost_ns += cpu_ns() - start;
	return r;
}

const char *symbolizer_kernel_trouble(const struct symbolizer *symbolizer)
{
	return symbolizer->kernel_trouble;
}

uint64_t symbolizer_cost_ns(const struct symbolizer *symbolizer)
{
	return symbolizer->cost_ns;
}
