// SPDX-License-Identifier: Apache-2.0
/*
 * Why these limits. Samples wait while a file is read, up to 128 MiB of them: at 99 Hz on 64 CPUs, or
 * at 1000 Hz on 8 with pieces of stack, that is some 30 s; a whole device must take less. Honest
 * files take far less: the reader needs 0.2 s of CPU time for a large library (libLLVM), 1 s for a
 * program of 100 MB with all its names, 4 s for a browser, and from a server on the network they come
 * with 10 MB/s or more, of which a third is read. So there is room for many of them at once, and with
 * a tenth of the time, or an eighth of a CPU, for one every few seconds.
 *
 * No question may take more than half of what there is: who has used up nearly everything has not
 * used up the rest for those who need little. Below the smallest limits nothing honest is answered.
 */
#include "worker/patience.h"

#include "worker/worker.h"

#define SECOND_NS 1000000000ULL
#define WAITING_NS (15 * SECOND_NS) /* for a device at once, and later a part of the time */
#define CPU_NS (20 * SECOND_NS)	    /* for an owner on it */
#define TOTAL_NS (40 * SECOND_NS)   /* both, for all */
#define LEAST_WAITING_NS 100000000ULL
#define LEAST_CPU_NS 100000000ULL

enum {
	WAITING_PART = 10,
	CPU_PART = 8,
	TOTAL_PART = 4,
	/* Mounts and users are made in no time; for more of them only the total counts. */
	MAX_ACCOUNTS = 1024,
};

void patience_fini(struct patience *patience)
{
	array_fini(&patience->accounts);
}

/* One that was never touched is full. */
static void fill(const struct patience *patience, struct allowance *allowance, uint64_t most_ns,
		 unsigned part, uint64_t now)
{
	unsigned tightness = patience->tightness ? patience->tightness : 1;
	uint64_t passed = now - allowance->filled_ns, gained = passed / part / tightness;

	most_ns /= tightness;
	if (!allowance->filled_ns || gained >= most_ns - allowance->left_ns)
		allowance->left_ns = most_ns;
	else
		allowance->left_ns += gained;
	allowance->filled_ns = now;
}

static void take(struct allowance *allowance, uint64_t ns)
{
	allowance->left_ns -= ns < allowance->left_ns ? ns : allowance->left_ns;
}

/* Whose account it is, filled up; NULL: it has none. */
static struct account *account_of(struct patience *patience, uint64_t device, uint32_t owner,
				  uint64_t now)
{
	struct account *account = NULL;

	for (uint32_t i = 0; i < patience->accounts.count && !account; i++)
		if (patience->accounts.at[i].device == device &&
		    patience->accounts.at[i].owner == owner)
			account = &patience->accounts.at[i];
	if (!account && patience->accounts.count < MAX_ACCOUNTS) {
		account = array_push(&patience->accounts);
		if (account)
			*account = (struct account){ .device = device, .owner = owner };
	}
	if (account) {
		fill(patience, &account->waiting, WAITING_NS, WAITING_PART, now);
		fill(patience, &account->cpu, CPU_NS, CPU_PART, now);
	}
	return account;
}

static struct account *waiting_account(struct patience *patience, const struct payer *payer,
				       uint64_t now)
{
	if (payer->local)
		return NULL;
	return account_of(patience, payer->unknown ? UINT64_MAX : payer->device, PAYER_ANYBODY,
			  now);
}

static struct account *cpu_account(struct patience *patience, const struct payer *payer,
				   uint64_t now)
{
	return account_of(patience, payer->unknown ? UINT64_MAX : payer->device, payer->owner, now);
}

static bool is_above_suspicion(const struct payer *payer)
{
	return payer->local && payer->owner == 0 && !payer->unknown;
}

static uint64_t share(uint64_t limit_ns, uint64_t left_ns, uint64_t least_ns)
{
	uint64_t half = left_ns / 2 > least_ns ? left_ns / 2 : least_ns;

	return half < limit_ns ? half : limit_ns;
}

int patience_allows(struct patience *patience, struct question_limits *ret,
		    const struct payer *payer, uint64_t now)
{
	struct account *account = waiting_account(patience, payer, now);
	int r = 0;

	*ret = (struct question_limits){ UINT64_MAX, UINT64_MAX };
	if (account) {
		ret->waiting_ns = share(UINT64_MAX, account->waiting.left_ns, LEAST_WAITING_NS);
		if (account->waiting.left_ns < LEAST_WAITING_NS)
			r = WORKER_SLOW_DEVICE;
	}
	account = cpu_account(patience, payer, now);
	if (account) {
		ret->cpu_ns = share(UINT64_MAX, account->cpu.left_ns, LEAST_CPU_NS);
		if (account->cpu.left_ns < LEAST_CPU_NS && r == 0)
			r = WORKER_COSTLY_OWNER;
	}
	if (!is_above_suspicion(payer)) {
		fill(patience, &patience->total, TOTAL_NS, TOTAL_PART, now);
		ret->waiting_ns = share(ret->waiting_ns, patience->total.left_ns, LEAST_WAITING_NS);
		ret->cpu_ns = share(ret->cpu_ns, patience->total.left_ns, LEAST_CPU_NS);
		if (patience->total.left_ns < LEAST_CPU_NS && r == 0)
			r = WORKER_ALL_SPENT;
	}
	if (payer->most_waiting_ns && payer->most_waiting_ns < ret->waiting_ns)
		ret->waiting_ns = payer->most_waiting_ns;
	return payer->unknown ? 0 : r;
}

void patience_charge(struct patience *patience, const struct payer *payer, uint64_t waited_ns,
		     uint64_t cpu_ns, uint64_t now)
{
	struct account *account = waiting_account(patience, payer, now);

	if (account)
		take(&account->waiting, waited_ns);
	account = cpu_account(patience, payer, now);
	if (account)
		take(&account->cpu, cpu_ns);
	if (!is_above_suspicion(payer)) {
		fill(patience, &patience->total, TOTAL_NS, TOTAL_PART, now);
		take(&patience->total, payer->local ? cpu_ns : waited_ns + cpu_ns);
	}
}
