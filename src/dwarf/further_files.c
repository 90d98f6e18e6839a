// SPDX-License-Identifier: Apache-2.0
/* GNU: ".gnu_debugaltlink" as dwz writes it; DWARF 5 section 7.3.2, "Split DWARF Object Files". */
#include "dwarf/dwarf_parts.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "elf/debug_file.h"
#include "elf/sections.h"

enum { MAX_SPLIT_FILES = 512 /* that are open */ };

static void want(struct dwarf *dwarf, const char *path)
{
	if (strlen(path) >= PATH_MAX)
		return; /* nothing can be there */
	bytes_add_str(&dwarf->wanted, path);
	bytes_add(&dwarf->wanted, "", 1);
	dwarf->wanted_count++;
}

/*
 * .gnu_debugaltlink: the path of the supplementary file, its NUL, and its build ID. A relative path
 * counts from the file that it stands in: the object, or a debug file in the usual place.
 */
int dwarf_read_supplement_link(struct dwarf *dwarf)
{
	enum { MAX_LINK_BYTES = 4096 };
	cleanup(section_table_fini) struct section_table sections = {};
	char text[MAX_LINK_BYTES + 1];
	const Elf64_Shdr *section;
	size_t length;

	if (section_table_read(&sections, dwarf->fd) == -ENOMEM)
		return -ENOMEM;
	section = section_table_find(&sections, SHT_PROGBITS, ".gnu_debugaltlink");
	if (!section || section->sh_size > MAX_LINK_BYTES ||
	    fs_read_at(dwarf->fd, text, section->sh_size, (off_t)section->sh_offset) < 0)
		return 0;
	length = strnlen(text, section->sh_size);
	if (length == section->sh_size || section->sh_size - length - 1 < 2 ||
	    section->sh_size - length - 1 > sizeof(dwarf->supplement_id))
		return 0;
	dwarf->supplement_id_size = (uint32_t)(section->sh_size - length - 1);
	memcpy(dwarf->supplement_id, text + length + 1, dwarf->supplement_id_size);
	dwarf->supplement_path = strdup(text);
	return dwarf->supplement_path ? 0 : -ENOMEM;
}

static void want_supplement(struct dwarf *dwarf)
{
	cleanup(bytes_fini) struct bytes path = {};
	const char *rest = dwarf->supplement_path;

	bytes_add_str(&path, "/usr/lib/debug/.build-id/");
	for (uint32_t i = 0; i < dwarf->supplement_id_size; i++)
		bytes_add_format(&path, i == 1 ? "/%02x" : "%02x", dwarf->supplement_id[i]);
	bytes_add_str(&path, ".debug");
	if (bytes_str(&path))
		want(dwarf, path.at);
	want(dwarf, rest);
	if (*rest == '/')
		return;
	while (strncmp(rest, "../", 3) == 0)
		rest += 3;
	path.size = 0;
	bytes_add_str(&path, "/usr/lib/debug/");
	bytes_add_str(&path, rest);
	if (bytes_str(&path))
		want(dwarf, path.at);
}

/* The path of a unit's .dwo file. */
static void want_split(struct dwarf *dwarf, const struct dwarf_unit *unit)
{
	cleanup(bytes_fini) struct bytes path = {}, name = {};
	struct entry_value value;
	struct entry root;

	if (dwarf_file_entry(&dwarf->main, unit, unit->offset + unit->header_size, &root) < 0)
		return;
	value = entry_get(&root, ENTRY_DWO_NAME);
	(void)dwarf_file_text(&dwarf->main, unit, &value, &name);
	if (!bytes_str(&name) || !name.at[0])
		return;
	if (name.at[0] != '/') {
		value = entry_get(&root, ENTRY_COMP_DIR);
		(void)dwarf_file_text(&dwarf->main, unit, &value, &path);
		/* Without that folder it lies in the object's. */
		if (path.size)
			bytes_add_char(&path, '/');
	}
	bytes_add_str(&path, name.at);
	if (bytes_str(&path))
		want(dwarf, path.at);
}

bool dwarf_needs_files(struct dwarf *dwarf, uint32_t number)
{
	struct read_unit *unit = &dwarf->units[number];

	if (dwarf->wants_no_more)
		return false;
	if (dwarf->supplement_path) {
		want_supplement(dwarf);
		free(dwarf->supplement_path);
		dwarf->supplement_path = NULL;
	}
	if (dwarf->main.units.at[number].is_skeleton && !unit->split && !unit->is_asked_for) {
		if (dwarf->wanted_count == DWARF_WANTED_MAX)
			return true; /* its turn comes */
		unit->is_asked_for = true;
		want_split(dwarf, &dwarf->main.units.at[number]);
	}
	/* Until those are offered that were asked for, there may be more to know. */
	return dwarf->wanted_count > 0;
}

unsigned dwarf_wanted(struct dwarf *dwarf, struct bytes *ret)
{
	unsigned count = dwarf->wanted_count;

	bytes_add(ret, dwarf->wanted.at, dwarf->wanted.size);
	dwarf->wanted.size = 0;
	dwarf->wanted_count = 0;
	return count;
}

void dwarf_want_no_more(struct dwarf *dwarf)
{
	dwarf->wants_no_more = true;
	dwarf->wanted.size = 0;
	dwarf->wanted_count = 0;
}

/* Of the main file's skeletons, those whose unit is in a .dwo file take it. Returns whether any does. */
static bool attach_split(struct dwarf *dwarf, struct split_file *split)
{
	for (uint32_t i = 0; i < dwarf->main.units.count; i++) {
		const struct dwarf_unit *unit = &dwarf->main.units.at[i];

		if (!unit->is_skeleton || dwarf->units[i].split)
			continue;
		for (uint32_t k = 0; k < split->file.units.count; k++) {
			if (split->file.units.at[k].dwo_id != unit->dwo_id)
				continue;
			split->unit = &split->file.units.at[k];
			split->file.skeleton_file = &dwarf->main;
			split->file.skeleton = *unit;
			/* What was read without it is read again. */
			dwarf_forget_unit(&dwarf->units[i]);
			dwarf->units[i].split = split;
			return true;
		}
	}
	return false;
}

void split_file_free(struct split_file *split)
{
	if (!split)
		return;
	dwarf_file_fini(&split->file);
	close(split->fd);
	free(split);
}

static bool is_supplement(const struct dwarf *dwarf, int fd)
{
	return dwarf->supplement_id_size && dwarf->supplement_fd < 0 &&
	       debug_file_has_build_id(fd, dwarf->supplement_id, dwarf->supplement_id_size) == 0;
}

int dwarf_offer(struct dwarf *dwarf, int fd_)
{
	cleanup(close) int fd = fd_;
	struct split_file *split;
	int r;

	if (is_supplement(dwarf, fd)) {
		r = dwarf_file_open(&dwarf->supplement, fd);
		if (r == 0) {
			dwarf->supplement_fd = TAKE_FD(fd);
			dwarf->main.supplement = &dwarf->supplement;
		}
		return r == -ENOMEM ? r : 0;
	}
	split = dwarf->split_count < MAX_SPLIT_FILES ? calloc(1, sizeof(*split)) : NULL;
	if (!split)
		return 0;
	split->fd = TAKE_FD(fd);
	r = dwarf_file_open(&split->file, split->fd);
	if (r == 0 && split->file.is_split && attach_split(dwarf, split)) {
		dwarf->split_count++;
		return 0;
	}
	split_file_free(split);
	return r == -ENOMEM ? r : 0;
}
