// SPDX-License-Identifier: Apache-2.0
#include "server/access.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

enum { NAME_BYTES = 256, AUTHORIZATION_BYTES = 2048 };

/* ---- Host ---- */

static bool is_address(const char *name)
{
	unsigned char address[16];

	return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

/* The name without brackets and port; false when it is not of that form. */
static bool name_of(char name[NAME_BYTES], const char *host)
{
	const bool is_bracketed = *host == '[';
	size_t size;

	host += is_bracketed;
	size = strcspn(host, is_bracketed ? "]" : ":");
	if (!size || size >= NAME_BYTES || (is_bracketed && host[size] != ']'))
		return false;
	memcpy(name, host, size);
	name[size] = '\0';
	host += size + is_bracketed;
	return !*host || (*host == ':' && !host[1 + strspn(host + 1, "0123456789")]);
}

bool access_host_is_ours(const struct settings *settings, const char *host_name, const char *host)
{
	char name[NAME_BYTES];
	size_t size;

	if (!host)
		return true;
	if (!name_of(name, host))
		return false;
	if (is_address(name))
		return true;
	size = strlen(name);
	if (size > 1 && name[size - 1] == '.') /* the root of all names */
		name[size - 1] = '\0';
	if (strcasecmp(name, "localhost") == 0 || (*host_name && strcasecmp(name, host_name) == 0))
		return true;
	for (uint32_t i = 0; i < settings->hosts.count; i++)
		if (strcasecmp(name, settings->hosts.at[i]) == 0)
			return true;
	return false;
}

/* ---- the token ---- */

static bool is_equal(const char *secret, const char *given, size_t size)
{
	size_t secret_size = strlen(secret);
	volatile unsigned char differs = size != secret_size;

	for (size_t i = 0; i < size; i++)
		differs |= (unsigned char)(secret[i % secret_size] ^ given[i]);
	return !differs;
}

static int digit_of(char c)
{
	return c >= 'A' && c <= 'Z'   ? c - 'A'
	       : c >= 'a' && c <= 'z' ? c - 'a' + 26
	       : c >= '0' && c <= '9' ? c - '0' + 52
	       : c == '+'	      ? 62
	       : c == '/'	      ? 63
				      : -1;
}

/* Base64 (RFC 4648, section 4). Returns how many bytes it is, or 0. */
static size_t decode(char *to, size_t capacity, const char *text)
{
	size_t size = 0;
	uint32_t bits = 0;
	unsigned count = 0;

	for (; *text && *text != '='; text++) {
		int digit = digit_of(*text);

		if (digit < 0 || size == capacity)
			return 0;
		bits = bits << 6 | (uint32_t)digit;
		count += 6;
		if (count >= 8) {
			count -= 8;
			to[size++] = (char)(bits >> count & 0xff);
		}
	}
	return text[strspn(text, "=")] ? 0 : size;
}

static const char *after_scheme(const char *authorization, const char *scheme)
{
	size_t size = strlen(scheme);

	if (strncasecmp(authorization, scheme, size) != 0 || authorization[size] != ' ')
		return NULL;
	authorization += size;
	return authorization + strspn(authorization, " ");
}

bool access_token_is_right(const char *token, const char *authorization)
{
	const char *given;
	bool is_right = false;

	if (!authorization || strlen(authorization) > AUTHORIZATION_BYTES)
		return false;
	given = after_scheme(authorization, "Bearer");
	if (given)
		return is_equal(token, given, strlen(given));
	given = after_scheme(authorization, "Basic");
	if (given) {
		char pair[AUTHORIZATION_BYTES];
		size_t size = decode(pair, sizeof(pair), given);
		const char *colon = size ? memchr(pair, ':', size) : NULL;

		if (colon)
			is_right = is_equal(token, colon + 1, size - (size_t)(colon + 1 - pair));
		explicit_bzero(pair, sizeof(pair));
	}
	return is_right;
}

/* ---- other sites ---- */

bool access_is_from_elsewhere(const char *site, const char *mode)
{
	if (!site || strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0)
		return false;
	return !mode || strcmp(mode, "navigate") != 0;
}
