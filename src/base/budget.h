/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that many share, none of whom is trusted. Nobody may have more than what is left for all
 * others: who takes all that he can get has a half, and n who do leave an (n+1)th part, so that who
 * comes later finds as much as any of them has.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct budget {
	uint64_t limit, used; /* bytes */
};

/* The limit is `most`, but no more than that part (8: an eighth) of this machine's memory. */
struct budget budget_of(uint64_t most, unsigned part);
/*
 * May who has `share` bytes of it have so many more? times: of what is then left, he may have at most
 * this part (1: as much as is left).
 */
bool budget_allows(const struct budget *budget, uint64_t share, uint64_t bytes, unsigned times);
