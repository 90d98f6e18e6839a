/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of other objects that never return, as an object's imports name them. */
#pragma once

#include "base/hash.h"
#include "elf/object.h"
#include "elf/sections.h"

/* ELF addresses of pointers that the loader sets to functions which never return (abort, exit). */
struct no_return_pointers {
	struct hash_index index; /* of hash_u64(address) */
	uint32_t count;
};

int no_return_pointers_read(struct no_return_pointers *ret, const struct object *object,
			    const struct section_table *sections);
void no_return_pointers_fini(struct no_return_pointers *pointers);
static inline void no_return_pointers_fini_cleanup(struct no_return_pointers *pointers)
{
	no_return_pointers_fini(pointers);
}
bool no_return_pointers_have(const struct no_return_pointers *pointers, uint64_t address);
