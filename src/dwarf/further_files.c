// SPDX-License-Identifier: Apache-2.0
/* GNU: ".gnu_debugaltlink" as dwz writes it; DWARF 5 sections 7.3.2 to 7.3.5, split DWARF. */
#include "dwarf/dwarf_parts.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "elf/debug_file.h"
#include "elf/debug_paths.h"
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

static bool is_packed(const struct dwarf *dwarf, const struct dwarf_unit *skeleton)
{
	return dwarf->package && dwarf_package_has(dwarf->package, skeleton->dwo_id);
}

bool dwarf_needs_files(struct dwarf *dwarf, uint32_t number)
{
	const struct dwarf_unit *skeleton = &dwarf->main.units.at[number];
	struct read_unit *unit = &dwarf->units[number];

	if (dwarf->wants_no_more)
		return false;
	if (dwarf->supplement_path) {
		want_supplement(dwarf);
		free(dwarf->supplement_path);
		dwarf->supplement_path = NULL;
	}
	/* Who has a package has no need for anything else. */
	if (skeleton->is_skeleton && !dwarf->asked_for_package) {
		if (dwarf->wanted_count)
			return true; /* its turn comes */
		dwarf->asked_for_package = dwarf->wants_package = true;
		want(dwarf, DEBUG_PACKAGE_SUFFIX);
	} else if (skeleton->is_skeleton && !dwarf->wants_package && !unit->split &&
		   !unit->is_asked_for && !is_packed(dwarf, skeleton)) {
		if (dwarf->wanted_count == DWARF_WANTED_MAX)
			return true;
		unit->is_asked_for = true;
		want_split(dwarf, skeleton);
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
	dwarf->wants_package = false;
	return count;
}

void dwarf_want_no_more(struct dwarf *dwarf)
{
	dwarf->wants_no_more = true;
	dwarf->wanted.size = 0;
	dwarf->wanted_count = 0;
}

/* Takes a package that has any of the units; any other one stays the caller's. */
static void take_package(struct dwarf *dwarf, struct dwarf_package **package)
{
	bool ours = false;

	for (uint32_t i = 0; i < dwarf->main.units.count && !ours && !dwarf->package; i++)
		ours = dwarf->main.units.at[i].is_skeleton &&
		       dwarf_package_has(*package, dwarf->main.units.at[i].dwo_id);
	if (!ours)
		return;
	dwarf->package = TAKE_PTR(*package);
	/* What was read without it is read again. */
	for (uint32_t i = 0; i < dwarf->main.units.count; i++)
		if (dwarf->main.units.at[i].is_skeleton && !dwarf->units[i].split)
			dwarf_forget_unit(&dwarf->units[i]);
}

static void set_skeleton(struct dwarf *dwarf, struct split_file *split,
			 const struct dwarf_unit *skeleton, const struct dwarf_unit *unit)
{
	split->unit = unit;
	split->file.skeleton_file = &dwarf->main;
	split->file.skeleton = *skeleton;
}

int dwarf_unpack_unit(struct dwarf *dwarf, struct read_unit *unit,
		      const struct dwarf_unit *skeleton)
{
	cleanup(split_file_free) struct split_file *split = NULL;
	int r;

	if (!skeleton->is_skeleton || unit->split || !is_packed(dwarf, skeleton))
		return 0;
	split = calloc(1, sizeof(*split));
	if (!split)
		return -ENOMEM;
	split->fd = -1;
	r = dwarf_package_open_unit(dwarf->package, &split->file, skeleton->dwo_id);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	set_skeleton(dwarf, split, skeleton, &split->file.units.at[0]);
	unit->split = TAKE_PTR(split);
	return 0;
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
			set_skeleton(dwarf, split, unit, &split->file.units.at[k]);
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
	if (split->fd >= 0)
		close(split->fd);
	free(split);
}

static bool is_supplement(const struct dwarf *dwarf, int fd)
{
	return dwarf->supplement_id_size && dwarf->supplement_fd < 0 &&
	       debug_file_has_build_id(fd, dwarf->supplement_id, dwarf->supplement_id_size) == 0;
}

/* fd: consumed. Returns 0 or -ENOMEM. */
static int take_supplement(struct dwarf *dwarf, int fd_)
{
	cleanup(close) int fd = fd_;
	int r = dwarf_file_open(&dwarf->supplement, fd);

	if (r == 0) {
		dwarf->supplement_fd = TAKE_FD(fd);
		dwarf->main.supplement = &dwarf->supplement;
	}
	return r == -ENOMEM ? r : 0;
}

/* fd: consumed. Returns 0 or -ENOMEM. */
static int take_split(struct dwarf *dwarf, int fd)
{
	cleanup(close) int owned = fd;
	cleanup(split_file_free) struct split_file *split = NULL;
	int r;

	if (dwarf->split_count >= MAX_SPLIT_FILES)
		return 0;
	split = calloc(1, sizeof(*split));
	if (!split)
		return -ENOMEM;
	split->fd = TAKE_FD(owned);
	r = dwarf_file_open(&split->file, split->fd);
	if (r == 0 && split->file.is_split && attach_split(dwarf, split)) {
		dwarf->split_count++;
		(void)TAKE_PTR(split);
	}
	return r == -ENOMEM ? r : 0;
}

int dwarf_offer(struct dwarf *dwarf, int fd_)
{
	cleanup(dwarf_package_free) struct dwarf_package *package = NULL;
	cleanup(close) int fd = fd_;
	int r;

	if (is_supplement(dwarf, fd))
		return take_supplement(dwarf, TAKE_FD(fd));
	r = dwarf_package_open(&package, fd);
	if (r == -ENOENT)
		return take_split(dwarf, TAKE_FD(fd));
	if (r == 0)
		take_package(dwarf, &package);
	return r == -ENOMEM ? r : 0;
}
