// SPDX-License-Identifier: Apache-2.0
#include "source/alloc.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc.skel.h"
#include "source/bpf_features.h"
#include "source/libbpf_log.h"
#include "source/probe_cost.h"
#include "source/uprobe_link.h"

struct alloc_source {
	struct alloc_bpf *bpf;
	uint32_t possible_cpus;
	ARRAY_OF(int) links;
};

void alloc_probes_fini(struct alloc_probes *probes)
{
	for (uint32_t i = 0; i < probes->of.count; i++) {
		struct alloc_probe *probe = &probes->of.at[i];

		if (probe->file >= 0)
			(void)close(probe->file);
		array_fini(&probe->offsets);
		array_fini(&probe->cookies);
	}
	array_fini(&probes->of);
}

static int fail(struct source_failure *failure, int r, const char *what)
{
	snprintf(failure->what, sizeof(failure->what), "%s", what);
	return r;
}

static int load(struct alloc_source *source, const struct cpu_source *cpu,
		struct source_failure *failure)
{
	struct alloc_bpf *bpf = source->bpf;
	uint32_t *logarithms = (uint32_t *)bpf->rodata->logarithms;
	struct cpu_source_namespace own;
	int r;

	for (unsigned i = 0; i < WIRE_ALLOC_LOGARITHMS; i++)
		logarithms[i] = (uint32_t)lround(65536 * log2(1 + i / 256.0));
	r = cpu_source_share(cpu, bpf->obj, (struct wire_config *)&bpf->rodata->config, &own);
	if (r == 0)
		r = bpf_map__set_max_entries(bpf->maps.claims, source->possible_cpus);
	if (r == 0)
		r = bpf_program__set_expected_attach_type(
			bpf->progs.alloc_call, (enum bpf_attach_type)UPROBE_LINK_MULTI);
	if (r < 0)
		return fail(failure, r, "cannot set up the BPF program for allocations");
	bpf->bss->own_pid_namespace = own.address;
	bpf->bss->own_pid_level = own.level;
	r = alloc_bpf__load(bpf);
	if (r == -EPERM)
		return fail(failure, r, "the kernel does not allow to load BPF programs");
	if (r < 0 && !bpf_has_uprobe_multi())
		return fail(failure, -EOPNOTSUPP,
			    "'-e alloc' needs a kernel with uprobe_multi links, which Linux 6.6 is the first "
			    "to have");
	if (r < 0)
		return fail(failure, r == -EACCES ? -EINVAL : r,
			    "the kernel did not accept the BPF program for allocations (-v shows "
			    "its reasons)");
	return 0;
}

int alloc_source_open(struct alloc_source **ret, const struct cpu_source *cpu,
		      struct source_failure *failure)
{
	cleanup(alloc_source_close) struct alloc_source *source = calloc(1, sizeof(*source));
	int r;

	if (!source)
		return fail(failure, -ENOMEM, "out of memory");
	libbpf_log();
	r = libbpf_num_possible_cpus();
	if (r < 0)
		return fail(failure, r, "cannot count the CPUs");
	source->possible_cpus = (uint32_t)r;
	source->bpf = alloc_bpf__open();
	if (!source->bpf)
		return fail(failure, -errno, "cannot open the BPF program for allocations");
	r = load(source, cpu, failure);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(source);
	return 0;
}

void alloc_source_close(struct alloc_source *source)
{
	if (!source)
		return;
	alloc_source_detach(source);
	array_fini(&source->links);
	alloc_bpf__destroy(source->bpf);
	free(source);
}

int alloc_source_measure(struct alloc_source *source, double *ret_ns)
{
	return probe_cost_measure(bpf_program__fd(source->bpf->progs.alloc_call),
				  UPROBE_LINK_MULTI, ret_ns);
}

int alloc_source_attach(struct alloc_source *source, const struct alloc_probes *probes)
{
	int program = bpf_program__fd(source->bpf->progs.alloc_call), error = 0;

	for (uint32_t i = 0; i < probes->of.count; i++) {
		const struct alloc_probe *probe = &probes->of.at[i];
		int *slot, fd;

		if (!array_reserve(&source->links, (uint64_t)source->links.count + 1))
			return -ENOMEM;
		fd = uprobe_link_new(program, UPROBE_LINK_MULTI, probe->file, probe->pid,
				     probe->offsets.at, probe->cookies.at, probe->offsets.count);
		if (fd < 0) {
			error = fd;
			continue;
		}
		slot = array_push(&source->links);
		*slot = fd;
	}
	return source->links.count || error == -ESRCH ? (int)source->links.count : error;
}

void alloc_source_detach(struct alloc_source *source)
{
	for (uint32_t i = 0; i < source->links.count; i++)
		(void)close(source->links.at[i]);
	source->links.count = 0;
}

void alloc_source_window(struct alloc_source *source, uint64_t number, uint64_t interval_bytes)
{
	__atomic_store_n(&source->bpf->bss->window, 0, __ATOMIC_SEQ_CST);
	if (number) {
		__atomic_store_n(&source->bpf->data->interval, interval_bytes, __ATOMIC_SEQ_CST);
		__atomic_store_n(&source->bpf->bss->window, number, __ATOMIC_SEQ_CST);
	}
}

void alloc_source_figures(const struct alloc_source *source, struct alloc_figures *ret)
{
	cleanup(free) struct wire_alloc_state *states =
		calloc(source->possible_cpus, sizeof(*states));
	uint32_t zero = 0;

	*ret = (struct alloc_figures){};
	if (!states ||
	    bpf_map_lookup_elem(bpf_map__fd(source->bpf->maps.alloc_states), &zero, states) < 0)
		return;
	for (uint32_t i = 0; i < source->possible_cpus; i++) {
		ret->hits += states[i].hits;
		ret->calls += states[i].calls;
		ret->bytes += states[i].bytes;
		ret->samples += states[i].samples;
		ret->sample_ns += states[i].sample_ns;
		ret->dropped += states[i].dropped;
	}
}
