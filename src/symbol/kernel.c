// SPDX-License-Identifier: Apache-2.0
/*
 * Only code is kept, about half of the lines, and of several names for one address only the
 * preferred one: 16 bytes a function and its name. Modules are consecutive in the file, so a module
 * is looked for nowhere but in the line before.
 */
#include "symbol/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "elf/symbol_name.h"

enum {
	CHUNK_BYTES = 65536,
	/* KSYM_NAME_LEN of the kernel. */
	MAX_NAME_BYTES = 512,
	/* A kernel with everything built in has some 150 000 functions. */
	MAX_SYMBOLS = 2 << 20,
	MAX_MODULES = UINT16_MAX,
	/* No function is that long: past it lies what the list does not know. */
	MAX_FUNCTION_BYTES = 1 << 20,
};

struct kernel_symbol {
	uint64_t address;
	uint32_t name;	  /* offset in text */
	uint16_t module;  /* index in modules, 0 for the kernel proper */
	uint16_t binding; /* enum symbol_binding */
};

struct kernel_symbols {
	ARRAY_OF(struct kernel_symbol) symbols;
	ARRAY_OF(uint32_t) modules; /* offsets in text; 0 is "" */
	ARRAY_OF(char) text;	    /* strings with their NUL; begins with an empty one */
	bool seen, visible;	    /* a symbol, one with an address */
};

struct kernel_symbols *kernel_symbols_new(void)
{
	cleanup(kernel_symbols_free) struct kernel_symbols *symbols = calloc(1, sizeof(*symbols));

	if (!symbols || !array_push(&symbols->text) || !array_push(&symbols->modules))
		return NULL;
	return TAKE_PTR(symbols);
}

void kernel_symbols_free(struct kernel_symbols *symbols)
{
	if (!symbols)
		return;
	array_fini(&symbols->symbols);
	array_fini(&symbols->modules);
	array_fini(&symbols->text);
	free(symbols);
}

/* Returns the offset in text, or 0 when out of memory. */
static uint32_t add_text(struct kernel_symbols *symbols, const char *text, size_t size)
{
	uint32_t offset = symbols->text.count;

	if (!array_reserve(&symbols->text, (uint64_t)offset + size + 1))
		return 0;
	memcpy(symbols->text.at + offset, text, size);
	symbols->text.at[offset + size] = '\0';
	symbols->text.count += (uint32_t)size + 1;
	return offset;
}

static int add_module(struct kernel_symbols *symbols, const char *name, size_t size)
{
	uint32_t last = symbols->modules.count - 1, *offset;
	const char *known = symbols->text.at + symbols->modules.at[last];

	if (strlen(known) == size && memcmp(known, name, size) == 0)
		return (int)last;
	if (last == MAX_MODULES)
		return 0;
	offset = array_push(&symbols->modules);
	if (!offset)
		return -ENOMEM;
	*offset = add_text(symbols, name, size);
	return *offset ? (int)last + 1 : -ENOMEM;
}

static bool parse_address(uint64_t *ret, const char **at, const char *end)
{
	const char *start = *at;
	uint64_t address = 0;

	for (; *at < end && *at - start <= 16; (*at)++) {
		char c = **at;

		if (c >= '0' && c <= '9')
			address = address << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			address = address << 4 | (uint64_t)(c - 'a' + 10);
		else
			break;
	}
	*ret = address;
	return *at > start && *at - start <= 16;
}

/* "ffffffffc0a01000 t nft_do_chain\t[nf_tables]", without its newline. */
static int add_line(struct kernel_symbols *symbols, const char *at, const char *end)
{
	const char *name, *name_end, *module;
	struct kernel_symbol *symbol;
	uint64_t address;
	uint32_t offset;
	char type;
	int number = 0;

	if (!parse_address(&address, &at, end) || end - at < 4 || at[0] != ' ' || at[2] != ' ')
		return 0;
	type = at[1];
	symbols->seen = true;
	symbols->visible |= address != 0;
	if (address == 0 || !memchr("tTwW", type, 4) || symbols->symbols.count >= MAX_SYMBOLS)
		return 0;
	name = at + 3;
	name_end = memchr(name, '\t', (size_t)(end - name));
	module = name_end ? name_end + 1 : end;
	if (!name_end)
		name_end = end;
	if (name_end == name || name_end - name > MAX_NAME_BYTES || end - module > MAX_NAME_BYTES)
		return 0;
	if (end - module > 2 && module[0] == '[' && end[-1] == ']')
		number = add_module(symbols, module + 1, (size_t)(end - module - 2));
	if (number < 0)
		return number;
	offset = add_text(symbols, name, (size_t)(name_end - name));
	symbol = offset ? array_push(&symbols->symbols) : NULL;
	if (!symbol)
		return -ENOMEM;
	*symbol = (struct kernel_symbol){
		.address = address,
		.name = offset,
		.module = (uint16_t)number,
		.binding = type == 'T'	 ? SYMBOL_GLOBAL
			   : type == 't' ? SYMBOL_LOCAL
					 : SYMBOL_WEAK,
	};
	return 0;
}

int kernel_symbols_add(struct kernel_symbols *symbols, const char *text, size_t size,
		       size_t *ret_taken)
{
	const char *newline;
	size_t taken = 0;
	int r = 0;

	while (r == 0 && taken < size && (newline = memchr(text + taken, '\n', size - taken))) {
		r = add_line(symbols, text + taken, newline);
		taken = (size_t)(newline + 1 - text);
	}
	*ret_taken = taken;
	return r;
}

static int compare(const void *a_, const void *b_, void *text_)
{
	const struct kernel_symbol *a = a_, *b = b_;
	const char *text = text_;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	if (symbol_name_preferred(text + a->name, a->binding, text + b->name, b->binding))
		return -1;
	return symbol_name_preferred(text + b->name, b->binding, text + a->name, a->binding);
}

void kernel_symbols_sort(struct kernel_symbols *symbols)
{
	struct kernel_symbol *at = symbols->symbols.at;
	uint32_t kept = 0;

	if (symbols->symbols.count == 0)
		return;
	qsort_r(at, symbols->symbols.count, sizeof(*at), compare, symbols->text.at);
	for (uint32_t i = 0; i < symbols->symbols.count; i++) {
		if (kept == 0 || at[kept - 1].address != at[i].address)
			at[kept++] = at[i];
	}
	symbols->symbols.count = kept;
}

int kernel_symbols_read(struct kernel_symbols *symbols)
{
	cleanup(close) int fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
	cleanup(free) char *chunk = malloc(CHUNK_BYTES);
	size_t size = 0, taken;
	int r = 0;

	if (fd < 0)
		return -errno;
	if (!chunk)
		return -ENOMEM;
	while (r == 0) {
		ssize_t got = read(fd, chunk + size, CHUNK_BYTES - size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			r = -errno;
		if (got <= 0)
			break;
		size += (size_t)got;
		r = kernel_symbols_add(symbols, chunk, size, &taken);
		/* A line as long as the chunk is none. */
		if (taken == 0 && size == CHUNK_BYTES)
			taken = size;
		memmove(chunk, chunk + taken, size - taken);
		size -= taken;
	}
	kernel_symbols_sort(symbols);
	return r;
}

bool kernel_symbols_hidden(const struct kernel_symbols *symbols)
{
	return symbols->seen && !symbols->visible;
}

int kernel_symbols_find(const struct kernel_symbols *symbols, uint64_t address,
			const char **ret_name, const char **ret_module)
{
	const struct kernel_symbol *at = symbols->symbols.at;
	uint32_t low = 0, high = symbols->symbols.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (at[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || address - at[low - 1].address >= MAX_FUNCTION_BYTES)
		return -ENOENT;
	*ret_name = symbols->text.at + at[low - 1].name;
	*ret_module = symbols->text.at + symbols->modules.at[at[low - 1].module];
	return 0;
}
