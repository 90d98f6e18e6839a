// SPDX-License-Identifier: Apache-2.0
/*
 * The names are those that profd, perf, Go's runtime and the profilers of languages give; see
 * perf-script(1) for perf's.
 */
#include "input/frame_kind.h"

#include <string.h>

#include "base/cleanup.h"

/* The upper half of the addresses is the kernel's on all machines of 64 bits. */
#define KERNEL_ADDRESSES 0xffff000000000000ULL
/* Nothing is there: -1 and its like stand for addresses that are not known. */
#define KERNEL_END 0xfffffffffffff000ULL

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static bool ends(const char *text, const char *with)
{
	size_t size = strlen(text), length = strlen(with);

	return size >= length && strcmp(text + size - length, with) == 0;
}

bool frame_kind_is_note(const char *name, size_t size)
{
	static const char truncated[] = "[truncated";
	static const char *const whole[] = { "[unknown]", "[guessed]" };

	if (size >= sizeof(truncated) - 1 && memcmp(name, truncated, sizeof(truncated) - 1) == 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(whole); i++)
		if (size == strlen(whole[i]) && memcmp(name, whole[i], size) == 0)
			return true;
	return false;
}

static bool is_kernel(const char *file, const char *name)
{
	return begins(file, "[kernel") || begins(file, "[guest.kernel") || begins(file, "[bpf") ||
	       begins(name, "vmlinux") || ends(name, ".ko") || strstr(name, ".ko.");
}

static bool is_generated(const char *file, const char *name)
{
	return begins(file, "[jit") || begins(file, "//anon") || begins(file, "[anon") ||
	       begins(file, "anon_inode:") || begins(file, "/memfd:") ||
	       (begins(name, "perf-") && ends(name, ".map")) || begins(name, "jitted-");
}

static bool is_library(const char *name)
{
	/* "libc.so", "libc.so.6", "libc.so (deleted)", but not "my.sock" */
	for (const char *at = strstr(name, ".so"); at; at = strstr(at + 1, ".so"))
		if (!at[3] || at[3] == '.' || at[3] == ' ' || at[3] == '-')
			return true;
	return name[0] == '[' || ends(name, ".dylib") || ends(name, ".dll") || ends(name, ".DLL");
}

int frame_kind_of_mapping(const char *file)
{
	const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;

	if (!*file)
		return FRAME_KIND_UNKNOWN;
	if (is_kernel(file, name))
		return LOCATION_KERNEL;
	if (is_generated(file, name))
		return LOCATION_JIT;
	if (frame_kind_is_note(file, strlen(file)))
		return LOCATION_NOTE;
	return is_library(name) ? LOCATION_LIBRARY : LOCATION_USER;
}

int frame_kind_of_source(const char *file)
{
	static const struct {
		const char *end;
		enum location_kind kind;
	} known[] = {
		{ ".py", LOCATION_INTERPRETED },  { ".rb", LOCATION_INTERPRETED },
		{ ".php", LOCATION_INTERPRETED }, { ".pl", LOCATION_INTERPRETED },
		{ ".pm", LOCATION_INTERPRETED },  { ".lua", LOCATION_INTERPRETED },
		{ ".js", LOCATION_JIT },	  { ".mjs", LOCATION_JIT },
		{ ".cjs", LOCATION_JIT },	  { ".ts", LOCATION_JIT },
		{ ".java", LOCATION_JIT },	  { ".kt", LOCATION_JIT },
		{ ".scala", LOCATION_JIT },	  { ".cs", LOCATION_JIT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (ends(file, known[i].end))
			return (int)known[i].kind;
	return FRAME_KIND_UNKNOWN;
}

enum location_kind frame_kind(int mapping, int source, uint64_t address)
{
	/* A compiler ahead of time may have made a program of Java, but hardly one of Python. */
	if (source == LOCATION_INTERPRETED && mapping != LOCATION_KERNEL)
		return LOCATION_INTERPRETED;
	if (mapping != FRAME_KIND_UNKNOWN)
		return (enum location_kind)mapping;
	if (source != FRAME_KIND_UNKNOWN)
		return (enum location_kind)source;
	return address >= KERNEL_ADDRESSES && address < KERNEL_END ? LOCATION_KERNEL
								   : LOCATION_USER;
}
