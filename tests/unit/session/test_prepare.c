// SPDX-License-Identifier: Apache-2.0
/*
 * What a command will load: of real programs compared with ldd(1), which asks ld.so itself, and in
 * made-up trees whose files name each other in every way.
 */
#include "test.h"
#include "direct.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "elf/dynamic_image.h"
#include "session/prepare.h"

/* ---- real programs ---- */

static bool is_found(const struct prepare_files *files, const char *path)
{
	for (uint32_t i = 0; i < files->objects.count; i++)
		if (strcmp(files->objects.at[i]->path, path) == 0)
			return true;
	return false;
}

/* Checks each "... => /path (0x...)" and "/path (0x...)" of ldd. Returns how many there were. */
static unsigned check_with_ldd(const struct prepare_files *files, const char *program)
{
	char line[8192], real[PATH_MAX];
	unsigned count = 0;
	FILE *pipe;

	snprintf(line, sizeof(line), "LC_ALL=C ldd '%s' 2>/dev/null", program);
	pipe = popen(line, "r");
	assert_non_null(pipe);
	while (fgets(line, sizeof(line), pipe)) {
		char *path = strchr(line, '/'), *end = strstr(line, " (0x"),
		     *arrow = strstr(line, "=> ");

		if (arrow)
			path = arrow + 3;
		if (!end || !path || path > end || *path != '/')
			continue;
		*end = '\0';
		assert_non_null(realpath(path, real));
		if (!is_found(files, real))
			fail_msg("%s: %s was not found", program, real);
		count++;
	}
	pclose(pipe);
	return count;
}

static void real_programs_load_what_ldd_says(void **state)
{
	static const char *const programs[] = { "/usr/bin/clang", "/usr/bin/python3",
						"/usr/bin/git",	  "/usr/bin/gdb",
						"/usr/bin/node",  "/usr/bin/env",
						"/usr/bin/bash" };
	unsigned compared = 0;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(programs); i++) {
		cleanup(object_cache_free) struct object_cache *objects = object_cache_new(direct_workers());
		cleanup(prepare_files_fini) struct prepare_files files = {};
		char real[PATH_MAX];
		unsigned libraries;

		if (!realpath(programs[i], real))
			continue; /* not on this machine */
		assert_ok(prepare_find(&files, direct_workers(), objects, programs[i], environ, "/etc/ld.so.conf"));
		assert_true(is_found(&files, real));
		libraries = check_with_ldd(&files, programs[i]);
		/* The program and what ldd lists, and nothing else. */
		if (libraries)
			assert_int_equal(files.objects.count, libraries + 1);
		compared += libraries > 0;
	}
	if (compared == 0)
		skip();
}

/* ---- made-up trees ---- */

struct tree {
	char root[64];
	struct object_cache *objects;
	struct dynamic_image image; /* scratch */
};

static const char *const folders[] = { "bin", "lib", "lib/deep", "other", "conf", "lib64" };

static int set_up(void **state)
{
	struct tree *tree = calloc(1, sizeof(*tree));

	strcpy(tree->root, "/tmp/profd-prepare-XXXXXX");
	assert_non_null(mkdtemp(tree->root));
	for (unsigned i = 0; i < ARRAY_SIZE(folders); i++) {
		char path[256];

		snprintf(path, sizeof(path), "%s/%s", tree->root, folders[i]);
		assert_ok(mkdir(path, 0755));
	}
	tree->objects = object_cache_new(direct_workers());
	*state = tree;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
	(void)st;
	(void)kind;
	(void)place;
	return remove(path);
}

static int tear_down(void **state)
{
	struct tree *tree = *state;

	object_cache_free(tree->objects);
	nftw(tree->root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(tree);
	return 0;
}

static void place(const struct tree *tree, char ret[256], const char *path)
{
	snprintf(ret, 256, "%s/%s", tree->root, path);
}

/* Begins a library; a program if it gets an interpreter. */
static struct dynamic_image *begin(struct tree *tree)
{
	dynamic_image_make(&tree->image);
	return &tree->image;
}

static struct dynamic_image *begin_program(struct tree *tree)
{
	char path[256];

	place(tree, path, "lib/ld.so");
	dynamic_image_interpreter(begin(tree), path);
	return &tree->image;
}

static void put(struct tree *tree, const char *name)
{
	char path[256];

	place(tree, path, name);
	dynamic_image_write(&tree->image, path);
}

static void put_text(const struct tree *tree, const char *name, const char *text, mode_t mode)
{
	cleanup(close) int fd = -1;
	char path[256];

	place(tree, path, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	assert_true(fd >= 0);
	assert_ok(fs_write_all(fd, text, strlen(text)));
}

static void put_library(struct tree *tree, const char *name, const char *needs)
{
	begin(tree);
	if (needs)
		dynamic_image_add(&tree->image, DT_NEEDED, needs);
	put(tree, name);
}

/* "NAME=ROOT/FOLDER", in storage of the caller. */
static char *set_variable(const struct tree *tree, char ret[256], const char *name,
			  const char *folder)
{
	snprintf(ret, 256, "%s=%s/%s", name, tree->root, folder);
	return ret;
}

/* expected: paths below the root, in order, with a blank behind each; others are left out. */
static void assert_finds(const struct tree *tree, const char *program, char *const *environment,
			 const char *expected)
{
	cleanup(prepare_files_fini) struct prepare_files files = {};
	cleanup(bytes_fini) struct bytes found = {};
	size_t length = strlen(tree->root);
	char conf[256];

	place(tree, conf, "conf/ld.so.conf");
	assert_ok(prepare_find(&files, direct_workers(), tree->objects, program, environment, conf));
	for (uint32_t i = 0; i < files.objects.count; i++) {
		const char *path = files.objects.at[i]->path;

		if (strncmp(path, tree->root, length) == 0)
			bytes_add_format(&found, "%s ", path + length + 1);
	}
	assert_string_equal(bytes_str(&found), expected);
}

static void assert_program_finds(const struct tree *tree, char *const *environment,
				 const char *expected)
{
	char path[256];

	place(tree, path, "bin/prog");
	assert_finds(tree, path, environment, expected);
}

static void a_runpath_holds_for_its_own_object_only(void **state)
{
	struct tree *tree = *state;

	dynamic_image_add(begin_program(tree), DT_RUNPATH, "/nowhere:$ORIGIN/../lib");
	dynamic_image_add(&tree->image, DT_NEEDED, "liba.so");
	dynamic_image_add(&tree->image, DT_NEEDED, "libb.so");
	put(tree, "bin/prog");
	put_library(tree, "lib/ld.so", NULL);
	put_library(tree, "lib/liba.so", "libc1.so");
	dynamic_image_add(begin(tree), DT_RUNPATH, "${ORIGIN}/deep");
	dynamic_image_add(&tree->image, DT_NEEDED, "libd.so");
	put(tree, "lib/libb.so");
	put_library(tree, "lib/libc1.so", NULL); /* beside liba, which has no runpath */
	put_library(tree, "lib/deep/libd.so", NULL);
	assert_program_finds(tree, NULL,
			     "bin/prog lib/ld.so lib/liba.so lib/libb.so lib/deep/libd.so ");
}

static void an_rpath_holds_below_until_a_runpath(void **state)
{
	struct tree *tree = *state;

	dynamic_image_add(begin_program(tree), DT_RPATH, "$ORIGIN/../lib");
	dynamic_image_add(&tree->image, DT_NEEDED, "liba.so");
	dynamic_image_add(&tree->image, DT_NEEDED, "libb.so");
	put(tree, "bin/prog");
	put_library(tree, "lib/ld.so", NULL);
	put_library(tree, "lib/liba.so", "libc1.so");
	dynamic_image_add(begin(tree), DT_RUNPATH, "/nowhere");
	dynamic_image_add(&tree->image, DT_NEEDED, "libd.so");
	put(tree, "lib/libb.so");
	put_library(tree, "lib/libc1.so", NULL);
	put_library(tree, "lib/libd.so", NULL); /* libb's runpath switches rpaths off */
	assert_program_finds(tree, NULL,
			     "bin/prog lib/ld.so lib/liba.so lib/libb.so lib/libc1.so ");
	/* Beside a runpath an rpath of the same object counts for nothing. */
	dynamic_image_add(begin_program(tree), DT_RPATH, "$ORIGIN/../lib");
	dynamic_image_add(&tree->image, DT_RUNPATH, "/nowhere");
	dynamic_image_add(&tree->image, DT_NEEDED, "liba.so");
	put(tree, "bin/prog");
	assert_program_finds(tree, NULL, "bin/prog lib/ld.so ");
}

static void origin_is_where_the_program_really_is(void **state)
{
	struct tree *tree = *state;
	char link[256];

	dynamic_image_add(begin_program(tree), DT_RUNPATH, "$ORIGIN/../lib");
	dynamic_image_add(&tree->image, DT_NEEDED, "liba.so");
	put(tree, "bin/prog");
	put_library(tree, "lib/ld.so", NULL);
	put_library(tree, "lib/liba.so", NULL);
	place(tree, link, "lib/deep/alias");
	assert_ok(symlink("../../bin/prog", link));
	assert_finds(tree, link, NULL, "bin/prog lib/ld.so lib/liba.so ");
}

static void folders_come_in_the_order_of_ld_so(void **state)
{
	struct tree *tree = *state;
	char library_path[256], *environment[] = { library_path, NULL };

	set_variable(tree, library_path, "LD_LIBRARY_PATH", "other");
	put_text(tree, "conf/ld.so.conf", "# nothing\n  include *.d/*.conf\n", 0644);
	dynamic_image_add(begin_program(tree), DT_RUNPATH, "$ORIGIN/../lib");
	dynamic_image_add(&tree->image, DT_NEEDED, "liba.so");
	put(tree, "bin/prog");
	put_library(tree, "lib/ld.so", NULL);
	put_library(tree, "lib/liba.so", NULL);
	put_library(tree, "other/liba.so", NULL);
	assert_program_finds(tree, environment, "bin/prog lib/ld.so other/liba.so ");
	/* But after an rpath. */
	dynamic_image_add(begin_program(tree), DT_RPATH, "$ORIGIN/../lib");
	dynamic_image_add(&tree->image, DT_NEEDED, "liba.so");
	put(tree, "bin/prog");
	assert_program_finds(tree, environment, "bin/prog lib/ld.so lib/liba.so ");
}

static void the_configuration_is_read_with_what_it_includes(void **state)
{
	struct tree *tree = *state;
	char text[512], path[256];

	place(tree, path, "conf/some.d");
	assert_ok(mkdir(path, 0755));
	put_text(tree, "conf/ld.so.conf",
		 "# comment\nhwcap 0 nosegneg\nrelative/folder\ninclude *.d/*.conf # here\n"
		 "include ld.so.conf missing.conf\n",
		 0644); /* includes itself */
	snprintf(text, sizeof(text), "/nowhere\n\t%s/lib \n%s/other=libc6\n", tree->root,
		 tree->root);
	put_text(tree, "conf/some.d/a.conf", text, 0644);
	put_text(tree, "conf/some.d/b.other", "/\n", 0644);
	dynamic_image_add(begin_program(tree), DT_NEEDED, "libprofd-a.so");
	dynamic_image_add(&tree->image, DT_NEEDED, "libprofd-b.so");
	put(tree, "bin/prog");
	put_library(tree, "lib/ld.so", NULL);
	put_library(tree, "lib/libprofd-a.so", NULL);
	put_library(tree, "other/libprofd-b.so", NULL);
	assert_program_finds(tree, NULL,
			     "bin/prog lib/ld.so lib/libprofd-a.so other/libprofd-b.so ");
}

static void what_ld_so_passes_over_is_passed_over(void **state)
{
	struct tree *tree = *state;
	char path[256];

	dynamic_image_add(begin_program(tree), DT_RUNPATH,
			  "$ORIGIN/../other:$ORIGIN/../lib/deep:$ORIGIN:$ORIGIN/../lib");
	dynamic_image_add(&tree->image, DT_NEEDED, "liba.so");
	put(tree, "bin/prog");
	put_library(tree, "lib/ld.so", NULL);
	begin(tree)->header.e_machine = EM_386;
	put(tree, "other/liba.so");
	put_text(tree, "lib/deep/liba.so", "INPUT(liba.so.1)\n", 0644); /* for the linker */
	place(tree, path, "bin/liba.so");
	assert_ok(mkfifo(path, 0644));
	put_library(tree, "lib/liba.so", NULL);
	assert_program_finds(tree, NULL, "bin/prog lib/ld.so lib/liba.so ");
}

static void a_name_is_known_by_its_soname(void **state)
{
	struct tree *tree = *state;
	char library_path[256], *environment[] = { library_path, NULL };

	set_variable(tree, library_path, "LD_LIBRARY_PATH", "other");
	dynamic_image_add(begin_program(tree), DT_RUNPATH, "$ORIGIN/../lib");
	dynamic_image_add(&tree->image, DT_NEEDED, "libdev.so");
	dynamic_image_add(&tree->image, DT_NEEDED, "libuser.so");
	put(tree, "bin/prog");
	put_library(tree, "lib/ld.so", NULL);
	dynamic_image_add(begin(tree), DT_SONAME, "libreal.so.1");
	put(tree, "lib/libdev.so");
	put_library(tree, "lib/libuser.so", "libreal.so.1");
	put_library(tree, "other/libreal.so.1", NULL);
	assert_program_finds(tree, environment, "bin/prog lib/ld.so lib/libdev.so lib/libuser.so ");
}

static void a_cycle_ends(void **state)
{
	struct tree *tree = *state;

	dynamic_image_add(begin_program(tree), DT_RPATH, "$ORIGIN/../lib");
	dynamic_image_add(&tree->image, DT_NEEDED, "liba.so");
	put(tree, "bin/prog");
	put_library(tree, "lib/ld.so", NULL);
	put_library(tree, "lib/liba.so", "libb.so");
	put_library(tree, "lib/libb.so", "libc1.so");
	dynamic_image_add(begin(tree), DT_NEEDED, "liba.so");
	dynamic_image_add(&tree->image, DT_NEEDED, "libc1.so");
	dynamic_image_add(&tree->image, DT_NEEDED, "$ORIGIN/../bin/prog");
	put(tree, "lib/libc1.so");
	assert_program_finds(tree, NULL,
			     "bin/prog lib/ld.so lib/liba.so lib/libb.so lib/libc1.so ");
}

static void names_may_be_paths_with_tokens(void **state)
{
	struct tree *tree = *state;

	dynamic_image_add(begin_program(tree), DT_NEEDED, "$ORIGIN/../lib/liba.so");
	dynamic_image_add(&tree->image, DT_NEEDED, "${ORIGIN}/../$LIB/libb.so");
	dynamic_image_add(&tree->image, DT_NEEDED, "$ORIGIN/../lib/$ORIGINAL/libc1.so");
	put(tree, "bin/prog");
	put_library(tree, "lib/ld.so", NULL);
	put_library(tree, "lib/liba.so", NULL);
	put_library(tree, "lib64/libb.so", NULL);
	put_library(tree, "lib/libc1.so", NULL);
	assert_program_finds(tree, NULL, "bin/prog lib/ld.so lib/liba.so lib64/libb.so ");
}

static void preloads_come_first(void **state)
{
	struct tree *tree = *state;
	char library_path[256], preload[300], *environment[] = { library_path, preload, NULL };

	set_variable(tree, library_path, "LD_LIBRARY_PATH", "lib");
	snprintf(preload, sizeof(preload), "LD_PRELOAD= %s/other/libp.so:libq.so missing.so",
		 tree->root);
	dynamic_image_add(begin_program(tree), DT_NEEDED, "liba.so");
	put(tree, "bin/prog");
	put_library(tree, "lib/ld.so", NULL);
	put_library(tree, "lib/liba.so", NULL);
	put_library(tree, "lib/libq.so", NULL);
	put_library(tree, "other/libp.so", NULL);
	assert_program_finds(tree, environment,
			     "bin/prog lib/ld.so other/libp.so lib/libq.so lib/liba.so ");
}

static void programs_are_looked_up_in_path(void **state)
{
	struct tree *tree = *state;
	char path[512], *environment[] = { path, NULL };

	snprintf(path, sizeof(path), "PATH=/nowhere:%s/other:%s/lib:%s/bin", tree->root, tree->root,
		 tree->root);
	begin(tree);
	put(tree, "bin/prog");
	put_text(tree, "other/prog", "#!/nowhere/sh\n", 0644); /* not executable */
	assert_finds(tree, "prog", environment, "bin/prog ");
	assert_finds(tree, "absent", environment, "");
	assert_finds(tree, "", environment, "");
}

static void scripts_lead_to_what_runs_them(void **state)
{
	struct tree *tree = *state;
	char path[256], *environment[] = { path, NULL }, text[600];

	set_variable(tree, path, "PATH", "bin");
	dynamic_image_add(begin_program(tree), DT_RUNPATH, "$ORIGIN/../lib");
	dynamic_image_add(&tree->image, DT_NEEDED, "liba.so");
	put(tree, "bin/interpreter");
	put_library(tree, "lib/ld.so", NULL);
	put_library(tree, "lib/liba.so", NULL);
	begin(tree);
	put(tree, "bin/env");
	snprintf(text, sizeof(text), "#! %s/bin/interpreter -x\n", tree->root);
	put_text(tree, "bin/plain", text, 0755);
	snprintf(text, sizeof(text), "#!%s/bin/plain\n", tree->root);
	put_text(tree, "bin/twice", text, 0755);
	snprintf(text, sizeof(text), "#!%s/bin/env interpreter\n", tree->root);
	put_text(tree, "bin/by-env", text, 0755);
	snprintf(text, sizeof(text), "#!%s/bin/env -S A=b interpreter -x\n", tree->root);
	put_text(tree, "bin/by-env-split", text, 0755);
	snprintf(text, sizeof(text), "#!%s/bin/env interpreter -x\n", tree->root);
	put_text(tree, "bin/by-env-wrong", text, 0755);
	snprintf(text, sizeof(text), "#!%s/bin/self\n", tree->root);
	put_text(tree, "bin/self", text, 0755);

	assert_finds(tree, "plain", environment, "bin/interpreter lib/ld.so lib/liba.so ");
	assert_finds(tree, "twice", environment, "bin/interpreter lib/ld.so lib/liba.so ");
	assert_finds(tree, "by-env", environment, "bin/env bin/interpreter lib/ld.so lib/liba.so ");
	assert_finds(tree, "by-env-split", environment,
		     "bin/env bin/interpreter lib/ld.so lib/liba.so ");
	/* Without -S that is one name with a blank in it. */
	assert_finds(tree, "by-env-wrong", environment, "bin/env ");
	assert_finds(tree, "self", environment, "");
}

static void a_text_without_interpreter_is_the_shells(void **state)
{
	cleanup(prepare_files_fini) struct prepare_files files = {};
	struct tree *tree = *state;
	char path[256], shell[PATH_MAX];

	assert_non_null(realpath("/bin/sh", shell));
	put_text(tree, "bin/prog", "echo hello\n", 0755);
	place(tree, path, "bin/prog");
	assert_ok(prepare_find(&files, direct_workers(), tree->objects, path, NULL, "/etc/ld.so.conf"));
	assert_true(is_found(&files, shell));
}

/* ---- limits ---- */

static uint32_t count_found(const struct tree *tree)
{
	cleanup(prepare_files_fini) struct prepare_files files = {};
	char path[256];

	place(tree, path, "bin/prog");
	assert_ok(prepare_find(&files, direct_workers(), tree->objects, path, NULL, "/nowhere"));
	return files.objects.count;
}

static void a_long_chain_is_cut(void **state)
{
	struct tree *tree = *state;
	char name[64], next[64];

	dynamic_image_add(begin_program(tree), DT_RPATH, "$ORIGIN/../lib");
	dynamic_image_add(&tree->image, DT_NEEDED, "lib0.so");
	put(tree, "bin/prog");
	for (unsigned i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "lib/lib%u.so", i);
		snprintf(next, sizeof(next), "lib%u.so", i + 1);
		put_library(tree, name, next);
	}
	assert_in_range(count_found(tree), 20, 40);
}

static void a_crowd_is_cut(void **state)
{
	struct tree *tree = *state;

	begin_program(tree);
	for (unsigned k = 0; k < 2; k++) {
		dynamic_image_add(&tree->image, DT_RPATH, "$ORIGIN/../lib:$ORIGIN/../other");
		for (unsigned i = 0; i < 200; i++) {
			char name[64];

			snprintf(name, sizeof(name), "lib%u.so", k * 200 + i);
			dynamic_image_add(&tree->image, DT_NEEDED, name);
		}
		put(tree, k == 0 ? "bin/prog" : "lib/lib0.so");
		begin(tree);
	}
	for (unsigned i = 1; i < 400; i++) {
		char path[64];

		snprintf(path, sizeof(path), "%s/lib%u.so", i % 2 ? "lib" : "other", i);
		put_library(tree, path, NULL);
	}
	assert_int_equal(count_found(tree), PREPARE_MAX_FILES);
}

/* Many folders, many names, and nothing there: the number of looks is what ends it. */
static void a_desert_is_left(void **state)
{
	struct tree *tree = *state;
	char list[4096] = "/nowhere";

	for (unsigned i = 0; i < 250; i++)
		strcat(list, ":/no/$LIB");
	dynamic_image_add(begin_program(tree), DT_RPATH, list);
	for (unsigned i = 0; i < 250; i++) {
		char name[64];

		snprintf(name, sizeof(name), "lib%u.so", i);
		dynamic_image_add(&tree->image, DT_NEEDED, name);
	}
	put(tree, "bin/prog");
	assert_int_equal(count_found(tree), 1);
}

static void tokens_do_not_multiply_without_limit(void **state)
{
	struct tree *tree = *state;
	char list[8000] = "";

	while (strlen(list) < sizeof(list) - 100)
		strcat(list, strlen(list) % 1000 < 900 ? "$ORIGIN$LIB" : "$ORIGIN/../lib:");
	strcat(list, ":$ORIGIN/../lib");
	dynamic_image_add(begin_program(tree), DT_RUNPATH, list);
	dynamic_image_add(&tree->image, DT_NEEDED, "liba.so");
	put(tree, "bin/prog");
	put_library(tree, "lib/ld.so", NULL);
	put_library(tree, "lib/liba.so", NULL);
	assert_in_range(count_found(tree), 2, 3);
}

static uint64_t random_u64(void)
{
	return (uint64_t)random() << 42 ^ (uint64_t)random() << 21 ^ (uint64_t)random();
}

static void mutated_trees_are_searched_in_peace(void **state)
{
	static const char *const files[] = { "bin/prog", "lib/ld.so", "lib/liba.so",
					     "lib/libb.so" };
	struct dynamic_image images[ARRAY_SIZE(files)];
	struct tree *tree = *state;
	unsigned found = 0;

	srandom(44);
	for (unsigned i = 0; i < ARRAY_SIZE(files); i++) {
		dynamic_image_add(i ? begin(tree) : begin_program(tree),
				  i % 2 ? DT_RUNPATH : DT_RPATH, "$ORIGIN/../lib:$ORIGIN:$LIB");
		dynamic_image_add(&tree->image, DT_SONAME, "libc1.so");
		dynamic_image_add(&tree->image, DT_NEEDED, "liba.so");
		dynamic_image_add(&tree->image, DT_NEEDED, "$ORIGIN/libb.so");
		dynamic_image_add(&tree->image, DT_NEEDED, "libb.so");
		images[i] = tree->image;
	}
	for (unsigned round = 0; round < 400; round++) {
		/* A fresh cache: it remembers files by their times, which are coarse. */
		object_cache_free(tree->objects);
		tree->objects = object_cache_new(direct_workers());
		for (unsigned i = 0; i < ARRAY_SIZE(files); i++) {
			unsigned char *bytes = (unsigned char *)&tree->image;

			tree->image = images[i];
			for (unsigned k = (unsigned)random() % 4; k > 0; k--) {
				size_t begins[] = { 0, offsetof(struct dynamic_image, dynamic),
						    offsetof(struct dynamic_image, strings),
						    offsetof(struct dynamic_image, interpreter) };
				size_t at = begins[random() % 4] + random_u64() % 232;

				bytes[at] = (unsigned char)random();
			}
			put(tree, files[i]);
		}
		found += count_found(tree) > 1;
	}
	assert_true(found > 40);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_programs_load_what_ldd_says),
		IN_TREE(a_runpath_holds_for_its_own_object_only),
		IN_TREE(an_rpath_holds_below_until_a_runpath),
		IN_TREE(origin_is_where_the_program_really_is),
		IN_TREE(folders_come_in_the_order_of_ld_so),
		IN_TREE(the_configuration_is_read_with_what_it_includes),
		IN_TREE(what_ld_so_passes_over_is_passed_over),
		IN_TREE(a_name_is_known_by_its_soname),
		IN_TREE(a_cycle_ends),
		IN_TREE(names_may_be_paths_with_tokens),
		IN_TREE(preloads_come_first),
		IN_TREE(programs_are_looked_up_in_path),
		IN_TREE(scripts_lead_to_what_runs_them),
		IN_TREE(a_text_without_interpreter_is_the_shells),
		IN_TREE(a_long_chain_is_cut),
		IN_TREE(a_crowd_is_cut),
		IN_TREE(a_desert_is_left),
		IN_TREE(tokens_do_not_multiply_without_limit),
		IN_TREE(mutated_trees_are_searched_in_peace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
