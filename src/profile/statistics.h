/* SPDX-License-Identifier: Apache-2.0 */
/* How sure a share is that was found by sampling. */
#pragma once

/* A share of a whole and the 95 % interval around it, all between 0 and 1. */
struct share {
	double share;
	double low, high;
	double half; /* share ± half covers the whole interval: "22.5 % ± 1.1" */
};

/*
 * The share part / whole, where the whole was seen in `samples` independent samples (not
 * necessarily a whole number: see call_tree.h). No samples, or a whole of 0: everything from 0 to 1
 * is possible.
 *
 * Wilson's score interval (E. B. Wilson, JASA 22, 1927, p. 209), which unlike p ± 2 sd stays right
 * for small counts and never claims certainty at 0 % or 100 %.
 */
struct share share_of(double part, double whole, double samples);
