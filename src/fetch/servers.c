// SPDX-License-Identifier: Apache-2.0
#include "fetch/servers.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

enum { FILE_BYTES_MAX = 65536, SERVERS_BYTES_MAX = 16384 };

static const char blanks[] = " \t\r\n";

/* How long the address at the beginning of the text is; 0: it is none that curl would ask. */
static size_t address_size(const char *text)
{
	static const char *const schemes[] = { "http://", "https://", "file://" };
	size_t size = strcspn(text, blanks);

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		size_t scheme = strlen(schemes[i]);

		if (size > scheme && strncmp(text, schemes[i], scheme) == 0)
			return size;
	}
	return 0;
}

/* "ima:enforcing" and the like say how the servers behind it are to be believed (elfutils 0.191). */
static bool is_policy(const char *text)
{
	return strncmp(text, "ima:", 4) == 0;
}

/* Returns whether there was an address. */
static bool add_addresses(struct bytes *ret, const char *text)
{
	bool any = false;

	for (text += strspn(text, blanks); *text; text += strspn(text, blanks)) {
		size_t size = strcspn(text, blanks);
		bool is_address = address_size(text) > 0;

		if ((is_address || is_policy(text)) && ret->size + size < SERVERS_BYTES_MAX) {
			if (ret->size)
				bytes_add_char(ret, ' ');
			bytes_add(ret, text, size);
			any |= is_address;
		}
		text += size;
	}
	return any;
}

static int is_list(const struct dirent *entry)
{
	return fnmatch("*.urls", entry->d_name, FNM_PERIOD) == 0;
}

static bool add_files(struct bytes *ret, const char *folder)
{
	struct dirent **entries = NULL;
	int count = scandir(folder, &entries, is_list, alphasort);
	bool any = false;

	for (int i = 0; i < count; i++) {
		cleanup(bytes_fini) struct bytes path = {}, text = {};

		bytes_add_format(&path, "%s/%s", folder, entries[i]->d_name);
		free(entries[i]);
		if (bytes_str(&path) && fs_read(&text, AT_FDCWD, path.at, FILE_BYTES_MAX) == 0 &&
		    bytes_str(&text))
			any |= add_addresses(ret, text.at);
	}
	free(entries);
	return any;
}

enum servers_origin servers_find(struct bytes *ret, const char *given, const char *environment,
				 const char *folder)
{
	if (given)
		return add_addresses(ret, given) ? SERVERS_GIVEN : SERVERS_NONE;
	/* Set but empty is how a user says that there is to be none. */
	if (environment)
		return add_addresses(ret, environment) ? SERVERS_ENVIRONMENT : SERVERS_NONE;
	return add_files(ret, folder) ? SERVERS_FILES : SERVERS_NONE;
}

bool servers_are_good(const char *text)
{
	bool any = false;

	for (text += strspn(text, blanks); *text; text += strspn(text, blanks)) {
		bool is_address = address_size(text) > 0;

		if (!is_address && !is_policy(text))
			return false;
		any |= is_address;
		text += strcspn(text, blanks);
	}
	return any;
}
