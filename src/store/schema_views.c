// SPDX-License-Identifier: Apache-2.0
/*
 * The views, for people with `sqlite3`: they decode the lists (codec.h). Documented in
 * profd-history(5); made anew by each writer that opens the file.
 */
#include "store/schema.h"

const char schema_views[] =
	/* One row for each window. */
	"DROP VIEW IF EXISTS windows;"
	"CREATE VIEW windows AS"
	" SELECT slice.id AS window, slice.id >> 20 AS segment,"
	"  datetime(slice.begin_ns / 1000000000, 'unixepoch') AS begin,"
	"  slice.begin_ns AS begin_ns, duration_ns / 1e9 AS seconds, period_ns, samples,"
	"  slice.cpu_ns AS cpu_ns, slice.cpu_ns * 1.0 / duration_ns AS cores, lost, cpus, level, thin_ns"
	" FROM slice JOIN segment ON segment.id = slice.id >> 20;"
	/*
	 * One row for each value: the entries of a window, with the running sums and weights told.
	 * The columns of PARTITION BY are those by which a query can choose before anything is
	 * decoded.
	 */
	"DROP VIEW IF EXISTS samples;"
	"CREATE VIEW samples AS"
	" WITH item AS ("
	"  SELECT slice.id AS slice, slice.begin_ns AS begin_ns, slice.id >> 20 AS segment, list.thinned,"
	"   CASE WHEN list.thinned THEN (SELECT thin_ns FROM segment WHERE id = slice.id >> 20)"
	"    ELSE period_ns END AS weight,"
	"   one.key AS part, json_extract(one.value, '$[0]') AS process,"
	"   entry.key AS place, entry.value AS value, entry.type AS type"
	"  FROM slice, (SELECT 0 AS thinned UNION ALL SELECT 1) AS list,"
	"   json_each(CASE WHEN list.thinned THEN slice.thinned ELSE slice.entries END) AS one,"
	"   json_each(one.value) AS entry WHERE entry.key > 0),"
	" told AS ("
	"  SELECT *, sum(CASE WHEN type = 'integer' AND value >= 0 THEN value ELSE 0 END) OVER before AS node,"
	"   lead(value) OVER entries AS next, lead(type) OVER entries AS next_type"
	"  FROM item WINDOW entries AS (PARTITION BY slice, begin_ns, segment, thinned, part ORDER BY place),"
	"   before AS (PARTITION BY slice, begin_ns, segment, thinned, part ORDER BY place"
	"    ROWS UNBOUNDED PRECEDING))"
	" SELECT slice AS window, segment, begin_ns, process, node,"
	"  CASE WHEN next_type = 'array' THEN json_extract(next, '$[0]') WHEN next < 0 THEN -next ELSE 1 END"
	"   AS samples,"
	"  CASE WHEN next_type = 'array' THEN json_extract(next, '$[1]') WHEN next < 0 THEN -next * weight"
	"   ELSE weight END AS cpu_ns,"
	"  thinned"
	" FROM told WHERE type = 'integer' AND value >= 0;"
	/* The trees of call paths. */
	"DROP VIEW IF EXISTS nodes;"
	"CREATE VIEW nodes AS"
	" WITH item AS ("
	"  SELECT slice.id >> 20 AS segment, one.value AS value,"
	"   first_path - 1 + sum(one.value >= 0) OVER before AS node,"
	"   lag(one.value, 1, 0) OVER list AS previous"
	"  FROM slice, json_each(slice.paths) AS one"
	"  WINDOW list AS (PARTITION BY slice.id, slice.id >> 20 ORDER BY one.key),"
	"   before AS (PARTITION BY slice.id, slice.id >> 20 ORDER BY one.key ROWS UNBOUNDED PRECEDING)),"
	" shared AS ("
	"  SELECT slice.id >> 20 AS segment, first_frame + one.key AS number,"
	"   sum(one.value) OVER (PARTITION BY slice.id, slice.id >> 20 ORDER BY one.key"
	"    ROWS UNBOUNDED PRECEDING) AS frame"
	"  FROM slice, json_each(slice.frames) AS one)"
	" SELECT item.segment AS segment, node, node + CASE WHEN previous < 0 THEN previous ELSE -1 END AS parent,"
	"  shared.frame AS frame"
	" FROM item CROSS JOIN shared ON shared.segment = item.segment AND shared.number = item.value"
	" WHERE value >= 0;"
	/* What there is to say of a frame. */
	"DROP VIEW IF EXISTS frames;"
	"CREATE VIEW frames AS"
	" SELECT frame.id AS frame, ifnull(function.name, binary.file || printf('+0x%x', address)) AS function,"
	"  binary.file AS module, source.file AS file, line, start_line, address, binary.build_id AS build_id,"
	"  CASE kind WHEN 0 THEN 'program' WHEN 1 THEN 'library' WHEN 2 THEN 'kernel' WHEN 3 THEN 'generated'"
	"   WHEN 4 THEN 'interpreted' ELSE 'note' END AS kind,"
	"  named, inlined"
	" FROM frame JOIN binary ON binary.id = frame.binary"
	"  LEFT JOIN function ON function.id = frame.function LEFT JOIN source ON source.id = function.source;"
	/* The processes of each segment. */
	"DROP VIEW IF EXISTS processes;"
	"CREATE VIEW processes AS"
	" WITH item AS ("
	"  SELECT slice.id >> 20 AS segment, first_process + one.key / 2 AS process, one.key AS place,"
	"   one.value AS pid, lead(one.value) OVER (PARTITION BY slice.id, slice.id >> 20 ORDER BY one.key)"
	"    AS program"
	"  FROM slice, json_each(slice.processes) AS one)"
	" SELECT segment, process, pid, comm, exe, build_id, user, uid, cgroup, unit, container, pod"
	" FROM item LEFT JOIN program ON program.id = item.program WHERE place % 2 = 0;"
	/*
	 * Samples with the function that they were in. CROSS JOIN keeps the order: one row of each
	 * for a sample.
	 */
	"DROP VIEW IF EXISTS leaves;"
	"CREATE VIEW leaves AS"
	" SELECT samples.*, nodes.parent AS parent, frames.frame AS frame, function, module, file, line, kind"
	" FROM samples CROSS JOIN nodes ON nodes.segment = samples.segment AND nodes.node = samples.node"
	"  CROSS JOIN frames ON frames.frame = nodes.frame;";
