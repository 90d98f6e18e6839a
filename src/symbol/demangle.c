// SPDX-License-Identifier: Apache-2.0
/*
 * Names are hostile: back references let one of 200 bytes stand for terabytes of text. libiberty
 * limits its recursion (unless DMGL_NO_RECURSE_LIMIT is set: never here), but not what it writes,
 * so its callback leaves with longjmp once the limit is reached. That is sound because the callback
 * forms keep everything on the stack (one small buffer for Rust's punycode apart).
 */
#include "symbol/demangle.h"

#include <errno.h>
#include <libiberty/demangle.h>
#include <setjmp.h>
#include <string.h>

enum {
	/* Longer ones the recursion limit refuses anyway, but only after some work. */
	MAX_MANGLED_BYTES = 8192,
	MAX_BYTES = 8192,
};

struct sink {
	struct bytes *bytes;
	size_t start; /* size of *bytes before */
	jmp_buf full;
};

typedef int demangler(const char *name, int options, demangle_callbackref callback, void *context);

static void take(const char *text, size_t size, void *context)
{
	struct sink *sink = context;

	if (size > MAX_BYTES - (sink->bytes->size - sink->start))
		longjmp(sink->full, 1);
	bytes_add(sink->bytes, text, size);
}

static bool try(struct sink *sink, demangler *run, const char *name)
{
	if (setjmp(sink->full) == 0 && run(name, DMGL_NO_OPTS, take, sink) &&
	    sink->bytes->size > sink->start)
		return true;
	sink->bytes->size = sink->start;
	return false;
}

static int demangle_whole(struct bytes *ret, const char *name)
{
	struct sink sink = { .bytes = ret, .start = ret->size };
	bool done = false;

	if (strnlen(name, MAX_MANGLED_BYTES + 1) > MAX_MANGLED_BYTES)
		return DEMANGLE_NOT;
	/* Rust first: its legacy names are valid C++ names, with a hash at the end. */
	if (strncmp(name, "_R", 2) == 0 || strncmp(name, "_Z", 2) == 0)
		done = try(&sink, rust_demangle_callback, name);
	if (!done && strncmp(name, "_Z", 2) == 0)
		done = try(&sink, cplus_demangle_v3_callback, name);
	if (ret->failed)
		return -ENOMEM;
	return done ? 0 : DEMANGLE_NOT;
}

int demangle(struct bytes *ret, const char *name)
{
	/* Of what calls go through; see elf/plt.h. */
	static const char suffix[] = "@plt";
	size_t size = strnlen(name, MAX_MANGLED_BYTES + 1), more = sizeof(suffix) - 1;
	char function[MAX_MANGLED_BYTES + 1];
	int r;

	if (size <= more || size > MAX_MANGLED_BYTES || strcmp(name + size - more, suffix) != 0)
		return demangle_whole(ret, name);
	memcpy(function, name, size - more);
	function[size - more] = '\0';
	r = demangle_whole(ret, function);
	if (r == 0)
		bytes_add_str(ret, suffix);
	return ret->failed ? -ENOMEM : r;
}
