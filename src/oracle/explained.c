// SPDX-License-Identifier: Apache-2.0
/* The disagreements that are known and cannot be helped, each matched as narrowly as it can be. */
#include "oracle/report.h"

#include <fnmatch.h>

#include "base/cleanup.h"

struct explanation {
	const char *why;
	const char *module, *symbol; /* globs */
	const char *text; /* glob of the instruction at which it stands; "": it is in a call */
	bool (*when)(const struct disagreement *d,
		     const struct culprit *culprit); /* NULL: always */
};

/* Who called the unwinder is gone already. */
static bool unwinder(const struct disagreement *d, const struct culprit *culprit)
{
	return culprit->unwinder && d->rejoins;
}

static bool rejoins(const struct disagreement *d, const struct culprit *culprit)
{
	(void)culprit;
	return d->rejoins;
}

/* Memory without a file. */
static bool generated(const struct disagreement *d, const struct culprit *culprit)
{
	return d->exact && !culprit->module[0];
}

static bool switching(const struct disagreement *d, const struct culprit *culprit)
{
	(void)culprit;
	return d->switching;
}

static bool changing(const struct disagreement *d, const struct culprit *culprit)
{
	(void)culprit;
	return d->changing;
}

static bool went_on(const struct disagreement *d, const struct culprit *culprit)
{
	(void)culprit;
	return d->kind == DISAGREE_WENT_ON;
}

/* The frame is not the leaf, so a signal has interrupted it. */
static bool below_signal(const struct disagreement *d, const struct culprit *culprit)
{
	(void)culprit;
	return d->kind == DISAGREE_STOPPED && d->outcome == WALK_NO_ROW && d->exact && d->equal > 1;
}

/* The same where a signal has interrupted it: what it jumps to is not there before the handler ends. */
static bool told_below_signal(const struct disagreement *d, const struct culprit *culprit)
{
	(void)culprit;
	return d->kind == DISAGREE_OTHER && d->outcome == WALK_COMPLETE && d->exact && d->equal > 1;
}

static const struct explanation explanations[] = {
	{ "aligning its stack, its frame is found by r10, which is not followed below a signal",
	  "*", "*", "@(and $-0x*, %rsp|push*(%r10))", below_signal },
	{ "the unwinder has put its target's registers where its own were: the target is told", "*",
	  "*", "*", unwinder },
	{ "the unwinder is about to jump to its target: that is told", "*", "_Unwind_*",
	  "@(pop|jmp) %rcx", rejoins },
	{ "glibc describes the target of longjmp from the moment it is known", "*", "__longjmp*",
	  "?*" },
	{ "musl's sigsetjmp has its return address in the jmp_buf while it calls setjmp", "*musl*",
	  "@(sigsetjmp|__sigsetjmp_tail)", "*" },
	{ "musl's longjmp has its target's stack pointer", "*musl*", "longjmp", "?*" },
	{ "glibc describes the target of setcontext from the moment it is known", "*",
	  "@(set|swap)context", "mov 0xA0(%rdx), %rsp" },
	{ "libffi's closures: generated code that only jumps", "", "", "?*", generated },
	{ "OpenSSL says 88 for -72 in x25519_fe64_mul and its like (x25519-x86_64.pl)",
	  "libcrypto.so*", "*", "*ret*" },
	{ "gogo is about to jump to code of the goroutine: that is told", "*", "@(|runtime.)gogo",
	  "?*", rejoins },
	{ "interrupted by a signal, gogo is about to jump to code of the goroutine: that is told",
	  "*", "@(|runtime.)gogo", "?*", told_below_signal },
	{ "Go's signal handler has changed rsp and not rip yet", "*", "*", "?*", changing },
	{ "a new thread of Go runs the same few instructions as the one that made it", "*",
	  "runtime.clone@(|.abi0)", "?*", went_on },
	{ "on the new stack already, but not yet in its code", "*", "@(set|swap)context", "?*",
	  switching },
};

static const char *find(const struct explanation *all, size_t count, const struct disagreement *d,
			const struct culprit *culprit)
{
	for (size_t i = 0; i < count; i++) {
		const struct explanation *e = &all[i];

		if (fnmatch(e->module, culprit->module, 0) == 0 &&
		    fnmatch(e->symbol, culprit->symbol, FNM_EXTMATCH) == 0 &&
		    fnmatch(e->text, culprit->text, FNM_EXTMATCH) == 0 &&
		    (!e->when || e->when(d, culprit)))
			return e->why;
	}
	return NULL;
}

static bool ended(const struct disagreement *d, const struct culprit *culprit)
{
	(void)culprit;
	return d->kind == DISAGREE_ENDED;
}

static bool ended_at_switch(const struct disagreement *d, const struct culprit *culprit)
{
	(void)culprit;
	return d->kind == DISAGREE_ENDED && d->at_switch;
}

static bool left_out_at_switch(const struct disagreement *d, const struct culprit *culprit)
{
	(void)culprit;
	return d->left_out && d->at_switch;
}

static const struct explanation limits[] = {
	{ "Go marks it as the outermost frame of a thread", "*", "runtime.mstart@(|.abi0)", "*",
	  ended },
	{ "the scheduler's work, whichever goroutine has called it", "*",
	  "runtime.@(mcall|morestack)@(|.abi0)", "*", ended_at_switch },
	{ "systemstack of Go 1.20 and before has no frame, so rbp is its caller's, which is left out",
	  "*", "runtime.systemstack@(|.abi0)", "*", left_out_at_switch },
};

const char *accept(const struct disagreement *d, const struct culprit *culprit)
{
	return find(limits, ARRAY_SIZE(limits), d, culprit);
}

const char *explain(const struct disagreement *d, const struct culprit *culprit)
{
	return find(explanations, ARRAY_SIZE(explanations), d, culprit);
}
