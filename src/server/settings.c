// SPDX-License-Identifier: Apache-2.0
#include "server/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"

static int set_text(char **ret, const char *value)
{
	if (*ret)
		return -EBADMSG;
	*ret = strdup(value);
	return *ret ? 0 : -ENOMEM;
}

static int set_id(uint32_t *ret, const char *value)
{
	uint64_t id;
	int r = parse_u64(&id, value, UINT32_MAX);

	if (r == 0)
		*ret = (uint32_t)id;
	return r;
}

static int set(struct settings *settings, const char *name, const char *value)
{
	char **host;

	if (strcmp(name, "store") == 0)
		return set_text(&settings->store, value);
	if (strcmp(name, "token") == 0)
		return token_is_good(value) ? set_text(&settings->token, value) : -EBADMSG;
	if (strcmp(name, "uid") == 0)
		return set_id(&settings->uid, value);
	if (strcmp(name, "gid") == 0)
		return set_id(&settings->gid, value);
	if (strcmp(name, "host") != 0)
		return -EBADMSG;
	host = array_push(&settings->hosts);
	if (host)
		*host = strdup(value);
	return host && *host ? 0 : -ENOMEM;
}

int settings_parse(struct settings *ret, char *text)
{
	struct settings settings = { .uid = (uid_t)-1, .gid = (gid_t)-1 };
	char *rest = text, *line;
	int r = 0;

	while (r == 0 && (line = strsep(&rest, "\n"))) {
		const char *name = strsep(&line, " ");

		if (*name)
			r = line ? set(&settings, name, line) : -EBADMSG;
	}
	if (r < 0)
		settings_fini(&settings);
	else
		*ret = settings;
	return r;
}

void settings_fini(struct settings *settings)
{
	free(settings->store);
	if (settings->token)
		explicit_bzero(settings->token, strlen(settings->token));
	free(settings->token);
	for (uint32_t i = 0; i < settings->hosts.count; i++)
		free(settings->hosts.at[i]);
	array_fini(&settings->hosts);
	*settings = (struct settings){};
}

int settings_add(struct bytes *ret, const char *name, const char *value)
{
	if (!*value || strchr(value, '\n'))
		return -EINVAL;
	bytes_add_format(ret, "%s %s\n", name, value);
	return 0;
}

bool token_is_good(const char *text)
{
	size_t size = strlen(text);

	if (size < TOKEN_BYTES_MIN || size > TOKEN_BYTES_MAX)
		return false;
	for (; *text; text++)
		if (*text <= ' ' || *text >= 0x7f)
			return false;
	return true;
}
