// SPDX-License-Identifier: Apache-2.0
#include "store/symbols.h"

#include <string.h>

#include "base/bytes.h"
#include "store/database.h"

const char *const program_keys[PROGRAM_TEXTS] = {
	[PROGRAM_COMM] = "comm",	   [PROGRAM_EXE] = "exe",
	[PROGRAM_BUILD_ID] = "build_id",   [PROGRAM_USER] = "user",
	[PROGRAM_CGROUP] = "cgroup",	   [PROGRAM_UNIT] = "unit",
	[PROGRAM_CONTAINER] = "container", [PROGRAM_POD] = "pod",
};

static const char *const texts[SYMBOLS_STATEMENTS] = {
	[SYMBOLS_FIND_BINARY] =
		"SELECT id FROM binary WHERE hash = ?1 AND file = ?2 AND build_id IS ?3 AND identity IS ?4"
		" AND start IS ?5 AND limit_ IS ?6 AND file_offset IS ?7",
	[SYMBOLS_ADD_BINARY] =
		"INSERT INTO binary (hash, file, build_id, identity, start, limit_, file_offset)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[SYMBOLS_FIND_SOURCE] = "SELECT id FROM source WHERE hash = ?1 AND file = ?2",
	[SYMBOLS_ADD_SOURCE] = "INSERT INTO source (hash, file) VALUES (?1, ?2)",
	[SYMBOLS_FIND_FUNCTION] = "SELECT id FROM function WHERE hash = ?1 AND name = ?2"
				  " AND source IS ?3 AND start_line IS ?4",
	[SYMBOLS_ADD_FUNCTION] = "INSERT INTO function (hash, name, source, start_line)"
				 " VALUES (?1, ?2, ?3, ?4)",
	[SYMBOLS_FIND_FRAME] = "SELECT frame.id, named, line, inlined, name, function FROM frame"
			       " LEFT JOIN function ON function.id = function"
			       " WHERE binary = ?1 AND address = ?2 ORDER BY frame.id DESC LIMIT 1",
	[SYMBOLS_ADD_FRAME] =
		"INSERT INTO frame (binary, address, kind, named, function, line, inlined)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[SYMBOLS_NAME_FRAME] =
		"UPDATE frame SET named = ?4, function = ?5, line = ?6, inlined = ?7 WHERE id = ?1",
	[SYMBOLS_FIND_PROGRAM] =
		"SELECT id FROM program WHERE hash = ?1 AND comm IS ?2 AND exe IS ?3 AND build_id IS ?4"
		" AND user IS ?5 AND cgroup IS ?6 AND unit IS ?7 AND container IS ?8 AND pod IS ?9"
		" AND uid IS ?10",
	[SYMBOLS_ADD_PROGRAM] =
		"INSERT INTO program (hash, comm, exe, build_id, user, cgroup, unit, container, pod, uid)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
};

int symbols_init(struct symbols *symbols, sqlite3 *db)
{
	*symbols = (struct symbols){ .db = db };
	for (size_t i = 0; i < SYMBOLS_STATEMENTS; i++) {
		int result = database_prepare(db, &symbols->statements[i], texts[i]);

		if (result != SQLITE_OK)
			return result;
	}
	return SQLITE_OK;
}

void symbols_fini(struct symbols *symbols)
{
	for (size_t i = 0; i < SYMBOLS_STATEMENTS; i++)
		(void)sqlite3_finalize(symbols->statements[i]);
	*symbols = (struct symbols){};
}

/* Ids are kept as 32 bits. */
static int take_id(int64_t id, uint32_t *ret)
{
	if (id < 1 || id > UINT32_MAX)
		return SQLITE_CORRUPT;
	*ret = (uint32_t)id;
	return SQLITE_OK;
}

static uint32_t hash_text(uint32_t hash, const char *text)
{
	return (uint32_t)hash_pair(hash, hash_bytes(text, strlen(text)));
}

/* Runs `find`; when there is none, `add` with the same parameters. */
static int find_or_add(struct symbols *symbols, enum symbols_statement find,
		       enum symbols_statement add, uint32_t *ret)
{
	sqlite3_stmt *statement = symbols->statements[find];
	int64_t id = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
	int result = sqlite3_reset(statement);

	if (result == SQLITE_OK && !id) {
		result = statement_run(symbols->statements[add]);
		id = sqlite3_last_insert_rowid(symbols->db);
	}
	return result == SQLITE_OK ? take_id(id, ret) : result;
}

int symbols_binary(struct symbols *symbols, const struct profile *profile,
		   const struct profile_mapping *mapping, uint32_t *ret)
{
	const char *file = profile_text(profile, mapping->file);
	const char *build_id = profile_text(profile, mapping->build_id);
	uint32_t hash = hash_text(hash_text((uint32_t)mapping->start, build_id), file);

	for (size_t i = SYMBOLS_FIND_BINARY; i <= SYMBOLS_ADD_BINARY; i++) {
		sqlite3_stmt *statement = symbols->statements[i];

		(void)sqlite3_bind_int64(statement, 1, hash);
		(void)sqlite3_bind_text(statement, 2, file, -1, SQLITE_STATIC);
		bind_text(statement, 3, build_id);
		/* Only as long as the profd that gave it lives: a build ID says more. */
		bind_optional(statement, 4, *build_id ? 0 : mapping->identity);
		bind_optional(statement, 5, (int64_t)mapping->start);
		bind_optional(statement, 6, (int64_t)mapping->limit);
		bind_optional(statement, 7, (int64_t)mapping->file_offset);
	}
	return find_or_add(symbols, SYMBOLS_FIND_BINARY, SYMBOLS_ADD_BINARY, ret);
}

int symbols_program(struct symbols *symbols, const struct program *program, uint32_t *ret)
{
	uint32_t hash = (uint32_t)program->uid;

	for (size_t i = 0; i < PROGRAM_TEXTS; i++)
		hash = hash_text(hash, program->texts[i]);
	for (size_t i = SYMBOLS_FIND_PROGRAM; i <= SYMBOLS_ADD_PROGRAM; i++) {
		sqlite3_stmt *statement = symbols->statements[i];

		(void)sqlite3_bind_int64(statement, 1, hash);
		for (int k = 0; k < PROGRAM_TEXTS; k++)
			bind_text(statement, 2 + k, program->texts[k]);
		if (program->uid < 0)
			(void)sqlite3_bind_null(statement, 2 + PROGRAM_TEXTS);
		else
			(void)sqlite3_bind_int64(statement, 2 + PROGRAM_TEXTS, program->uid);
	}
	return find_or_add(symbols, SYMBOLS_FIND_PROGRAM, SYMBOLS_ADD_PROGRAM, ret);
}

static int add_source(struct symbols *symbols, const char *file, uint32_t *ret)
{
	*ret = 0;
	if (!*file)
		return SQLITE_OK;
	for (size_t i = SYMBOLS_FIND_SOURCE; i <= SYMBOLS_ADD_SOURCE; i++) {
		(void)sqlite3_bind_int64(symbols->statements[i], 1, hash_text(0, file));
		(void)sqlite3_bind_text(symbols->statements[i], 2, file, -1, SQLITE_STATIC);
	}
	return find_or_add(symbols, SYMBOLS_FIND_SOURCE, SYMBOLS_ADD_SOURCE, ret);
}

static int add_function(struct symbols *symbols, const struct profile *profile, uint32_t id,
			uint32_t *ret)
{
	const struct profile_function *function = &profile->functions.at[id];
	const char *name = profile_text(profile, function->name);
	uint32_t source, hash;
	int result = add_source(symbols, profile_text(profile, function->file), &source);

	if (result != SQLITE_OK)
		return result;
	hash = hash_text(source ^ function->start_line, name);
	for (size_t i = SYMBOLS_FIND_FUNCTION; i <= SYMBOLS_ADD_FUNCTION; i++) {
		sqlite3_stmt *statement = symbols->statements[i];

		(void)sqlite3_bind_int64(statement, 1, hash);
		(void)sqlite3_bind_text(statement, 2, name, -1, SQLITE_STATIC);
		bind_optional(statement, 3, source);
		bind_optional(statement, 4, function->start_line);
	}
	return find_or_add(symbols, SYMBOLS_FIND_FUNCTION, SYMBOLS_ADD_FUNCTION, ret);
}

/* A name, lines, inlined functions: in this order. */
static uint32_t detail_of(bool has_function, bool named, bool has_line, bool has_inlined)
{
	return has_function ? 1U + 8U * named + 4U * has_line + 2U * has_inlined : 0;
}

uint32_t frame_detail(const struct profile *profile, uint32_t id)
{
	const struct profile_location *location = &profile->locations.at[id];
	bool has_line = false;

	for (uint32_t i = 0; i < location->line_count; i++)
		has_line |= profile->lines.at[location->first_line + i].line != 0;
	return detail_of(location->line_count, location->named, has_line, location->line_count > 1);
}

static const struct profile_line *outermost(const struct profile *profile, uint32_t id)
{
	const struct profile_location *location = &profile->locations.at[id];

	return &profile->lines.at[location->first_line + location->line_count - 1];
}

uint32_t frame_name_hash(const struct profile *profile, uint32_t id)
{
	const struct profile_line *line;

	if (!profile->locations.at[id].line_count)
		return 0;
	line = outermost(profile, id);
	return hash_text(0, profile_text(profile, profile->functions.at[line->function].name)) | 1;
}

/* Whether equal (binary, address) is the same code for all times. */
static bool is_fixed(const struct profile *profile, uint32_t id)
{
	const struct profile_location *location = &profile->locations.at[id];
	const struct profile_mapping *mapping = &profile->mappings.at[location->mapping];

	return location->kind != LOCATION_KERNEL && location->kind != LOCATION_JIT &&
	       *profile_text(profile, mapping->build_id);
}

static bool is_other(const struct profile *profile, uint32_t id,
		     const struct frame_knowledge *known)
{
	return !is_fixed(profile, id) && profile->locations.at[id].named && known->detail >= 8 &&
	       frame_name_hash(profile, id) != known->name;
}

bool frame_is_news(const struct profile *profile, uint32_t id, const struct frame_knowledge *known)
{
	return frame_detail(profile, id) > known->detail || is_other(profile, id, known);
}

static int find_frame(struct symbols *symbols, uint32_t binary, uint64_t address,
		      struct frame_knowledge *ret)
{
	sqlite3_stmt *statement = symbols->statements[SYMBOLS_FIND_FRAME];
	int result = SQLITE_OK;

	(void)sqlite3_bind_int64(statement, 1, binary);
	(void)sqlite3_bind_int64(statement, 2, (int64_t)address);
	if (sqlite3_step(statement) == SQLITE_ROW) {
		bool has_inlined = sqlite3_column_type(statement, 3) != SQLITE_NULL;
		bool has_function = sqlite3_column_type(statement, 5) != SQLITE_NULL;

		result = take_id(sqlite3_column_int64(statement, 0), &ret->id);
		ret->name = has_function ? hash_text(0, column_text(statement, 4)) | 1 : 0;
		ret->detail = detail_of(has_function, sqlite3_column_int64(statement, 1) != 0,
					sqlite3_column_int64(statement, 2) != 0, has_inlined);
	}
	if (result != SQLITE_OK) {
		(void)sqlite3_reset(statement);
		return result;
	}
	return sqlite3_reset(statement);
}

/* Functions of a location as rows: the outermost one, and the others as JSON. */
static int add_lines(struct symbols *symbols, const struct profile *profile, uint32_t id,
		     uint32_t *ret_function, struct bytes *ret_inlined)
{
	const struct profile_location *location = &profile->locations.at[id];

	*ret_function = 0;
	for (uint32_t i = 0; i < location->line_count; i++) {
		const struct profile_line *line = &profile->lines.at[location->first_line + i];
		int result = add_function(symbols, profile, line->function, ret_function);

		if (result != SQLITE_OK)
			return result;
		if (i + 1 < location->line_count)
			bytes_add_format(ret_inlined, "%c%u,%u", i ? ',' : '[', *ret_function,
					 line->line);
	}
	if (ret_inlined->size)
		bytes_add_char(ret_inlined, ']');
	return ret_inlined->failed ? SQLITE_NOMEM : SQLITE_OK;
}

int symbols_frame(struct symbols *symbols, const struct profile *profile, uint32_t id,
		  uint32_t binary, struct frame_knowledge *known)
{
	const struct profile_location *location = &profile->locations.at[id];
	cleanup(bytes_fini) struct bytes inlined = {};
	sqlite3_stmt *statement;
	uint32_t function;
	int result = SQLITE_OK;
	bool is_new;

	if (!known->id)
		result = find_frame(symbols, binary, location->address, known);
	if (result != SQLITE_OK || (known->id && !frame_is_news(profile, id, known)))
		return result;
	is_new = !known->id || is_other(profile, id, known);
	result = add_lines(symbols, profile, id, &function, &inlined);
	if (result != SQLITE_OK)
		return result;
	statement = symbols->statements[is_new ? SYMBOLS_ADD_FRAME : SYMBOLS_NAME_FRAME];
	if (is_new) {
		(void)sqlite3_bind_int64(statement, 1, binary);
		(void)sqlite3_bind_int64(statement, 2, (int64_t)location->address);
		(void)sqlite3_bind_int64(statement, 3, location->kind);
	} else {
		(void)sqlite3_bind_int64(statement, 1, known->id);
	}
	(void)sqlite3_bind_int64(statement, 4, location->named);
	bind_optional(statement, 5, function);
	bind_optional(statement, 6, location->line_count ? outermost(profile, id)->line : 0);
	bind_bytes(statement, 7, &inlined);
	result = statement_run(statement);
	if (result == SQLITE_OK && is_new)
		result = take_id(sqlite3_last_insert_rowid(symbols->db), &known->id);
	known->name = frame_name_hash(profile, id);
	known->detail = frame_detail(profile, id);
	return result;
}
