// SPDX-License-Identifier: Apache-2.0
#include "top/terminfo.h"

#include <stdio.h>
#include <unistd.h>

#include <curses.h>
#include <term.h>

int terminfo_find(const char *term)
{
	int status;

	/* That of the kind before is ours, as long as no screen has it. */
	if (cur_term)
		del_curterm(cur_term);
	if (setupterm(term, STDOUT_FILENO, &status) == OK)
		return 0;
	return status == -1 ? TERMINFO_NO_DATABASE : TERMINFO_UNKNOWN;
}

const char *terminfo_text(const char *name)
{
	const char *text = tigetstr(name);

	return text == (char *)-1 ? NULL : text;
}

void terminfo_send(const char *name)
{
	const char *text = terminfo_text(name);

	if (text)
		putp(text);
	fflush(stdout);
}
