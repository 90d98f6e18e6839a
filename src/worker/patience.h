/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long files may keep profd from its samples, all together: what questions cost is charged to
 * whoever could have made them so expensive, and who has nothing left is not asked about any more.
 *
 * Waiting is charged to the device of the file, for it is a file system that makes others wait; CPU
 * time to the owner on that device, who wrote what is parsed. Both are also taken from a total, but
 * not what root has on a disk of ours: others could use it up, and who can write there needs no
 * tricks. Waiting for such disks is not charged either: a cold one is slow without anybody's will.
 *
 * Everything fills up again as time goes by, so that what a few slow files have used is forgotten.
 * All times: nanoseconds of CLOCK_MONOTONIC, handed in.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"

/* Whom to charge. */
struct payer {
	uint64_t device; /* as in struct object_identity */
	uint32_t owner;	 /* user id; PAYER_ANYBODY: not known before it is opened */
	bool local;	 /* on a disk of ours */
	bool unknown; /* what is asked about leads to who knows which device: /proc, search paths */
	uint64_t most_waiting_ns; /* for one answer; 0: as usual */
};

#define PAYER_ANYBODY UINT32_MAX

struct allowance {
	uint64_t left_ns, filled_ns;
};

struct account {
	uint64_t device;
	uint32_t owner;
	struct allowance waiting, cpu;
};

struct patience {
	ARRAY_OF(struct account) accounts;
	struct allowance total;
	unsigned tightness; /* one part in so many of the usual limits; 0: all of them */
};

/* What one question may take. */
struct question_limits {
	uint64_t waiting_ns, cpu_ns;
};

void patience_fini(struct patience *patience);
/*
 * Returns 0, or the worker_outcome that says why the question must not be asked. What is asked of
 * the unknown is never refused, only given up sooner: there is no telling whose fault it was.
 */
int patience_allows(struct patience *patience, struct question_limits *ret,
		    const struct payer *payer, uint64_t now);
void patience_charge(struct patience *patience, const struct payer *payer, uint64_t waited_ns,
		     uint64_t cpu_ns, uint64_t now);
