/* SPDX-License-Identifier: Apache-2.0 */
/* Who may ask. Pure. */
#pragma once

#include <stdbool.h>

#include "server/settings.h"

/*
 * May "Host:" be this? A page from elsewhere whose name was pointed at this machine (DNS rebinding)
 * has that name in there. So the names of this machine are allowed, those of the settings, and numeric
 * addresses, which nobody can point elsewhere. host: NULL: it is missing, as no browser would do it.
 */
bool access_host_is_ours(const struct settings *settings, const char *host_name, const char *host);
/*
 * Does "Authorization:" have the token, as "Bearer TOKEN", or as the password of "Basic" with any user,
 * as browsers and Go's tool (http://any:TOKEN@host/) send it? Takes the same time wherever it differs.
 */
bool access_token_is_right(const char *token, const char *authorization);
/*
 * Would it be a page of some other site that asks, other than by a link that was followed?
 * site, mode: of "Sec-Fetch-Site:" and "Sec-Fetch-Mode:" (Fetch Metadata, W3C), NULL: missing.
 */
bool access_is_from_elsewhere(const char *site, const char *mode);
