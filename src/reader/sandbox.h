/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the reader gives up before it looks at anybody's file: every capability, nearly every system
 * call, and the right to much memory.
 */
#pragma once

/* For good. Returns 0 or a negative errno: then do not go on. */
int sandbox_enter(void);
