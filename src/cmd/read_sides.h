/* SPDX-License-Identifier: Apache-2.0 */
/* The profiles of two sides, as `diff` and `check` are asked to compare them. */
#pragma once

#include "base/array.h"
#include "cmd/options.h"
#include "diff/diff.h"

struct side {
	ARRAY_OF(const char *) paths;	     /* borrowed from the command line */
	ARRAY_OF(struct profile *) profiles; /* by path, once read */
};

enum { SIDE_MAX_FILES = 64 };

void side_fini(struct side *side);
static inline void side_fini_cleanup(struct side *side)
{
	side_fini(side);
}
/* Whether it is one of the side's files, also by another name. */
bool side_holds(const struct side *side, const char *path);
/* For apply functions, which return what this does. */
int side_add(struct side *side, const char *path, struct options_reason *reason);
/*
 * Reads all profiles of a side; type as read_profile has it. Returns 0 or a
 * negative errno, logged.
 */
int side_read(struct side *side, const char *type);

/*
 * Words that follow `--base A` up to the next option are more of the same: "--base A B C" becomes
 * "--base A --base B --base C". names: the options it is done for, NULL-terminated.
 * argv: of the command, argv[0] its name; its texts stay where they are. *ret is NULL-terminated, the
 * caller's to free. Returns the number of words or -ENOMEM.
 */
int sides_spread(char ***ret, int argc, char **argv, const char *const *names);

/*
 * Compares what was read. Returns 0, with *ret the caller's, or a negative errno, logged.
 */
int sides_compare(struct diff **ret, const struct side *base, const struct side *new, bool has_type,
		  enum diff_per per);
