// SPDX-License-Identifier: Apache-2.0
/* Every step is one pass over the name, for names of a megabyte exist. Marks looked for are ASCII. */
#include "output/short_name.h"

#include <string.h>

#include "base/cleanup.h"
#include "output/escape.h"

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* The length of "operator()", "operator<<" ... at `at`, whose brackets are not brackets; or 0. */
static size_t operator_size(const char *name, const char *at)
{
	/* What begins alike comes longest first: "operator+<int>" is no "+<". */
	static const char *const signs[] = {
		"()", "[]", "<=>", "<<=", ">>=", "->*", "<<", ">>", "<=", ">=", "->", "==", "!=",
		"&&", "||", "++", "--", "+=", "-=",  "*=",  "/=", "%=", "^=", "&=", "|=",
	};
	size_t size = strlen("operator");

	if (!starts_with(at, "operator") || (at > name && is_word(at[-1])))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(signs); i++)
		if (starts_with(at + size, signs[i]))
			return size + strlen(signs[i]);
	return size + (at[size] && strchr("<>=-+*/%^&|~!,", at[size]));
}

/* A pair of brackets that says who a function belongs to, not what it takes. */
static bool is_owner(const char *at)
{
	return starts_with(at, "(anonymous namespace)") || starts_with(at, "(*");
}

/* Drops parenthesised parts that stand outside of templates' arguments. */
static bool without_parameters(struct bytes *out, const char *name)
{
	unsigned round = 0, angle = 0, owner = 0;

	for (const char *at = name; *at; at++) {
		size_t operator_ = operator_size(name, at);

		if (operator_) {
			if (!round)
				bytes_add(out, at, operator_);
			at += operator_ - 1;
			continue;
		}
		if (*at == '<' && !round)
			angle++;
		if (*at == '>' && !round && angle && at > name && at[-1] != '-')
			angle--;
		if (*at == '(' && !angle && !round && is_owner(at))
			owner++;
		else if (*at == '(' && !angle)
			round++;
		if (!round)
			bytes_add_char(out, *at);
		if (*at == ')' && !angle) {
			if (round)
				round--;
			else if (owner)
				owner--;
		}
	}
	return !round && out->size;
}

/* "<...>" becomes "<>", but for one that begins a part: "<T as Trait>::f", "<module>". */
static bool without_arguments(struct bytes *out, const char *name)
{
	const char *last_operator = NULL; /* where it ends */
	unsigned angle = 0;

	for (const char *at = name; *at; at++) {
		size_t operator_ = operator_size(name, at);

		if (operator_) {
			if (!angle)
				bytes_add(out, at, operator_);
			at += operator_ - 1;
			last_operator = at + 1;
			continue;
		}
		if (*at == '<' && (angle || (at > name && is_word(at[-1])) || at == last_operator ||
				   (last_operator && at == last_operator + 1 && at[-1] == ' '))) {
			if (!angle++)
				bytes_add_str(out, "<>");
			continue;
		}
		if (*at == '>' && angle && at[-1] != '-') {
			angle--;
			continue;
		}
		if (!angle)
			bytes_add_char(out, *at);
	}
	return !angle && out->size;
}

/* What compilers add to the name of a part of a function, or of a copy of it. */
static bool is_clone(const char *after_dot)
{
	static const char *const marks[] = { "constprop", "isra", "part", "cold", "llvm", "lto_priv",
					     "clone" };

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (starts_with(after_dot, marks[i]))
			return true;
	return *after_dot >= '0' && *after_dot <= '9';
}

/*
 * Whether a part of the name ends at `at`; *ret is where the next one begins. last_scope: the last
 * "::", NULL without one.
 */
static bool is_cut(const char *name, const char *at, const char *last_scope, const char **ret)
{
	if (at == name || !at[1])
		return false;
	*ret = at + 1;
	switch (*at) {
	case ':':
		return at[-1] == ':';
	case '+': /* "module+0x1234" */
		*ret = at;
		return starts_with(at, "+0x");
	case ' ': /* the type in "void ns::f", but nothing of " const" or of a thread's name */
		return at < last_scope && *name != '[' && !starts_with(at, " as ");
	case '/':
		return *name != '[';
	case '.':
		return *name != '[' && at[1] != '.' && !is_clone(at + 1);
	default:
		return false;
	}
}

/* Whether it is "+0x18740", of which the last digits tell most. */
static bool is_offset(const char *text)
{
	return starts_with(text, "+0x") && !text[3 + strspn(text + 3, "0123456789abcdef")];
}

static size_t add_end(struct bytes *bytes, const char *name, size_t columns)
{
	const char *last_scope = NULL, *last = name, *next;
	size_t left = text_columns(name);

	for (const char *at = name; *at; at++)
		if (at[0] == ':' && at[1] == ':')
			last_scope = at;
	for (const char *at = name; *at; at++) {
		if (!is_cut(name, at, last_scope, &next))
			continue;
		for (const char *passed = last; passed < next;)
			left -= text_char_columns(text_next(&passed));
		last = next;
		if (left + 1 > columns)
			continue;
		bytes_add_str(bytes, "…");
		bytes_add_str(bytes, last);
		return left + 1;
	}
	if (columns > 1 && strlen(last) > columns && is_offset(last)) {
		bytes_add_str(bytes, "…");
		bytes_add_str(bytes, last + strlen(last) - (columns - 1));
		return columns;
	}
	return text_add_clipped(bytes, last, columns);
}

size_t short_name_add(struct bytes *bytes, const char *name, size_t columns)
{
	cleanup(bytes_fini) struct bytes plain = {}, bare = {};
	size_t used = text_columns(name);

	if (used <= columns) {
		bytes_add_str(bytes, name);
		return used;
	}
	if (without_parameters(&plain, name) && bytes_str(&plain)) {
		name = plain.at;
		used = text_columns(name);
	}
	if (used > columns && without_arguments(&bare, name) && bytes_str(&bare)) {
		name = bare.at;
		used = text_columns(name);
	}
	bytes->failed |= plain.failed | bare.failed;
	if (used > columns)
		return add_end(bytes, name, columns);
	bytes_add_str(bytes, name);
	return used;
}

/* "…end" is the end of a name. */
static bool is_shown_as(const char *name, const char *shown)
{
	static const char ellipsis[] = "…";
	size_t size = strlen(name), mark = sizeof(ellipsis) - 1, end;

	if (!starts_with(shown, ellipsis) || !shown[mark])
		return strcmp(name, shown) == 0;
	end = strlen(shown + mark);
	return end < size && strcmp(name + size - end, shown + mark) == 0;
}

bool short_name_is(const char *name, const char *shown)
{
	cleanup(bytes_fini) struct bytes plain = {}, bare = {};

	if (is_shown_as(name, shown))
		return true;
	if (without_parameters(&plain, name) && bytes_str(&plain)) {
		name = plain.at;
		if (is_shown_as(name, shown))
			return true;
	}
	return without_arguments(&bare, name) && bytes_str(&bare) && is_shown_as(bare.at, shown);
}
