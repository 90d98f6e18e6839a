/* SPDX-License-Identifier: Apache-2.0 */
/* How misbehave.c answers. question.what beyond the reader's own questions; the payload is echoed. */
#pragma once

enum misbehaviour {
	HONEST = 1000, /* the payload, and what the process was told to be behind it */
	HONEST_FILES,  /* the same with two descriptors */
	BEHIND,	       /* the same behind the head, not in the memory */
	SLOW,	       /* the same after a while of work and waiting */
	CRASH,
	EXIT,
	CLOSE, /* the socket, and lives on */
	WRONG_SEQUENCE,
	SIZE_TOO_LARGE, /* it says more than it wrote */
	SIZE_TOO_SMALL,
	SIZE_ENORMOUS,
	BEHIND_TOO_FEW, /* it says more than is behind the head */
	BEHIND_TOO_MANY, /* more than may be there */
	FILE_ENORMOUS, /* a terabyte of holes */
	STILL_MAPPED,  /* for writing */
	SEALED_BEFORE, /* so that nobody can seal it any more */
	NO_ERRNO,      /* a result of INT_MIN */
	SHORT_MESSAGE,
	LONG_MESSAGE,
	EMPTY_MESSAGE,
	EMPTY_MESSAGE_WITH_FILES,
	UNANNOUNCED_FILES,
	MISSING_FILES,
	TOO_MANY_FILES,
	SLEEP, /* for ever */
	STOP,  /* by SIGSTOP */
	SPIN,  /* for ever */
	DRIP,  /* works a little again and again, and never answers */
	FLOOD, /* answers this question, and those to come without having read them */
};
