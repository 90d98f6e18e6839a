// SPDX-License-Identifier: Apache-2.0
#include "source/bpf_features.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <stdint.h>

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
