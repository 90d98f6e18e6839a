/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon starts itself as, now and then: profd _tidy FOLDER MAX_BYTES MAX_AGE_NS. */
#pragma once

/*
 * Makes the history small (store/tidy.h), behind others. May be killed at any moment. Returns
 * the exit status: 0 also when another one is at it.
 */
int tidy_main(const char *folder, const char *max_bytes, const char *max_age_ns);
