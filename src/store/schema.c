// SPDX-License-Identifier: Apache-2.0
/*
 * What the history holds.
 *
 * A segment is up to an hour of slices (windows as they are stored) that share three lists: frames,
 * processes, and nodes of a tree of call paths. Each slice carries what of these was new in it, so
 * that a window is one row, written at once; numbers in a slice are positions in the segment's
 * lists, which keeps them short. Lists are JSON, so that SQL can read them (codec.h has their
 * grammar).
 *
 * What frames and processes refer to is shared by all segments and found through hashes, because an
 * index over texts would hold all of them again. Rows that no segment refers to any more are swept
 * (sweep.h).
 */
#include "store/schema.h"

const char schema_tables[] =
	"CREATE TABLE segment ("
	" id INTEGER PRIMARY KEY,"
	" level INTEGER NOT NULL,"    /* 0: as recorded, 1: minutes, 2: ten minutes */
	" begin_ns INTEGER NOT NULL," /* of its first slice, and end of the last one, CLOCK_REALTIME */
	" until_ns INTEGER NOT NULL,"
	" recorded_ns INTEGER NOT NULL," /* sum over slices */
	" cpu_ns INTEGER NOT NULL,"
	" thin_ns INTEGER NOT NULL);" /* what a thinned sample weighs; 0: there are none */
	"CREATE TABLE slice ("
	" id INTEGER PRIMARY KEY,"
	" begin_ns INTEGER NOT NULL,"
	" duration_ns INTEGER NOT NULL,"
	" period_ns INTEGER NOT NULL," /* what a sample weighs */
	" samples INTEGER NOT NULL,"
	" cpu_ns INTEGER NOT NULL,"
	" lost INTEGER NOT NULL,"
	" cpus INTEGER NOT NULL,"
	" first_frame INTEGER NOT NULL," /* number of the first one of `frames` in the segment */
	" first_process INTEGER NOT NULL,"
	" first_path INTEGER NOT NULL,"
	" frames TEXT,"
	" processes TEXT,"
	" paths TEXT,"
	" entries TEXT,"
	" thinned TEXT);"
	"CREATE TABLE binary ("
	" id INTEGER PRIMARY KEY,"
	" hash INTEGER NOT NULL,"
	" file TEXT NOT NULL,"
	" build_id TEXT,"    /* hex */
	" identity INTEGER," /* tells files of one name without build ID apart */
	" start INTEGER, limit_ INTEGER, file_offset INTEGER);"
	"CREATE INDEX binary_hash ON binary (hash);"
	"CREATE TABLE source ("
	" id INTEGER PRIMARY KEY,"
	" hash INTEGER NOT NULL,"
	" file TEXT NOT NULL);"
	"CREATE INDEX source_hash ON source (hash);"
	/* As it is shown: the name before demangling would double what names take. */
	"CREATE TABLE function ("
	" id INTEGER PRIMARY KEY,"
	" hash INTEGER NOT NULL,"
	" name TEXT NOT NULL,"
	" source INTEGER,"
	" start_line INTEGER);"
	"CREATE INDEX function_hash ON function (hash);"
	"CREATE TABLE frame ("
	" id INTEGER PRIMARY KEY,"
	" binary INTEGER NOT NULL,"
	" address INTEGER NOT NULL," /* in the ELF file */
	" kind INTEGER NOT NULL,"    /* enum location_kind */
	" named INTEGER NOT NULL,"   /* 0: the function's name is made up */
	" function INTEGER,"
	" line INTEGER,"
	" inlined TEXT);" /* [function, line, ...] inlined there, innermost first; NULL: none */
	"CREATE INDEX frame_place ON frame (binary, address);"
	"CREATE TABLE program ("
	" id INTEGER PRIMARY KEY,"
	" hash INTEGER NOT NULL,"
	" comm TEXT, exe TEXT, build_id TEXT, user TEXT, uid INTEGER, cgroup TEXT, unit TEXT,"
	" container TEXT, pod TEXT);"
	"CREATE INDEX program_hash ON program (hash);";
