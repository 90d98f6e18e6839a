// SPDX-License-Identifier: Apache-2.0
/*
 * Where libunwind has no information it goes on by frame pointers and by its knowledge of linkage tables.
 * Such steps are taken back: whoever called goes on from there, and knows better.
 */
#include "unwind/remote.h"

#include <libunwind.h>
#include <stdlib.h>
#include <string.h>

#include "unwind/walk.h"

enum { KEPT_FRAMES = 4096 }; /* descriptions of frames that libunwind keeps, by address */

/* In libunwind, but in none of its headers; what perf and gdb-like callers hand their tables to. */
extern int UNW_OBJ(dwarf_search_unwind_table)(unw_addr_space_t space, unw_word_t ip,
					      unw_dyn_info_t *table, unw_proc_info_t *ret,
					      int need_unwind_info, void *argument);

struct remote_walker {
	unw_addr_space_t space;
};

/* Of one walk; what the accessors get. */
struct walk {
	struct remote_walker *walker;
	const struct remote_input *input;
	bool unknown; /* code was met of which nothing is known */
	bool behind;  /* memory was asked for that lies above the copy */
};

static int find_proc_info(unw_addr_space_t space, unw_word_t ip, unw_proc_info_t *ret,
			  int need_unwind_info, void *argument)
{
	struct walk *walk = argument;
	const struct remote_objects *objects = walk->input->objects;
	unw_dyn_info_t table = {};
	struct remote_code code;
	int r = -UNW_ENOINFO;

	if (objects->code(objects->context, &code, ip) == 0 && code.entries) {
		table.start_ip = code.start;
		table.end_ip = code.end;
		table.format = UNW_INFO_FORMAT_REMOTE_TABLE;
		table.u.rti.segbase = code.header_address;
		table.u.rti.table_data = code.table_address;
		/* In words: an entry has two halves of one. */
		table.u.rti.table_len = code.entries;
		r = UNW_OBJ(dwarf_search_unwind_table)(space, ip, &table, ret, need_unwind_info,
						       argument);
	}
	if (r < 0)
		walk->unknown = true;
	return r;
}

/* libunwind frees what dwarf_search_unwind_table has found. */
static void put_unwind_info(unw_addr_space_t space, unw_proc_info_t *info, void *argument)
{
	(void)space;
	(void)info;
	(void)argument;
}

static int no_list(unw_addr_space_t space, unw_word_t *ret, void *argument)
{
	(void)space;
	(void)ret;
	(void)argument;
	return -UNW_ENOINFO;
}

static int access_mem(unw_addr_space_t space, unw_word_t address, unw_word_t *value, int write,
		      void *argument)
{
	struct walk *walk = argument;
	const struct remote_input *input = walk->input;
	uint64_t inside = address - input->stack_address;

	(void)space;
	if (write)
		return -UNW_EINVAL;
	if (input->stack_bytes >= sizeof(*value) && inside <= input->stack_bytes - sizeof(*value)) {
		memcpy(value, input->stack + inside, sizeof(*value));
		/* Only return addresses matter of what looks like code: frames are found by others. */
		*value = input->objects->appear(input->objects->context, *value);
		return 0;
	}
	if (input->objects->read(input->objects->context, value, address) == 0)
		return 0;
	walk->behind |= inside < input->stack_bytes + WALK_FRAME_BYTES_MAX;
	return -UNW_EINVAL;
}

static int access_reg(unw_addr_space_t space, unw_regnum_t number, unw_word_t *value, int write,
		      void *argument)
{
	const struct walk *walk = argument;

	(void)space;
	if (write)
		return -UNW_EREADONLYREG;
	if (remote_register(&walk->input->leaf, number, value) < 0)
		return -UNW_EBADREG;
	*value = walk->input->objects->appear(walk->input->objects->context, *value);
	return 0;
}

static int access_fpreg(unw_addr_space_t space, unw_regnum_t number, unw_fpreg_t *value, int write,
			void *argument)
{
	(void)space;
	(void)number;
	(void)value;
	(void)write;
	(void)argument;
	return -UNW_EBADREG;
}

static int resume(unw_addr_space_t space, unw_cursor_t *cursor, void *argument)
{
	(void)space;
	(void)cursor;
	(void)argument;
	return -UNW_EINVAL;
}

static int get_proc_name(unw_addr_space_t space, unw_word_t address, char *name, size_t size,
			 unw_word_t *offset, void *argument)
{
	(void)space;
	(void)address;
	(void)name;
	(void)size;
	(void)offset;
	(void)argument;
	return -UNW_ENOINFO;
}

static uint64_t as_it_is(void *context, uint64_t address)
{
	(void)context;
	return address;
}

static int no_code(void *context, struct remote_code *ret, uint64_t appearance)
{
	(void)context;
	(void)ret;
	(void)appearance;
	return -1;
}

static int no_word(void *context, uint64_t *ret, uint64_t appearance)
{
	(void)context;
	(void)ret;
	(void)appearance;
	return -1;
}

struct remote_walker *remote_walker_new(void)
{
	static unw_accessors_t accessors = {
		.find_proc_info = find_proc_info,
		.put_unwind_info = put_unwind_info,
		.get_dyn_info_list_addr = no_list,
		.access_mem = access_mem,
		.access_reg = access_reg,
		.access_fpreg = access_fpreg,
		.resume = resume,
		.get_proc_name = get_proc_name,
	};
	static const struct remote_objects no_objects = { as_it_is, as_it_is, no_code, no_word,
							  NULL };
	static const struct remote_input no_input = { .objects = &no_objects };
	struct walk nothing = { .input = &no_input };
	struct remote_walker *walker = calloc(1, sizeof(*walker));
	unw_cursor_t cursor;

	if (!walker)
		return NULL;
	walker->space = unw_create_addr_space(&accessors, 0);
	if (!walker->space) {
		free(walker);
		return NULL;
	}
	/* The first walk of all sets libunwind up, with pipes and the like: now, not behind a sandbox. */
	(void)unw_init_remote(&cursor, walker->space, &nothing);
	(void)unw_set_caching_policy(walker->space, UNW_CACHE_GLOBAL);
	(void)unw_set_cache_size(walker->space, KEPT_FRAMES, 0);
	return walker;
}

void remote_walker_free(struct remote_walker *walker)
{
	if (!walker)
		return;
	unw_destroy_addr_space(walker->space);
	free(walker);
}

static uint64_t register_of(const struct walk *walk, unw_cursor_t *cursor, int number)
{
	const struct remote_objects *objects = walk->input->objects;
	unw_word_t value;

	return unw_get_reg(cursor, number, &value) == 0 ? objects->real(objects->context, value)
							: 0;
}

static struct remote_end frame_at(const struct walk *walk, unw_cursor_t *cursor, bool exact)
{
	return (struct remote_end){
		register_of(walk, cursor, UNW_REG_IP), register_of(walk, cursor, UNW_REG_SP),
		register_of(walk, cursor, remote_number_of_bp),
		remote_bx_lasts || exact ? register_of(walk, cursor, remote_number_of_bx) : 0, exact
	};
}

enum walk_outcome remote_walk(struct remote_walker *walker, const struct remote_input *input,
			      uint64_t *addresses, uint32_t limit, uint32_t *count,
			      struct remote_end *end)
{
	struct walk walk = { .walker = walker, .input = input };
	bool exact = input->exact;
	unw_cursor_t cursor;

	*count = 0;
	*end = (struct remote_end){ input->leaf.ip, input->leaf.sp, input->leaf.bp, input->leaf.bx,
				    exact };
	if (unw_init_remote(&cursor, walker->space, &walk) < 0)
		return WALK_NO_ROW;
	for (;;) {
		bool signal;
		int r;

		if (*count >= limit)
			return WALK_TOO_DEEP;
		walk.unknown = walk.behind = false;
		signal = unw_is_signal_frame(&cursor) > 0;
		r = unw_step(&cursor);
		if (r < 0 && walk.behind && !walk.unknown)
			return WALK_COPY_SHORT;
		if (r < 0 || (walk.unknown && !signal))
			return WALK_NO_ROW;
		addresses[(*count)++] = end->exact ? end->ip : end->ip - 1;
		if (r == 0)
			return WALK_COMPLETE;
		exact = signal;
		if (!signal && register_of(&walk, &cursor, UNW_REG_SP) <= end->sp) {
			*end = frame_at(&walk, &cursor, exact);
			return WALK_NO_PROGRESS;
		}
		*end = frame_at(&walk, &cursor, exact);
	}
}
