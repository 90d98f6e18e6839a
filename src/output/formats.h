/* SPDX-License-Identifier: Apache-2.0 */
/* The formats there are; only the registry and the tests of one format need this. */
#pragma once

#include "output/writer.h"

extern const struct writer writer_flamegraph;
extern const struct writer writer_folded;
extern const struct writer writer_pprof;
extern const struct writer writer_text;
