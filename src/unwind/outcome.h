/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "bpf/outcomes.h"

/* Why a walk ended, in the words of the closing line: "no unwind row". */
const char *walk_outcome_text(enum walk_outcome outcome);
