/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many files profd may have open: one for each that was sampled, since names are found late.
 * The usual soft limit, 1024, is for programs that use select(2); the hard one is for the others.
 */
#pragma once

/* To the hard limit; what cannot be raised stays. */
void file_limit_raise(void);
/* For a child before its exec: as it was. Safe between fork and exec. */
void file_limit_restore(void);
