// SPDX-License-Identifier: Apache-2.0
#include "cmd/read_sides.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cmd/read_profile.h"

void side_fini(struct side *side)
{
	for (uint32_t i = 0; i < side->profiles.count; i++)
		profile_free(side->profiles.at[i]);
	array_fini(&side->profiles);
	array_fini(&side->paths);
}

static bool is_same_file(const char *a, const char *b)
{
	struct stat of_a, of_b;

	if (strcmp(a, b) == 0)
		return true;
	return strcmp(a, "-") != 0 && strcmp(b, "-") != 0 && stat(a, &of_a) == 0 &&
	       stat(b, &of_b) == 0 && S_ISREG(of_a.st_mode) && of_a.st_dev == of_b.st_dev &&
	       of_a.st_ino == of_b.st_ino;
}

bool side_holds(const struct side *side, const char *path)
{
	for (uint32_t i = 0; i < side->paths.count; i++)
		if (is_same_file(side->paths.at[i], path))
			return true;
	return false;
}

int side_add(struct side *side, const char *path, struct options_reason *reason)
{
	const char **added;

	if (!*path)
		return options_bad(reason, "needs the name of a file");
	if (side_holds(side, path))
		return options_bad(reason, "named twice: a run counts once");
	if (side->paths.count >= SIDE_MAX_FILES)
		return options_bad(reason, "are too many files: there can be %d a side",
				   SIDE_MAX_FILES);
	added = array_push(&side->paths);
	if (!added)
		return -ENOMEM;
	*added = path;
	return 0;
}

int side_read(struct side *side, const char *type)
{
	for (uint32_t i = 0; i < side->paths.count; i++) {
		struct profile **added = array_push(&side->profiles);
		int r = added ? read_profile(added, side->paths.at[i], type) : -ENOMEM;

		if (!added)
			log_error("cannot read %s: %s", side->paths.at[i], strerror(ENOMEM));
		if (r < 0)
			return r;
	}
	return 0;
}

/* Which of the names the word is an option of: "--base" or "--base=A". NULL: none. */
static const char *name_of(const char *word, const char *const *names, bool *ret_has_value)
{
	for (const char *const *name = names; *name; name++) {
		size_t size = strlen(*name);

		if (strncmp(word, *name, size) != 0 || (word[size] && word[size] != '='))
			continue;
		*ret_has_value = word[size] == '=';
		return *name;
	}
	return NULL;
}

int sides_spread(char ***ret, int argc, char **argv, const char *const *names)
{
	char **spread = calloc(2 * (size_t)argc + 1, sizeof(*spread));
	const char *name = NULL; /* whose words follow */
	bool has_value = true;	 /* the word at hand is not the option's own argument */
	int count = 0;

	if (!spread)
		return -ENOMEM;
	for (int i = 0; i < argc; i++) {
		char *word = argv[i];

		if (i && strcmp(word, "--") == 0) {
			while (i < argc)
				spread[count++] = argv[i++];
			break;
		}
		if (i && word[0] == '-' && word[1] && (!name || has_value)) {
			has_value = true;
			name = name_of(word, names, &has_value);
		} else if (name && has_value) {
			spread[count++] = (char *)name;
		} else {
			has_value = true;
		}
		spread[count++] = word;
	}
	*ret = spread;
	return count;
}

static void fill(struct diff_input *inputs, const struct side *side)
{
	for (uint32_t i = 0; i < side->paths.count; i++)
		inputs[i] = (struct diff_input){ side->profiles.at[i], side->paths.at[i],
						 side->profiles.at[i]->meta.main_type };
}

int sides_compare(struct diff **ret, const struct side *base, const struct side *new, bool has_type,
		  enum diff_per per)
{
	uint32_t base_count = base->paths.count, new_count = new->paths.count;
	cleanup(free) struct diff_input *inputs =
		calloc((size_t)base_count + new_count, sizeof(*inputs));
	struct diff_reason reason;
	int r = inputs ? 0 : -ENOMEM;

	if (r == 0) {
		fill(inputs, base);
		fill(inputs + base_count, new);
		r = diff_choose_types(inputs, base_count + new_count, has_type, &reason);
	}
	if (r == 0)
		r = diff_new(ret, inputs, base_count, inputs + base_count, new_count, per, &reason);
	if (r == DIFF_REFUSED) {
		log_error("%s", reason.text);
		return -EINVAL;
	}
	if (r < 0)
		log_error("cannot compare: %s", strerror(-r));
	return r;
}
