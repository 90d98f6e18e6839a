// SPDX-License-Identifier: Apache-2.0
#include "source/threads.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "source/bpf_features.h"
#include "source/libbpf_log.h"
#include "threads.skel.h"

struct thread_source {
	struct threads_bpf *bpf;
	struct bpf_link *link;
};

static int fail(struct source_failure *failure, int r, const char *what)
{
	snprintf(failure->what, sizeof(failure->what), "%s", what);
	return r;
}

/* A kernel that cannot choose for itself looks at all threads there are. */
static int attach(struct thread_source *source, pid_t pid)
{
	union bpf_iter_link_info info = { .task.pid = (uint32_t)pid };
	LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &info,
		    .link_info_len = sizeof(info));

	source->link = bpf_program__attach_iter(source->bpf->progs.each_thread, &options);
	if (!source->link && errno != ESRCH)
		source->link = bpf_program__attach_iter(source->bpf->progs.each_thread, NULL);
	return source->link ? 0 : -errno;
}

int thread_source_open(struct thread_source **ret, pid_t pid, bool pids_differ, bool kernel_stacks,
		       struct source_failure *failure)
{
	cleanup(thread_source_close) struct thread_source *source = calloc(1, sizeof(*source));
	struct wire_config *config;
	int r;

	if (!source)
		return fail(failure, -ENOMEM, "out of memory");
	libbpf_log();
	(void)bpf_memory_is_limited(); /* for bpf_refusal */
	source->bpf = threads_bpf__open();
	if (!source->bpf)
		return fail(failure, -errno, "cannot open the BPF program");
	config = (struct wire_config *)&source->bpf->rodata->config;
	config->translate_pids = pids_differ;
	config->kernel_stacks = kernel_stacks;
	*(uint32_t *)&source->bpf->rodata->wanted_tgid = (uint32_t)pid;
	r = threads_bpf__load(source->bpf);
	if (r < 0)
		return fail(failure, r == -EACCES ? -EINVAL : r, bpf_refusal(r));
	r = attach(source, pid);
	if (r < 0)
		return fail(failure, r, "cannot iterate over threads");
	*ret = TAKE_PTR(source);
	return 0;
}

void thread_source_close(struct thread_source *source)
{
	if (!source)
		return;
	bpf_link__destroy(source->link);
	threads_bpf__destroy(source->bpf);
	free(source);
}

/* Tells of the whole records in the bytes. Returns how many bytes those take, or a negative errno. */
static ssize_t tell_of(const char *bytes, size_t size,
		       int (*tell)(void *context, const struct wire_thread *thread), void *context)
{
	/* Aligned, and with room for all that the kernel half writes. */
	uint64_t record[sizeof(struct wire_thread) / 8 + WIRE_MAX_KERNEL_FRAMES];
	const struct wire_thread *thread = (const void *)record;
	size_t at = 0;

	while (size - at >= sizeof(*thread)) {
		size_t whole = sizeof(*thread);
		int r;

		memcpy(record, bytes + at, sizeof(*thread));
		if (thread->kernel_count > WIRE_MAX_KERNEL_FRAMES)
			return -EPROTO;
		whole += 8UL * thread->kernel_count;
		if (whole > size - at)
			break;
		memcpy(record, bytes + at, whole);
		r = tell(context, thread);
		if (r < 0)
			return r;
		at += whole;
	}
	return (ssize_t)at;
}

int thread_source_read(struct thread_source *source,
		       int (*tell)(void *context, const struct wire_thread *thread), void *context)
{
	static char bytes[256 * 1024];
	size_t kept = 0;
	cleanup(close) int fd = bpf_iter_create(bpf_link__fd(source->link));

	if (fd < 0)
		return -errno;
	source->bpf->bss->clock_offset = 0;
	/* The CPU's run queue clock is brought up to date by it. */
	(void)sched_yield();
	for (;;) {
		ssize_t got = read(fd, bytes + kept, sizeof(bytes) - kept), used;

		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return kept ? -EPROTO : 0;
		used = tell_of(bytes, kept + (size_t)got, tell, context);
		if (used < 0)
			return (int)used;
		kept = kept + (size_t)got - (size_t)used;
		memmove(bytes, bytes + used, kept);
	}
}
