/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a configuration file of ldconfig(8), such as /etc/ld.so.conf. */
#pragma once

struct library_conf_handler {
	/* An absolute path. */
	int (*folder)(void *context, const char *path);
	/* A pattern of an "include" line, as glob(3) takes it: of files to be read in its place. */
	int (*include)(void *context, const char *pattern);
};

/*
 * Calls the handler for what the lines say, in their order. text: NUL-terminated, is changed.
 * Returns 0, or the first negative result of the handler.
 */
int library_conf_parse(char *text, const struct library_conf_handler *handler, void *context);
