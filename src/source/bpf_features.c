// SPDX-License-Identifier: Apache-2.0
#include "source/bpf_features.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <errno.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

#define INSN(opcode, destination, source, immediate)                                               \
	(struct bpf_insn)                                                                          \
	{                                                                                          \
		.code = (opcode), .dst_reg = (destination), .src_reg = (source), .imm = (immediate) \
	}

/* kernel/bpf/verifier.c, check_map_prog_compatibility: it is enough that the program names the map. */
bool bpf_has_loose_maps(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_NO_PREALLOC);
	cleanup(close) int program = -1;
	cleanup(close) int map = bpf_map_create(BPF_MAP_TYPE_HASH, "profd_probe", sizeof(uint32_t),
						sizeof(uint32_t), 1, &options);
	const struct bpf_insn instructions[] = {
		INSN(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, map),
		INSN(0, 0, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0),
	};

	if (map < 0)
		return true; /* nothing will work: that is said by whoever needs it */
	program = bpf_prog_load(BPF_PROG_TYPE_PERF_EVENT, "profd_probe", "GPL", instructions,
				ARRAY_SIZE(instructions), NULL);
	return program >= 0;
}

bool bpf_may_read_kernel(void)
{
	const struct bpf_insn instructions[] = {
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_10, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_1, 0, -8),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 8),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0),
		INSN(BPF_JMP | BPF_CALL, 0, 0, BPF_FUNC_probe_read_kernel),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0),
	};
	/* The last two do nothing: if the kernel does not take those either, it is for another reason. */
	enum { RETURN = 2 };
	const size_t count = ARRAY_SIZE(instructions);
	cleanup(close) int program =
		bpf_prog_load(BPF_PROG_TYPE_PERF_EVENT, "profd_probe", "GPL", instructions, count, NULL);
	cleanup(close) int other = program >= 0 ? -1 :
		bpf_prog_load(BPF_PROG_TYPE_PERF_EVENT, "profd_probe", "GPL",
			      instructions + count - RETURN, RETURN, NULL);

	return program >= 0 || other < 0;
}

static bool has_capability(unsigned number)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

	return syscall(SYS_capget, &header, data) == 0 &&
	       (data[number / 32].effective >> number % 32 & 1);
}

static int make_map(uint32_t words)
{
	cleanup(close) int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "profd_probe", sizeof(uint32_t),
						sizeof(uint64_t), words, NULL);

	return map < 0 ? -errno : 0;
}

/*
 * Does bpf(2) itself answer? kernel/bpf/syscall.c: what has bpf's capabilities and asks about a map that cannot
 * be gets EBADF; that takes no memory, so that no limit of it can be why it is refused.
 */
static bool bpf_answers(void)
{
	uint64_t value = 0;
	uint32_t key = 0;

	return bpf_map_lookup_elem(-1, &key, &value) == 0 || errno != EPERM;
}

bool bpf_memory_is_limited(void)
{
	enum { LARGE = 64 << 20 }; /* as much as recording ever needs */
	static enum { UNKNOWN, LIMITED, UNLIMITED } known;
	struct rlimit limit;

	if (known == UNKNOWN) {
		known = UNLIMITED;
		/* Rings of perf events count to the same: then not even a small one can be made. */
		if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur < LARGE &&
		    has_capability(CAP_BPF) && !has_capability(CAP_SYS_RESOURCE) && bpf_answers() &&
		    make_map((uint32_t)limit.rlim_cur / sizeof(uint64_t) + 1) == -EPERM)
			known = LIMITED;
	}
	return known == LIMITED;
}

bool bpf_is_permitted(void)
{
	return has_capability(CAP_SYS_ADMIN) ||
	       (has_capability(CAP_BPF) && has_capability(CAP_PERFMON));
}

bool bpf_has_uprobe_multi(void)
{
	return libbpf_find_vmlinux_btf_id("bpf_uprobe_multi_link_attach", BPF_TRACE_FENTRY) > 0;
}

const char *bpf_refusal(int r)
{
	if (r == -EPERM && bpf_memory_is_limited())
		return "BPF memory counts to RLIMIT_MEMLOCK here, which is too small, and raising it "
		       "takes CAP_SYS_RESOURCE";
	if (r == -EPERM && bpf_is_permitted() && !bpf_answers())
		return "BPF is out of reach: a filter of system calls, as containers have them, or a "
		       "security module forbids bpf(2)";
	if (r == -EPERM)
		return "the kernel does not allow to load BPF programs";
	/* -EACCES: the verifier's word for "unsafe". */
	if (!bpf_may_read_kernel())
		return "BPF programs may not read the kernel's memory (lockdown=confidentiality)";
	return "the kernel did not accept the BPF programs (-v shows its reasons)";
}
