/* SPDX-License-Identifier: Apache-2.0 */
/* The formats there are; only the registry and the tests of one format need this. */
#pragma once

#include "output/writer.h"

extern const struct writer writer_flamegraph;
extern const struct writer writer_folded;
/* As writer_folded does it for a GiB: names are cut when the text would become larger. */
int folded_write_within(const struct profile *profile, struct stream *stream, uint64_t bytes);
extern const struct writer writer_html;
extern const struct writer writer_pprof;
extern const struct writer writer_speedscope;
extern const struct writer writer_firefox;
extern const struct writer writer_cpuprofile;
extern const struct writer writer_text;
