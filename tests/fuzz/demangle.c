// SPDX-License-Identifier: Apache-2.0
/*
 * Mangled names: the input as one, and words of the two grammars, one for each byte of the input,
 * put together to one. Whatever comes out is short, and nothing comes out of what is none.
 */
#include "symbol/demangle.h"

#include <string.h>

#include "base/cleanup.h"
#include "fuzz.h"

enum { MAX_READABLE_BYTES = 8192 };

static const char *const cpp_words[] = {
	"_Z",	 "N",	 "E",	    "St",  "Sa",    "S_",
	"S0_",	 "S1_",	 "T_",	    "T0_", "I",	    "J",
	"K",	 "P",	 "R",	    "O",   "V",	    "1a",
	"3foo",	 "C1",	 "D2",	    "v",   "i",	    "c",
	"z",	 "L",	 "Li0E",    "X",   "Dp",    "DpT_",
	"Dv4_",	 "DTcl", "F",	    "A2_", "M",	    "Ul",
	"E_",	 "E0_",	 "Z",	    "cv",  "pl",    "ix",
	"cl",	 "sr",	 "sZ",	    "fp_", "fL0p_", "tl",
	"il",	 "gs",	 "nw",	    "TV",  "GV",    "Th0_",
	"Tc",	 "DC",	 "B5cxx11", "on",  "dn",    "u3foo",
	"U3foo", "Dn",	 "Dc",	    "LZ",  "@",	    ".constprop.0",
	"0",	 "9",
};

static const char *const rust_words[] = {
	"_R",	"C",	"C1a", "N",   "Nv",   "Nt",    "NC",	     "NS",
	"M",	"X",	"Y",   "I",   "E",    "B_",    "B0_",	     "B1_",
	"B4_",	"Bk_",	"s_",  "s0_", "1a",   "3foo",  "u8gdel_5qa", "a",
	"i",	"p",	"A",   "S",   "T",    "R",     "L_",	     "L0_",
	"RL0_", "Q",	"P",   "O",   "F",    "FG_",   "U",	     "K1C",
	"KC",	"D",	"p1a", "K",   "Kj1_", "Kan1_", "Kb1_",	     "Kc61_",
	"Kp",	"G_",	"GA_", "_",   "0",    "z",     ".llvm",	     "17h0123456789abcdefE",
	"_ZN",	"$LT$", "..",  "_$",
};

static const char before[] = "before";

static void check(const char *name)
{
	struct bytes readable = {};
	size_t start = sizeof(before) - 1;

	bytes_add(&readable, before, start);
	if (demangle(&readable, name) == 0)
		FUZZ_CHECK(readable.size > start && readable.size - start <= MAX_READABLE_BYTES &&
			   (name[1] == 'Z' || name[1] == 'R') &&
			   !memchr(readable.at, '\0', readable.size));
	else
		FUZZ_CHECK(readable.size == start);
	FUZZ_CHECK(memcmp(readable.at, before, start) == 0);
	bytes_fini(&readable);
}

static void check_words(const char *const *words, size_t count, const uint8_t *data, size_t size)
{
	struct bytes name = {};

	bytes_add_str(&name, words[0]);
	for (size_t i = 0; i < size; i++)
		bytes_add_str(&name, words[data[i] % count]);
	FUZZ_CHECK(bytes_str(&name));
	check(name.at);
	bytes_fini(&name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *name = strndup((const char *)data, size);

	FUZZ_CHECK(name);
	check(name);
	free(name);
	if (size && data[0] % 2)
		check_words(cpp_words, ARRAY_SIZE(cpp_words), data + 1, size - 1);
	else if (size)
		check_words(rust_words, ARRAY_SIZE(rust_words), data + 1, size - 1);
	return 0;
}
