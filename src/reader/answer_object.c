// SPDX-License-Identifier: Apache-2.0
#include "reader/state.h"

#include <errno.h>
#include <string.h>

#include "elf/allocator.h"
#include "elf/call_sites.h"
#include "elf/needed.h"
#include "elf/rows.h"
#include "unwind/table.h"
#include "worker/kept_table.h"
#include "worker/symbol_cache.h"

int reader_answer_object(struct known_object *known, struct reply *reply)
{
	const struct object *object = known->object;
	struct wire_object wire = {
		.file_size = object->identity.size,
		.entry = object->entry,
		.type = object->type,
		.machine = object->machine,
		.segment_count = object->segments.count,
		.build_id_size = object->build_id_size,
		.debug_checksum = object->debug_checksum,
		.debug_link_size =
			object->debug_link ? (uint32_t)strlen(object->debug_link) + 1 : 0,
	};

	memcpy(wire.build_id, object->build_id, object->build_id_size);
	bytes_add(&reply->bytes, &wire, sizeof(wire));
	for (uint32_t i = 0; i < object->segments.count; i++) {
		const struct object_segment *from = &object->segments.at[i];
		const struct wire_segment segment = {
			.address = from->address,
			.file_offset = from->file_offset,
			.file_size = from->file_size,
			.memory_size = from->memory_size,
			.executable = from->executable,
		};

		bytes_add(&reply->bytes, &segment, sizeof(segment));
	}
	if (wire.debug_link_size)
		bytes_add(&reply->bytes, object->debug_link, wire.debug_link_size);
	return 0;
}

static void add_table(struct bytes *ret, const struct unwind_table *table,
		      const struct cfi_table *rows)
{
	const struct wire_table_head head = {
		.first_page = table->first_page,
		.page_count = table->block_offset.count,
		.rule_count = table->rules.count,
		.block_bytes = table->blocks.count,
		.row_count = table->row_count,
		.dropped_rules = table->dropped_rules,
		.unsupported = rows->unsupported,
		.broken = rows->broken,
		.no_rows = rows->rows.count == 0,
	};

	bytes_add(ret, &head, sizeof(head));
	bytes_add(ret, table->rules.at, table->rules.count * sizeof(*table->rules.at));
	bytes_add(ret, table->block_offset.at,
		  table->block_offset.count * sizeof(*table->block_offset.at));
	bytes_add(ret, table->block_size.at,
		  table->block_size.count * sizeof(*table->block_size.at));
	bytes_add(ret, table->blocks.at, table->blocks.count);
}

int reader_answer_table(struct known_object *known, const int *fds, unsigned fd_count,
			struct reply *reply)
{
	struct unwind_table table = {};
	struct cfi_table rows = {};
	int r;

	/* What is no good is made anew, and kept in its place. */
	if (fd_count && kept_table_read(&reply->bytes, fds[0], SYMBOL_CACHE_HEAD_BYTES) == 0)
		return WIRE_TABLE_KEPT;
	r = rows_read(&rows, known->object);
	if (r == 0)
		r = unwind_table_build(&table, &rows);
	if (r == 0)
		add_table(&reply->bytes, &table, &rows);
	unwind_table_fini(&table);
	cfi_table_fini(&rows);
	return r;
}

int reader_answer_needed(struct known_object *known, struct reply *reply)
{
	cleanup(needed_fini) struct needed needed = {};
	struct wire_needed wire;
	int r = needed_read(&needed, known->object);

	if (r < 0)
		return r;
	wire = (struct wire_needed){
		.name_count = needed.names.count,
		.text_bytes = (uint32_t)needed.texts.size,
		.soname = needed.soname,
		.rpath = needed.rpath,
		.runpath = needed.runpath,
		.interpreter = needed.interpreter,
	};
	bytes_add(&reply->bytes, &wire, sizeof(wire));
	bytes_add(&reply->bytes, needed.names.at, needed.names.count * sizeof(*needed.names.at));
	bytes_add(&reply->bytes, needed.texts.at, needed.texts.size);
	return 0;
}

int reader_answer_allocator(struct known_object *known, struct reply *reply)
{
	cleanup(allocator_fini) struct allocator allocator = {};
	struct wire_allocator wire = {};
	int r = allocator_read(&allocator, known->object);

	if (r < 0)
		return r;
	wire.site_count = allocator.sites.count;
	wire.slot_count = allocator.slots.count;
	wire.prefixed = allocator.prefixed;
	wire.calls_new = allocator.calls_new;
	bytes_add(&reply->bytes, &wire, sizeof(wire));
	for (uint32_t i = 0; i < allocator.sites.count; i++) {
		const struct allocation_site *from = &allocator.sites.at[i];
		const struct wire_allocation_site site = {
			.entry = from->entry,
			.address = from->address,
			.function = from->function,
			.outcome = from->outcome,
			.flags = from->flags,
			.stack_moved = from->stack_moved,
			.size_register = from->size_register,
			.other_register = from->other_register,
			.result_register = from->result_register,
			.may_throw = from->may_throw,
		};

		bytes_add(&reply->bytes, &site, sizeof(site));
	}
	bytes_add(&reply->bytes, allocator.slots.at,
		  allocator.slots.count * sizeof(*allocator.slots.at));
	return 0;
}

int reader_answer_calls(struct known_object *known, const void *payload, size_t size,
			struct reply *reply)
{
	const uint64_t *addresses = payload;

	if (size % sizeof(*addresses))
		return -EBADMSG;
	for (size_t i = 0; i < size / sizeof(*addresses); i++) {
		uint64_t call = call_ends_at(known->object, addresses[i]);

		bytes_add(&reply->bytes, &call, sizeof(call));
	}
	return 0;
}
