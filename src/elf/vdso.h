/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The vdso of this very process as a sealed memfd; the kernel maps the same into every one.
 * Returns a descriptor or a negative errno (-ENOENT: there is none).
 */
int vdso_open(void);
