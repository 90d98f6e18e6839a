/* SPDX-License-Identifier: Apache-2.0 */
/* What the scripts of the shells share; see completion.h. */
#pragma once

#include "base/bytes.h"
#include "cmd/command.h"

/* Each appends the table part of a script; the list is that of completion_make. */
void completion_bash(struct bytes *ret, const struct command *const *list, size_t count);
void completion_zsh(struct bytes *ret, const struct command *const *list, size_t count);
void completion_fish(struct bytes *ret, const struct command *const *list, size_t count);

/* Appends text within single quotes, as bash and zsh read it. */
void completion_quote(struct bytes *ret, const char *text);
