// SPDX-License-Identifier: Apache-2.0
/* Folded stacks in every format. */
#include "input/read.h"
#include "output/golden.h"

static void every_format(void **state)
{
	static const char text[] =
		"java;start_thread;Lorg/example/Main;::run;Lorg/example/Map;::get_[i] 5\r\n"
		"java;start_thread;Lorg/example/Main;::run_[j];Map.get_[i];hash_[i] 4\n"
		"# nothing of it\n"
		"\n"
		"java;start_thread;read;entry_SYSCALL_64_[k];do_syscall_64_[k];inlined_[i];\"q\"_[k] 7\n"
		"java;start_thread;read;entry_SYSCALL_64_[k];do_syscall_64_[k] 2.6\n"
		"java;[unknown];[libc.so.6] 3\n"
		"java;<script>alert(1)</script>; ;;bad\xff\xc0utf8;\x1b[31mred 1\n"
		"java;start_thread;worker 3 1\n"
		"swapper 40";

	(void)state;
	for (size_t i = 0; i < writer_count; i++) {
		struct profile *profile = read_text(text);

		profile->meta.title = strdup("stacks.folded");
		compare(writers[i], "converted", profile);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
