/* SPDX-License-Identifier: Apache-2.0 */
/* What Go programs with net/http/pprof answer below /debug/pprof/, as far as profd knows it. */
#pragma once

#include <stdint.h>

struct exchange;

void pprof_answer_index(struct exchange *exchange);
void pprof_answer_profile(struct exchange *exchange);
void pprof_answer_heap(struct exchange *exchange);
void pprof_answer_allocs(struct exchange *exchange);
void pprof_answer_cmdline(struct exchange *exchange);
void pprof_answer_symbol(struct exchange *exchange);
/* What a Go program would have, and no other. */
void pprof_answer_unknown(struct exchange *exchange);
/* /debug/pprof without its slash. */
void pprof_answer_elsewhere(struct exchange *exchange);

/* What link_record has brought: a file of `size` bytes, consumed. */
void pprof_answer_recorded(struct exchange *exchange, int fd, uint64_t size);
/* A target was sampled for /profile: CLOCK_REALTIME. */
void pprof_answer_captured(struct exchange *exchange, int64_t from_ns, int64_t until_ns);
