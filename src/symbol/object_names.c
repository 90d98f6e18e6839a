// SPDX-License-Identifier: Apache-2.0
#include "symbol/object_names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "elf/debug_file.h"
#include "elf/plt.h"
#include "elf/sections.h"
#include "symbol/object_names_parts.h"

/* Positive result of a resolver: ask the next one. */
enum { RESOLVER_SILENT = 1 };

/* The entry point of stripped programs and of the dynamic loader; crt1.o gives it 38 bytes. */
enum { ENTRY_BYTES_MAX = 64 };

enum {
	ASKED_MAX = 65536,		  /* addresses whose functions are to be kept */
	DECODED_FOR_LINES_MAX = 32 << 20, /* bytes of code; a third of a second */
};

static bool has_section(const struct section_table *sections, uint32_t type, const char *name)
{
	const Elf64_Shdr *section = section_table_find(sections, type, name);

	return section && section->sh_size > 0;
}

static bool has_dwarf(const struct section_table *sections)
{
	return has_section(sections, SHT_PROGBITS, ".debug_info") ||
	       has_section(sections, SHT_PROGBITS, ".zdebug_info");
}

static bool file_has_dwarf(int fd)
{
	cleanup(section_table_fini) struct section_table sections = {};

	return fd >= 0 && section_table_read(&sections, fd) == 0 && has_dwarf(&sections);
}

/* Opens symbols and remembers the file with DWARF. */
static int open_files(struct object_names *names, int *debug_files, unsigned debug_file_count)
{
	cleanup(section_table_fini) struct section_table sections = {};
	struct object *object = names->object;
	cleanup(close) int debug_file = -1;

	if (section_table_read(&sections, object->fd) == -ENOMEM)
		return -ENOMEM;
	if (!has_section(&sections, SHT_SYMTAB, NULL) || !has_dwarf(&sections)) {
		debug_file = debug_file_take(object, debug_files, debug_file_count);
		if (debug_file < 0)
			debug_file = -1;
	}
	names->lacks_dwarf = !has_dwarf(&sections) && !file_has_dwarf(debug_file);
	names->debug_fd = has_dwarf(&sections) ? fcntl(object->fd, F_DUPFD_CLOEXEC, 0)
			  : debug_file >= 0    ? fcntl(debug_file, F_DUPFD_CLOEXEC, 0)
					       : -1;
	return symbol_table_new(&names->symbols, object, TAKE_FD(debug_file)) == -ENOMEM ? -ENOMEM
											 : 0;
}

static void close_candidates(struct object_names *names)
{
	for (unsigned i = 0; i < names->candidate_count; i++)
		if (names->candidates[i] >= 0)
			close(names->candidates[i]);
	names->candidate_count = 0;
}

/* Returns 0 or -ENOMEM. */
static int open_all(struct object_names *names, int *debug_files, unsigned debug_file_count)
{
	names->is_open = true;
	if (open_files(names, debug_files, debug_file_count) < 0)
		return -ENOMEM;
	(void)function_starts_init(&names->starts, names->object);
	return gopclntab_open(&names->go, names->object) == -ENOMEM ? -ENOMEM : 0;
}

/* Opens what was not needed so far. Returns 0 or -ENOMEM. */
static int open_now(struct object_names *names)
{
	int r;

	if (names->is_open)
		return 0;
	r = open_all(names, names->candidates, names->candidate_count);
	close_candidates(names);
	return r;
}

static struct object_names *make(struct object *object)
{
	cleanup(object_names_free) struct object_names *names = calloc(1, sizeof(*names));

	if (!names)
		return NULL;
	names->object = object_ref(object);
	names->debug_fd = -1;
	names->kept.texts = &names->texts;
	return strtab_init(&names->texts) < 0 ? NULL : TAKE_PTR(names);
}

int object_names_new(struct object_names **ret, struct object *object, int *debug_files,
		     unsigned debug_file_count)
{
	uint64_t begin = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	cleanup(object_names_free) struct object_names *names = make(object);

	if (!names || open_all(names, debug_files, debug_file_count) < 0)
		return -ENOMEM;
	names->cost_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin;
	*ret = TAKE_PTR(names);
	return 0;
}

int object_names_new_kept(struct object_names **ret, struct object *object, int *debug_files,
			  unsigned debug_file_count, int kept_file, uint64_t offset)
{
	cleanup(object_names_free) struct object_names *names = make(object);

	if (!names || kept_names_read(&names->kept, kept_file, offset, &names->texts) == -ENOMEM)
		return -ENOMEM;
	for (unsigned i = 0; i < debug_file_count && i < CANDIDATES_MAX; i++)
		names->candidates[names->candidate_count++] = TAKE_FD(debug_files[i]);
	*ret = TAKE_PTR(names);
	return 0;
}

void object_names_free(struct object_names *names)
{
	if (!names)
		return;
	symbol_table_free(names->symbols);
	function_extents_fini(&names->extents);
	gopclntab_lines_free(names->go_lines);
	dwarf_free(names->dwarf);
	close_candidates(names);
	kept_names_fini(&names->kept);
	array_fini(&names->asked);
	strtab_fini(&names->texts);
	if (names->debug_fd >= 0)
		close(names->debug_fd);
	object_unref(names->object);
	free(names);
}

/* Is there code to be decoded that takes longer than who asks for lines has, and no line to be had? */
static bool declines_decoding(const struct object_names *names)
{
	uint64_t bytes = 0;

	if (names->extents_read || !names->for_lines || !names->lacks_dwarf || names->go.count)
		return false;
	for (uint32_t i = 0; i < names->object->segments.count; i++)
		if (names->object->segments.at[i].executable)
			bytes += names->object->segments.at[i].file_size;
	return bytes > DECODED_FOR_LINES_MAX;
}

/*
 * The start of a function as decoding the code has found it. Returns 0, RESOLVER_SILENT or -ENOMEM.
 */
static int find_extent(struct object_names *names, uint64_t address, uint64_t *ret)
{
	if (declines_decoding(names)) {
		names->declined = true;
		return RESOLVER_SILENT;
	}
	if (!names->extents_read) {
		names->extents_read = true;
		if (function_extents_read(&names->extents, names->object) == -ENOMEM)
			return -ENOMEM;
	}
	return function_extents_find(&names->extents, address, ret) == 0 ? 0 : RESOLVER_SILENT;
}

/*
 * A symbol without a size ends where its function does: not at the next symbol, when the exception
 * tables or the code itself tell that another function lies between.
 */
static bool reaches(struct object_names *names, const struct symbol_extent *extent,
		    uint64_t address)
{
	uint64_t start, size;

	if (function_starts_find(&names->starts, address, &start, &size) == 0)
		return start <= extent->start;
	if (function_starts_find(&names->starts, extent->start, &start, &size) == 0)
		return false;
	return find_extent(names, address, &start) != 0 || start <= extent->start;
}

static int find_symbol(struct object_names *names, uint64_t address, struct found_function *ret)
{
	struct symbol_extent extent;

	if (!names->symbols || symbol_table_find(names->symbols, address, &extent) < 0)
		return RESOLVER_SILENT;
	if (extent.size == 0 && !reaches(names, &extent, address))
		return RESOLVER_SILENT;
	*ret = (struct found_function){ .kind = FOUND_SYMBOL, .start = extent.number };
	return 0;
}

static int name_symbol(struct object_names *names, uint64_t number, struct bytes *ret)
{
	return symbol_table_name(names->symbols, (uint32_t)number, ret);
}

/* Calls of other objects go through code that has no symbol of its own. */
static int find_plt(struct object_names *names, uint64_t address, struct found_function *ret)
{
	uint64_t start;
	int r = plt_find(names->object, address, &start);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return RESOLVER_SILENT;
	*ret = (struct found_function){ .kind = FOUND_SYMBOL, .start = start };
	return 0;
}

static int name_plt(struct object_names *names, uint64_t start, struct bytes *ret)
{
	return plt_name(names->object, start, ret);
}

static int find_go(struct object_names *names, uint64_t address, struct found_function *ret)
{
	uint64_t start, size;
	uint32_t number;

	if (gopclntab_find(&names->go, address, &start, &size, &number) < 0)
		return RESOLVER_SILENT;
	*ret = (struct found_function){ .kind = FOUND_SYMBOL, .start = number };
	return 0;
}

static int name_go(struct object_names *names, uint64_t number, struct bytes *ret)
{
	return gopclntab_name(&names->go, (uint32_t)number, ret);
}

/* Where every stack of a main thread ends deserves its usual name, symbol or not. */
static int find_entry(struct object_names *names, uint64_t address, struct found_function *ret)
{
	uint64_t entry = names->object->entry, start, size;

	if (entry == 0 || address < entry || address - entry >= ENTRY_BYTES_MAX)
		return RESOLVER_SILENT;
	if (function_starts_find(&names->starts, address, &start, &size) == 0 && start != entry)
		return RESOLVER_SILENT;
	*ret = (struct found_function){ .kind = FOUND_ENTRY, .start = entry };
	return 0;
}

/* One name for the whole function, so that its addresses make one box in a picture. */
static int find_start(struct object_names *names, uint64_t address, struct found_function *ret)
{
	uint64_t start, size;

	if (function_starts_find(&names->starts, address, &start, &size) < 0)
		return RESOLVER_SILENT;
	*ret = (struct found_function){ .kind = FOUND_START, .start = start };
	return 0;
}

/* The same where no table tells. A symbol's word for how far it goes is believed first. */
static int find_decoded(struct object_names *names, uint64_t address, struct found_function *ret)
{
	struct symbol_extent extent;
	uint64_t start;
	int r = find_extent(names, address, &start);

	if (r)
		return r;
	if (names->symbols && symbol_table_find(names->symbols, start, &extent) == 0 &&
	    extent.size > 0)
		return RESOLVER_SILENT;
	*ret = (struct found_function){ .kind = FOUND_START, .start = start };
	return 0;
}

/* name: of what `find` gave as FOUND_SYMBOL, by its `start`. */
static const struct {
	int (*find)(struct object_names *names, uint64_t address, struct found_function *ret);
	int (*name)(struct object_names *names, uint64_t start, struct bytes *ret);
} resolvers[] = {
	{ find_symbol, name_symbol }, { find_plt, name_plt }, { find_go, name_go },
	{ find_entry, NULL },	      { find_start, NULL },   { find_decoded, NULL },
};

int object_names_function(struct object_names *names, uint64_t address, struct found_function *ret)
{
	if (open_now(names) < 0)
		return -ENOMEM;
	names->declined = false;
	for (uint32_t i = 0; i < ARRAY_SIZE(resolvers); i++) {
		int r = resolvers[i].find(names, address, ret);

		if (names->declined)
			return -EOPNOTSUPP;
		if (r == RESOLVER_SILENT)
			continue;
		ret->resolver = i;
		return r;
	}
	*ret = (struct found_function){ .kind = FOUND_NOTHING };
	return 0;
}

int object_names_find(struct object_names *names, uint64_t address, struct found_function *ret)
{
	uint64_t begin = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	int r = object_names_function(names, address, ret);

	names->cost_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin;
	return r;
}

/* One part of it, where it has several. */
static int find_part(struct object_names *names, uint64_t address, uint64_t *ret_start,
		     uint64_t *ret_end)
{
	uint64_t start;
	int r = find_extent(names, address, &start);
	uint32_t after;

	if (r)
		return r < 0 ? r : -ENOENT;
	after = array_count_up_to(&names->extents.list, start, address);
	*ret_start = names->extents.list.at[after - 1].start;
	*ret_end = names->extents.list.at[after - 1].end;
	return 0;
}

int object_names_extent(struct object_names *names, uint64_t address, uint64_t *ret_start,
			uint64_t *ret_end)
{
	struct symbol_extent symbol;
	uint64_t size;
	uint32_t number;

	if (open_now(names) < 0)
		return -ENOMEM;
	*ret_end = 0;
	if (names->symbols && symbol_table_find(names->symbols, address, &symbol) == 0) {
		*ret_start = symbol.start;
		*ret_end = symbol.size ? symbol.start + symbol.size
			   : reaches(names, &symbol, address)
				   ? symbol_table_same_until(names->symbols, address)
				   : 0;
	} else if (gopclntab_find(&names->go, address, ret_start, &size, &number) == 0 ||
		   function_starts_find(&names->starts, address, ret_start, &size) == 0) {
		*ret_end = *ret_start + size;
	}
	if (*ret_end > address)
		return 0;
	return find_part(names, address, ret_start, ret_end);
}

void object_names_ask_for_lines(struct object_names *names, bool lines)
{
	names->for_lines = lines;
}

int object_names_text(struct object_names *names, const struct found_function *found,
		      struct bytes *ret)
{
	if (found->kind != FOUND_SYMBOL)
		return -ENOENT;
	return resolvers[found->resolver].name(names, found->start, ret);
}

static int find_go_frames(struct object_names *names, uint64_t address, struct source_frames *ret)
{
	if (names->go.count == 0)
		return -ENOENT;
	if (!names->go_lines && gopclntab_lines_new(&names->go_lines, &names->go) < 0)
		return -ENOMEM;
	return gopclntab_lines_find(names->go_lines, address, &names->texts, ret);
}

int object_names_lines(struct object_names *names, uint64_t address, struct source_frames *ret)
{
	/* Of Go's functions it tells what DWARF does, for less, and in stripped programs, too. */
	int r = find_go_frames(names, address, ret);

	if (r != -ENOENT)
		return r;
	if (names->debug_fd >= 0 && dwarf_new(&names->dwarf, names->object,
					      TAKE_FD(names->debug_fd), &names->texts) == -ENOMEM)
		return -ENOMEM;
	return names->dwarf ? dwarf_find(names->dwarf, address, ret) : -ENOENT;
}

/* Returns 0 or -ENOENT. */
static int find_kept(const struct object_names *names, uint64_t address, struct source_frames *ret,
		     struct found_function *function)
{
	const struct kept_node *root;

	if (kept_names_find(&names->kept, address, ret, &root) < 0)
		return -ENOENT;
	*function = (struct found_function){ .kind = root->kind, .start = root->start };
	return 0;
}

int object_names_frames(struct object_names *names, uint64_t address, struct source_frames *ret,
			struct found_function *function)
{
	uint64_t begin;
	int r;

	if (find_kept(names, address, ret, function) == 0)
		return 0;
	begin = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	r = open_now(names);
	if (r == 0)
		r = object_names_lines(names, address, ret);
	if (r == 0)
		r = object_names_function(names, address, function);
	if ((r == 0 || r == -ENOENT) && names->asked.count < ASKED_MAX) {
		uint64_t *asked = array_push(&names->asked);

		if (asked)
			*asked = address;
	}
	names->cost_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin;
	return r;
}

const char *object_names_frame_text(const struct object_names *names, uint32_t id)
{
	return strtab_get(&names->texts, id);
}

int object_names_lack_debug_info(struct object_names *names, bool *ret)
{
	/* Of what has lines this need not be looked for. */
	for (uint32_t i = 0; i < names->kept.nodes.count && !names->is_open; i++) {
		if (names->kept.nodes.at[i].file) {
			*ret = false;
			return 0;
		}
	}
	if (open_now(names) < 0)
		return -ENOMEM;
	*ret = names->lacks_dwarf && names->go.count == 0;
	return 0;
}

unsigned object_names_wanted(struct object_names *names, struct bytes *ret)
{
	return names->dwarf ? dwarf_wanted(names->dwarf, ret) : 0;
}

void object_names_want_no_more(struct object_names *names)
{
	if (names->dwarf)
		dwarf_want_no_more(names->dwarf);
}

int object_names_offer(struct object_names *names, int fd)
{
	if (names->dwarf)
		return dwarf_offer(names->dwarf, fd);
	close(fd);
	return 0;
}
