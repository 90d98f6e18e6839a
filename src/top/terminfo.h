/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a kind of terminal (terminfo(5)); apart, for its header takes common words. */
#pragma once

#include <stdbool.h>

/* How a search ended. */
enum {
	TERMINFO_UNKNOWN = 1,	  /* there is no such kind, or nothing can be drawn on it */
	TERMINFO_NO_DATABASE = 2, /* nothing is known of any */
};

/* Makes it the kind that terminfo_text tells of. Returns 0 or one of the above. */
int terminfo_find(const char *term);
/* What does this in the terminal, as "cup"; NULL: it cannot. Borrowed. */
const char *terminfo_text(const char *name);
/* Writes it to stdout at once. */
void terminfo_send(const char *name);
