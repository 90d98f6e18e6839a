/* SPDX-License-Identifier: Apache-2.0 */
/* Of functions that each were followed alone, and may overlap, rows for all of the code. */
#pragma once

#include "elf/cfi_table.h"
#include "elf/function_flow.h"

/*
 * Appends the rows that the pieces say together, and sorts the pieces: where some overlap, the
 * surest ones are right, and nobody knows where those disagree. Returns 0 or as cfi_table_add.
 */
int flow_rows(struct cfi_table *table, struct flow_piece *pieces, uint32_t count);
