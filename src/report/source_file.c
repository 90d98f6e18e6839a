// SPDX-License-Identifier: Apache-2.0
#include "report/source_file.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

enum { SOURCE_BYTES_MAX = 16 << 20, TAB_COLUMNS = 8 };

void source_file_fini(struct source_file *file)
{
	free(file->path);
	bytes_fini(&file->text);
	array_fini(&file->lines);
	*file = (struct source_file){};
}

/* The next of several texts with ":" between them; empty ones are left out. False: there is none. */
static bool next_part(const char **list, const char **ret, size_t *size)
{
	while (*list && **list) {
		*ret = *list;
		*size = strcspn(*list, ":");
		*list += *size + ((*list)[*size] == ':');
		if (*size)
			return true;
	}
	return false;
}

static int find_lines(struct source_file *file)
{
	const char *text = file->text.at;
	uint32_t size = (uint32_t)file->text.size;

	for (uint32_t at = 0; at < size;) {
		const char *end = memchr(text + at, '\n', size - at);
		uint32_t *begin = array_push(&file->lines);

		if (!begin)
			return -ENOMEM;
		*begin = at;
		at = end ? (uint32_t)(end - text) + 1 : size;
	}
	if (!array_push(&file->lines))
		return -ENOMEM;
	file->lines.at[file->lines.count - 1] = size;
	return 0;
}

/* Returns 0 (then file->path is set), -ENOENT (there is no such file) or -ENOMEM. */
static int read_at(struct source_file *file, const char *path)
{
	cleanup(close) int fd = fs_open_regular(path);
	struct stat st;
	int r;

	if (fd < 0 && (fd == -ENOENT || fd == -ENOTDIR || fd == -EINVAL || fd == -ENAMETOOLONG))
		return -ENOENT;
	file->path = strdup(path);
	if (!file->path)
		return -ENOMEM;
	file->why = fd < 0 ? "cannot be opened" : NULL;
	if (fd < 0)
		return 0;
	if (fstat(fd, &st) == 0)
		file->changed_ns = st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec;
	r = fs_read_fd(&file->text, fd, SOURCE_BYTES_MAX);
	if (r == -ENOMEM || file->text.failed)
		return -ENOMEM;
	file->why = r == -EFBIG ? "is too large" : r < 0 ? "cannot be read" : NULL;
	return file->why ? 0 : find_lines(file);
}

/* The folder and those above it. */
static int read_below(struct source_file *file, const char *folder, size_t size, const char *path)
{
	char name[PATH_MAX], real[PATH_MAX];

	if (size >= sizeof(name))
		return -ENOENT;
	memcpy(name, folder, size);
	name[size] = '\0';
	if (!realpath(name, real))
		return -ENOENT;
	for (;;) {
		char *slash = strrchr(real, '/');
		int written = snprintf(name, sizeof(name), "%s/%s", real[1] ? real : "", path);
		int r = written > 0 && (size_t)written < sizeof(name) ? read_at(file, name)
								      : -ENOENT;

		if (r != -ENOENT || !real[1])
			return r;
		slash[slash == real] = '\0';
	}
}

/* What follows "/NAME/" in the path, NAME being the folder's own; NULL: it is not there. */
static const char *behind_folder(const char *path, const char *folder, size_t size)
{
	const char *name;

	while (size > 1 && folder[size - 1] == '/')
		size--;
	name = memrchr(folder, '/', size);
	name = name ? name + 1 : folder;
	size -= (size_t)(name - folder);
	for (const char *at = path; size && (at = strchr(at, '/')); at++)
		if (strncmp(at + 1, name, size) == 0 && at[1 + size] == '/')
			return at + size + 2;
	return NULL;
}

static const char *cut_off(const char *path, const char *trim)
{
	const char *part;
	size_t size;

	while (next_part(&trim, &part, &size)) {
		while (size > 1 && part[size - 1] == '/')
			size--;
		if (strncmp(path, part, size) == 0 && path[size] == '/')
			return path + size + 1;
	}
	return path;
}

static int search(struct source_file *file, const char *recorded, const struct source_paths *paths)
{
	const char *path = cut_off(recorded, paths->trim), *folder, *behind;
	const char *list = paths->search && *paths->search ? paths->search : ".";
	size_t size;
	int r = -ENOENT;

	while (r == -ENOENT && next_part(&list, &folder, &size)) {
		behind = paths->search && path == recorded ? behind_folder(path, folder, size)
							   : NULL;
		if (behind)
			r = read_below(file, folder, size, behind);
		if (r == -ENOENT && *path != '/')
			r = read_below(file, folder, size, path);
	}
	return r == -ENOENT && *recorded == '/' ? read_at(file, recorded) : r;
}

int source_file_read(struct source_file *ret, const char *recorded,
		     const struct source_paths *paths)
{
	cleanup(source_file_fini) struct source_file file = { .why = "not known" };
	int r = *recorded ? search(&file, recorded, paths) : 0;

	if (r == -ENOENT) {
		file.why = "not found";
		r = 0;
	}
	if (r < 0)
		return r;
	*ret = file;
	file = (struct source_file){};
	return 0;
}

bool source_file_line(const struct source_file *file, uint32_t line, struct bytes *ret)
{
	const char *at, *end;
	size_t column = 0;

	if (!line || line >= file->lines.count)
		return false;
	at = file->text.at + file->lines.at[line - 1];
	end = file->text.at + file->lines.at[line];
	while (end > at && (end[-1] == '\n' || end[-1] == '\r'))
		end--;
	for (; at < end; at++) {
		/* Clean text ends at a NUL. */
		char c = *at ? *at : ' ';

		if (c != '\t') {
			bytes_add_char(ret, c);
			column += ((unsigned char)c & 0xc0) != 0x80;
			continue;
		}
		do
			bytes_add_char(ret, ' ');
		while (++column % TAB_COLUMNS);
	}
	return true;
}
