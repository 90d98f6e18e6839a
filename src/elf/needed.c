// SPDX-License-Identifier: Apache-2.0
/*
 * ELF gABI, "Dynamic Section" and "Program Interpreter"; for scripts execve(2), "Interpreter
 * scripts", and load_script of the kernel's fs/binfmt_script.c.
 *
 * The string table of a large library is megabytes long and a few names of it are wanted: each is
 * read by itself, never past the segment and the size that the table says it has.
 */
#include "elf/needed.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"

enum {
	MAX_PROGRAM_HEADERS_BYTES = 65536,
	MAX_DYNAMIC_ENTRIES = 4096, /* linkers write some forty */
	MAX_NAME_BYTES = 4096,	    /* PATH_MAX */
	MAX_NAMES_BYTES = 65536,    /* all names together; then no more are read */
	MAX_LIST_BYTES = 32768,	    /* package managers write a folder for each dependency */
};

/*
 * Adds the text that begins at the file's `offset` and ends with a NUL within `limit` bytes. One
 * that does not is absent.
 */
static int add_text(struct needed *needed, uint32_t *ret, int fd, uint64_t offset, uint64_t limit)
{
	size_t begin = needed->texts.size;
	char chunk[256];

	while (limit) {
		size_t size = limit < sizeof(chunk) ? limit : sizeof(chunk);
		int r = fs_read_at(fd, chunk, size, (off_t)offset);
		const char *end;

		if (r < 0 && r != -ENODATA)
			return r;
		if (r < 0)
			break;
		end = memchr(chunk, '\0', size);
		bytes_add(&needed->texts, chunk, end ? (size_t)(end + 1 - chunk) : size);
		if (needed->texts.failed)
			return -ENOMEM;
		if (end) {
			*ret = needed->texts.size - begin > 1 ? (uint32_t)begin : 0;
			return 0;
		}
		offset += size;
		limit -= size;
	}
	needed->texts.size = begin;
	return 0;
}

/* ---- the dynamic segment ---- */

struct string_table {
	uint64_t address, size; /* DT_STRTAB: an ELF address; DT_STRSZ */
};

static int add_string(struct needed *needed, uint32_t *ret, const struct object *object,
		      const struct string_table *strings, uint64_t at, uint64_t limit)
{
	/* What index 0 says is "", whatever stands there (ELF gABI, "String Table"). */
	if (at == 0)
		return 0;
	for (uint32_t i = 0; i < object->segments.count; i++) {
		const struct object_segment *segment = &object->segments.at[i];
		uint64_t skipped = strings->address - segment->address, left;

		if (strings->address < segment->address || skipped >= segment->file_size)
			continue;
		left = segment->file_size - skipped;
		if (left > strings->size)
			left = strings->size;
		if (at >= left)
			return 0;
		left -= at;
		return add_text(needed, ret, object->fd, segment->file_offset + skipped + at,
				left < limit ? left : limit);
	}
	return 0;
}

/* Without DT_NULL the segment's end is the end. */
static size_t count_entries(const Elf64_Dyn *entries, size_t count)
{
	size_t end = 0;

	while (end < count && entries[end].d_tag != DT_NULL)
		end++;
	return end;
}

/* The value of the last entry with this tag, which is the one that ld.so heeds; else 0. */
static uint64_t find_entry(const Elf64_Dyn *entries, size_t count, int64_t tag)
{
	while (count-- > 0)
		if (entries[count].d_tag == tag)
			return entries[count].d_un.d_val;
	return 0;
}

static int add_names(struct needed *needed, const struct object *object,
		     const struct string_table *strings, const Elf64_Dyn *entries, size_t count)
{
	unsigned names = 0;

	for (size_t i = 0; i < count; i++) {
		uint32_t name = 0, *slot;
		int r;

		if (entries[i].d_tag != DT_NEEDED)
			continue;
		if (names++ == NEEDED_MAX_NAMES || needed->texts.size > MAX_NAMES_BYTES)
			break;
		r = add_string(needed, &name, object, strings, entries[i].d_un.d_val,
			       MAX_NAME_BYTES);
		if (r < 0)
			return r;
		if (name == 0)
			continue;
		slot = array_push(&needed->names);
		if (!slot)
			return -ENOMEM;
		*slot = name;
	}
	return 0;
}

static int read_dynamic(struct needed *needed, const struct object *object,
			const Elf64_Phdr *header)
{
	size_t count = header->p_filesz / sizeof(Elf64_Dyn) < MAX_DYNAMIC_ENTRIES
			       ? header->p_filesz / sizeof(Elf64_Dyn)
			       : MAX_DYNAMIC_ENTRIES;
	const struct {
		int64_t tag;
		uint32_t *ret;
		uint64_t limit;
	} texts[] = { { DT_SONAME, &needed->soname, MAX_NAME_BYTES },
		      { DT_RPATH, &needed->rpath, MAX_LIST_BYTES },
		      { DT_RUNPATH, &needed->runpath, MAX_LIST_BYTES } };
	cleanup(free) Elf64_Dyn *entries = NULL;
	struct string_table strings;
	int r;

	if (count == 0 || header->p_offset > object->identity.size)
		return 0;
	entries = malloc(count * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	r = fs_read_at(object->fd, entries, count * sizeof(*entries), (off_t)header->p_offset);
	if (r < 0)
		return r == -ENODATA ? 0 : r;
	count = count_entries(entries, count);
	strings = (struct string_table){ find_entry(entries, count, DT_STRTAB),
					 find_entry(entries, count, DT_STRSZ) };
	r = add_names(needed, object, &strings, entries, count);
	for (unsigned i = 0; i < ARRAY_SIZE(texts) && r == 0; i++)
		r = add_string(needed, texts[i].ret, object, &strings,
			       find_entry(entries, count, texts[i].tag), texts[i].limit);
	return r;
}

/* ---- the program headers ---- */

static int read_headers(Elf64_Phdr **ret, unsigned *ret_count, const struct object *object)
{
	cleanup(free) Elf64_Phdr *headers = NULL;
	Elf64_Ehdr header;
	size_t size;
	int r = fs_read_at(object->fd, &header, sizeof(header), 0);

	if (r < 0)
		return r;
	size = header.e_phnum * sizeof(*headers);
	/* Checked when the object was opened; but the file may have been written since. */
	if (header.e_phentsize != sizeof(*headers) || size == 0 ||
	    size > MAX_PROGRAM_HEADERS_BYTES || header.e_phoff > object->identity.size)
		return -ENODATA;
	headers = malloc(size);
	if (!headers)
		return -ENOMEM;
	r = fs_read_at(object->fd, headers, size, (off_t)header.e_phoff);
	if (r < 0)
		return r;
	*ret_count = header.e_phnum;
	*ret = TAKE_PTR(headers);
	return 0;
}

int needed_read(struct needed *ret, const struct object *object)
{
	cleanup(needed_fini) struct needed needed = {};
	cleanup(free) Elf64_Phdr *headers = NULL;
	bool dynamic = false;
	unsigned count = 0;
	int r = read_headers(&headers, &count, object);

	if (r < 0 && r != -ENODATA)
		return r;
	bytes_add_char(&needed.texts, '\0');
	r = needed.texts.failed ? -ENOMEM : 0;
	for (unsigned i = 0; i < count && r == 0; i++) {
		const Elf64_Phdr *header = &headers[i];

		if (header->p_type == PT_DYNAMIC && !dynamic) {
			dynamic = true;
			r = read_dynamic(&needed, object, header);
		} else if (header->p_type == PT_INTERP && !needed.interpreter &&
			   header->p_offset <= object->identity.size) {
			r = add_text(&needed, &needed.interpreter, object->fd, header->p_offset,
				     header->p_filesz < MAX_NAME_BYTES ? header->p_filesz
								       : MAX_NAME_BYTES);
		}
	}
	if (r < 0)
		return r;
	*ret = needed;
	needed = (struct needed){};
	return 0;
}

void needed_fini(struct needed *needed)
{
	bytes_fini(&needed->texts);
	array_fini(&needed->names);
}

const char *needed_text(const struct needed *needed, uint32_t text)
{
	return text < needed->texts.size ? needed->texts.at + text : "";
}

/* ---- scripts ---- */

int script_parse(struct script *ret, const char *text, size_t size)
{
	static const char blanks[] = " \t";
	char line[SCRIPT_LINE_BYTES + 1];
	char *at, *end;

	size = size < SCRIPT_LINE_BYTES ? size : SCRIPT_LINE_BYTES;
	memcpy(line, text, size);
	line[size] = '\0';
	if (strncmp(line, "#!", 2) != 0)
		return SCRIPT_NONE;
	end = strchr(line, '\n');
	if (end)
		*end = '\0';
	at = line + 2 + strspn(line + 2, blanks);
	end = at + strcspn(at, blanks);
	/* A path that the kernel sees only half of is not run. */
	if (end == at || end == line + SCRIPT_LINE_BYTES)
		return SCRIPT_NONE;
	memcpy(ret->interpreter, at, (size_t)(end - at));
	ret->interpreter[end - at] = '\0';
	at = end + strspn(end, blanks);
	end = at + strlen(at);
	while (end > at && strchr(blanks, end[-1]))
		end--;
	memcpy(ret->argument, at, (size_t)(end - at));
	ret->argument[end - at] = '\0';
	return 0;
}
