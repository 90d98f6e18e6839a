// SPDX-License-Identifier: Apache-2.0
#include "source/heap_probes.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "heap.skel.h"
#include "source/libbpf_log.h"
#include "source/probe_cost.h"
#include "source/probe_return.h"
#include "source/uprobe_link.h"

enum { BATCH = 4096 };

struct heap_probes {
	struct heap_bpf *bpf;
	uint32_t possible_cpus;
	struct wire_heap_process *followed; /* shared with the programs */
	size_t followed_bytes;
	struct heap_links {
		ARRAY_OF(int) of;
	} links[WIRE_HEAP_PROCESSES];
	struct wire_heap_counts *counts; /* of a slot, by CPU */
	/* A part of the objects. */
	struct wire_heap_place places[BATCH];
	struct wire_heap_object objects[BATCH];
};

void heap_process_places_fini(struct heap_process_places *places)
{
	for (uint32_t i = 0; i < places->of.count; i++) {
		struct heap_places *at = &places->of.at[i];

		if (at->file >= 0)
			(void)close(at->file);
		array_fini(&at->calls);
		array_fini(&at->call_cookies);
		array_fini(&at->frees);
		array_fini(&at->free_cookies);
	}
	array_fini(&places->of);
}

static int fail(struct source_failure *failure, int r, const char *what)
{
	snprintf(failure->what, sizeof(failure->what), "%s", what);
	return r;
}

static int prepare(struct heap_probes *probes, const struct cpu_source *cpu, uint64_t interval)
{
	struct heap_bpf *bpf = probes->bpf;
	uint32_t *logarithms = (uint32_t *)bpf->rodata->logarithms;
	struct cpu_source_namespace own;
	int r;

	for (unsigned i = 0; i < WIRE_ALLOC_LOGARITHMS; i++)
		logarithms[i] = (uint32_t)lround(65536 * log2(1 + i / 256.0));
	*(uint64_t *)&bpf->rodata->interval = interval;
	r = cpu_source_share(cpu, bpf->obj, (struct wire_config *)&bpf->rodata->config, &own);
	if (r == 0)
		r = bpf_map__set_max_entries(bpf->maps.claims, probes->possible_cpus);
	if (r == 0)
		r = bpf_program__set_expected_attach_type(
			bpf->progs.heap_call, (enum bpf_attach_type)UPROBE_LINK_SESSION);
	if (r == 0)
		r = bpf_program__set_expected_attach_type(
			bpf->progs.heap_check, (enum bpf_attach_type)UPROBE_LINK_SESSION);
	if (r == 0)
		r = bpf_program__set_expected_attach_type(bpf->progs.heap_free,
							  (enum bpf_attach_type)UPROBE_LINK_MULTI);
	bpf->bss->own_pid_namespace = own.address;
	bpf->bss->own_pid_level = own.level;
	return r;
}

int heap_probes_open(struct heap_probes **ret, const struct cpu_source *cpu,
		     uint64_t interval_bytes, struct source_failure *failure)
{
	cleanup(heap_probes_close) struct heap_probes *probes = calloc(1, sizeof(*probes));
	void *shared;
	int r;

	if (!probes)
		return fail(failure, -ENOMEM, "out of memory");
	libbpf_log();
	r = libbpf_num_possible_cpus();
	if (r < 0)
		return fail(failure, r, "cannot count the CPUs");
	probes->possible_cpus = (uint32_t)r;
	probes->counts = calloc(probes->possible_cpus, sizeof(*probes->counts));
	if (!probes->counts)
		return fail(failure, -ENOMEM, "out of memory");
	probes->bpf = heap_bpf__open();
	if (!probes->bpf)
		return fail(failure, -errno, "cannot open the BPF programs for the heap");
	r = prepare(probes, cpu, interval_bytes);
	if (r < 0)
		return fail(failure, r, "cannot set up the BPF programs for the heap");
	r = heap_bpf__load(probes->bpf);
	if (r == -EPERM)
		return fail(failure, r, "the kernel does not allow to load BPF programs");
	/* What it does not know it does not name: the kernel functions, or the kind of program. */
	if (r < 0)
		return fail(failure, -EOPNOTSUPP,
			    "the kernel did not accept the BPF programs for the heap of a running "
			    "process, which need Linux 6.13 (-v shows its reasons)");
	probes->followed_bytes = WIRE_HEAP_PROCESSES * sizeof(*probes->followed);
	shared = mmap(NULL, probes->followed_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		      bpf_map__fd(probes->bpf->maps.followed), 0);
	if (shared == MAP_FAILED)
		return fail(failure, -errno, "cannot share memory with the BPF programs");
	probes->followed = shared;
	*ret = TAKE_PTR(probes);
	return 0;
}

void heap_probes_close(struct heap_probes *probes)
{
	if (!probes)
		return;
	for (uint32_t slot = 0; slot < WIRE_HEAP_PROCESSES; slot++) {
		struct heap_links *links = &probes->links[slot];

		for (uint32_t i = 0; i < links->of.count; i++)
			(void)close(links->of.at[i]);
		array_fini(&links->of);
	}
	if (probes->followed)
		(void)munmap(probes->followed, probes->followed_bytes);
	heap_bpf__destroy(probes->bpf);
	free(probes->counts);
	free(probes);
}

int heap_probes_measure(const struct heap_probes *probes, double *ret_ns, bool *ret_harms_filtered)
{
	int r = probe_cost_measure(bpf_program__fd(probes->bpf->progs.heap_call),
				   UPROBE_LINK_SESSION, ret_ns);

	if (r == 0)
		r = probe_return_check(bpf_program__fd(probes->bpf->progs.heap_check));
	*ret_harms_filtered = r == PROBE_RETURN_KILLS;
	return r < 0 ? r : 0;
}

static int add_link(struct heap_links *links, int link)
{
	int *slot;

	if (link < 0)
		return link;
	slot = array_push(&links->of);
	if (!slot) {
		(void)close(link);
		return -ENOMEM;
	}
	*slot = link;
	return 0;
}

int heap_probes_attach(struct heap_probes *probes, uint32_t slot, pid_t pid, uint64_t nonce,
		       const struct heap_process_places *places)
{
	int call = bpf_program__fd(probes->bpf->progs.heap_call);
	int release = bpf_program__fd(probes->bpf->progs.heap_free);
	struct heap_links *links = &probes->links[slot];
	int r = 0;

	probes->followed[slot] = (struct wire_heap_process){ .nonce = nonce };
	/* Nothing that is sampled may be freed unseen. */
	for (uint32_t i = 0; r == 0 && i < places->of.count; i++) {
		const struct heap_places *at = &places->of.at[i];

		if (at->frees.count)
			r = add_link(links, uprobe_link_new(release, UPROBE_LINK_MULTI, at->file,
							    pid, at->frees.at, at->free_cookies.at,
							    at->frees.count));
	}
	for (uint32_t i = 0; r == 0 && i < places->of.count; i++) {
		const struct heap_places *at = &places->of.at[i];

		if (at->calls.count)
			r = add_link(links, uprobe_link_new(call, UPROBE_LINK_SESSION, at->file,
							    pid, at->calls.at, at->call_cookies.at,
							    at->calls.count));
	}
	if (r < 0)
		heap_probes_detach(probes, slot);
	return r;
}

void heap_probes_switch(struct heap_probes *probes, uint32_t slot, bool on)
{
	__atomic_store_n(&probes->followed[slot].open, on, __ATOMIC_SEQ_CST);
}

/* A part at a time, each from the beginning: what is deleted is not met again. */
static void forget_objects(struct heap_probes *probes, uint32_t slot)
{
	int map = bpf_map__fd(probes->bpf->maps.objects);
	uint32_t token = 0, deleted, count;
	bool first = true;
	int r = 0;

	/* A batch that hits the end says -ENOENT. */
	while (r == 0) {
		count = BATCH;
		r = bpf_map_lookup_batch(map, first ? NULL : &token, &token, probes->places,
					 probes->objects, &count, NULL);
		if (r < 0 && r != -ENOENT)
			return;
		first = false;
		deleted = 0;
		for (uint32_t i = 0; i < count; i++)
			if (probes->places[i].slot == slot)
				probes->places[deleted++] = probes->places[i];
		for (uint32_t i = 0; i < deleted; i++)
			(void)bpf_map_delete_elem(map, &probes->places[i]);
	}
}

void heap_probes_detach(struct heap_probes *probes, uint32_t slot)
{
	struct heap_links *links = &probes->links[slot];

	heap_probes_switch(probes, slot, false);
	for (uint32_t i = 0; i < links->of.count; i++)
		(void)close(links->of.at[i]);
	array_fini(&links->of);
	forget_objects(probes, slot);
}

void heap_probes_figures(const struct heap_probes *probes, struct heap_figures *ret)
{
	int map = bpf_map__fd(probes->bpf->maps.heap_counts);

	for (uint32_t slot = 0; slot < WIRE_HEAP_PROCESSES; slot++) {
		ret[slot] = (struct heap_figures){};
		if (!probes->followed[slot].nonce ||
		    bpf_map_lookup_elem(map, &slot, probes->counts) < 0)
			continue;
		for (uint32_t i = 0; i < probes->possible_cpus; i++) {
			const struct wire_heap_counts *of = &probes->counts[i];

			ret[slot].hits += of->hits;
			ret[slot].samples += of->samples;
			ret[slot].sample_ns += of->sample_ns;
			ret[slot].lost += of->lost;
			ret[slot].untracked += of->untracked;
		}
	}
}

bool heap_probes_replaced(const struct heap_probes *probes, uint32_t slot)
{
	return __atomic_load_n(&probes->followed[slot].replaced, __ATOMIC_RELAXED);
}

int heap_probes_live(struct heap_probes *probes,
		     int (*handle)(void *context, uint32_t slot, uint64_t id), void *context)
{
	int map = bpf_map__fd(probes->bpf->maps.objects), r = 0;
	uint32_t token = 0, count;
	bool first = true;

	while (r == 0) {
		count = BATCH;
		r = bpf_map_lookup_batch(map, first ? NULL : &token, &token, probes->places,
					 probes->objects, &count, NULL);
		if (r < 0 && r != -ENOENT)
			return r;
		first = false;
		for (uint32_t i = 0; i < count; i++) {
			int given = handle(context, probes->places[i].slot, probes->objects[i].id);

			if (given < 0)
				return given;
		}
	}
	return 0;
}
