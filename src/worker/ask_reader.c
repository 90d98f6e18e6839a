// SPDX-License-Identifier: Apache-2.0
#include "worker/ask_reader.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "elf/debug_paths.h"
#include "elf/vdso.h"

enum { MAX_MANGLED_BYTES = 8192 }; /* as demangle.c takes them */

static int give_up(struct workers *workers, struct object *object, const char *why, bool stuck)
{
	object->given_up = true;
	workers_give_up(workers, object->path, why);
	if (stuck)
		workers_note_stuck(workers, object->identity.device);
	return -EIO;
}

/* An answer that makes no sense is as good as none. */
static int nonsense(struct workers *workers, struct object *object)
{
	worker_restart(&workers->reader);
	return give_up(workers, object, worker_outcome_text(WORKER_NONSENSE), false);
}

/*
 * Asks about an object, with its file where the reader may not know it. more: further descriptors.
 * Returns 0, a negative errno, or what the reader answers above 0.
 */
static int ask(struct workers *workers, struct answer *ret, uint32_t what, struct object *object,
	       const void *payload, size_t size, const int *more, unsigned more_count)
{
	struct worker *reader = &workers->reader;
	struct question question = { .what = what, .object = object->id };
	int fds[MESSAGE_MAX_FDS] = { object->fd }, r;
	bool memory_freed = false;

	if (object->given_up)
		return -EIO;
	if (object->fd < 0)
		return -ESTALE;
	if (more_count)
		memcpy(fds + 1, more, more_count * sizeof(*more));
	for (;;) {
		bool first = !reader->pid || reader->asked == 0;

		question.has_object = !object->known_by || object->known_by != reader->generation ||
				      first;
		r = worker_ask(reader, ret, question, payload, size,
			       fds + !question.has_object, more_count + question.has_object);
		if (r < 0)
			return r;
		if (r > 0) {
			/* What ends a process with its first question is to blame; else try that. */
			if (first || r == WORKER_STUCK)
				return give_up(workers, object, worker_outcome_text(r),
					       r == WORKER_STUCK);
			continue;
		}
		r = ret->result;
		if (r >= 0) {
			object->known_by = reader->generation;
			return r;
		}
		answer_fini(ret);
		if (r == -ENOENT && !question.has_object) {
			object->known_by = 0;
		} else if (r == -ENOMEM && !memory_freed && reader->pid) {
			/* Others may have used up what it has. */
			worker_restart(reader);
			memory_freed = true;
		} else if (r == -ENOMEM) {
			return give_up(workers, object,
				       "reading it takes more memory than profd allows", false);
		} else {
			return r;
		}
	}
}

int ask_object(struct workers *workers, struct object **ret, int fd, int root_fd,
	       const struct opened *opened, const char *path)
{
	cleanup(object_unref) struct object *object = object_new(fd, path);
	cleanup(answer_fini) struct answer answer = {};
	int r;

	if (!object) {
		fs_close_aside(root_fd);
		return -ENOMEM;
	}
	object->root_fd = root_fd;
	object->identity = opened->identity;
	object->may_block = opened->may_block;
	r = ask(workers, &answer, READER_OBJECT, object, NULL, 0, NULL, 0);
	if (r != 0)
		return r;
	r = answer_object(object, answer.at, answer.size);
	if (r == -EBADMSG)
		r = nonsense(workers, object);
	if (r == 0)
		*ret = TAKE_PTR(object);
	return r;
}

int ask_vdso(struct workers *workers, struct object **ret)
{
	struct opened opened = {};
	struct stat st;
	int fd = vdso_open();

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) == 0)
		opened.identity = object_identity_of(&st);
	return ask_object(workers, ret, fd, -1, &opened, "[vdso]");
}

int ask_table(struct workers *workers, struct unwind_table *ret, struct table_figures *figures,
	      struct object *object)
{
	cleanup(answer_fini) struct answer answer = {};
	int r = ask(workers, &answer, READER_TABLE, object, NULL, 0, NULL, 0);

	if (r < 0)
		return r;
	r = answer_table(ret, figures, answer.at, answer.size);
	return r == -EBADMSG ? nonsense(workers, object) : r;
}

/* ---- names ---- */

/* The candidates for the object's debug file. Returns how many, or a negative errno. */
static int open_debug_files(struct workers *workers, int *ret, const struct object *object)
{
	cleanup(bytes_fini) struct bytes paths = {};
	int count = 0;

	if (!debug_paths_add(&paths, object))
		return paths.failed ? -ENOMEM : 0;
	/* Below the target's root, then below our own. */
	for (unsigned own = object->root_fd < 0; own < 2 && count < DEBUG_PATHS_MAX; own++) {
		int opened[MESSAGE_MAX_FDS], r = -ENOMEM;

		if (!paths.failed)
			r = ask_files(workers, opened, own ? -1 : object->root_fd, paths.at,
				      paths.size);
		if (r == -ENOMEM)
			return r;
		for (int i = 0; i < r; i++) {
			if (count < DEBUG_PATHS_MAX)
				ret[count++] = opened[i];
			else
				close(opened[i]);
		}
	}
	return count;
}

/* So that every address has its turn, whatever became of its object. */
static int name_nothing(uint32_t count, name_fn name, void *context)
{
	const struct name_line none = { .kind = WIRE_NAME_NONE,
					.name = "",
					.system_name = "",
					.file = "" };
	int r = 0;

	for (uint32_t i = 0; i < count && r >= 0; i++)
		r = name(context, i, &none, 1);
	return r < 0 ? r : 0;
}

static int ask_for_names(struct workers *workers, struct answer *ret, struct object *object,
			 struct bytes *payload)
{
	struct wire_names_question *question = (void *)payload->at;
	int files[DEBUG_PATHS_MAX], count = 0, r;

	r = ask(workers, ret, READER_NAMES, object, payload->at, payload->size, NULL, 0);
	if (r != -ESTALE)
		return r;
	count = open_debug_files(workers, files, object);
	if (count == -ENOMEM)
		return count;
	question->has_debug_files = 1;
	r = ask(workers, ret, READER_NAMES, object, payload->at, payload->size, files,
		count < 0 ? 0 : (unsigned)count);
	for (int i = 0; i < count; i++) {
		if (object->root_fd >= 0)
			fs_close_aside(files[i]);
		else
			close(files[i]);
	}
	return r;
}

int ask_names(struct workers *workers, struct object *object, const uint64_t *addresses,
	      uint32_t count, name_fn name, void *context)
{
	const struct wire_names_question head = { .address_count = count };
	cleanup(answer_fini) struct answer answer = {};
	cleanup(bytes_fini) struct bytes payload = {};
	int r;

	bytes_add(&payload, &head, sizeof(head));
	bytes_add(&payload, addresses, count * sizeof(*addresses));
	if (payload.failed)
		return -ENOMEM;
	r = object->fd < 0 ? -ESTALE : ask_for_names(workers, &answer, object, &payload);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return name_nothing(count, name, context);
	r = answer_names(answer.at, answer.size, count, name, context);
	if (r == -EBADMSG) {
		(void)nonsense(workers, object);
		r = name_nothing(count, name, context);
	}
	return r;
}

/* ---- the rest ---- */

int ask_needed(struct workers *workers, struct needed *ret, struct object *object)
{
	cleanup(answer_fini) struct answer answer = {};
	int r = ask(workers, &answer, READER_NEEDED, object, NULL, 0, NULL, 0);

	if (r < 0)
		return r;
	r = answer_needed(ret, answer.at, answer.size);
	return r == -EBADMSG ? nonsense(workers, object) : r;
}

int ask_calls(struct workers *workers, uint64_t *ret, struct object *object,
	      const uint64_t *addresses, uint32_t count)
{
	cleanup(answer_fini) struct answer answer = {};
	int r = ask(workers, &answer, READER_CALLS, object, addresses,
		    count * sizeof(*addresses), NULL, 0);

	if (r < 0)
		return r;
	if (answer.size != count * sizeof(*ret))
		return nonsense(workers, object);
	memcpy(ret, answer.at, answer.size);
	return 0;
}

int ask_demangled(struct workers *workers, struct bytes *ret, const char *name)
{
	cleanup(answer_fini) struct answer answer = {};
	const struct question question = { .what = READER_DEMANGLE };
	size_t size = strlen(name) + 1;
	int r;

	if ((strncmp(name, "_Z", 2) != 0 && strncmp(name, "_R", 2) != 0) ||
	    size > MAX_MANGLED_BYTES)
		return ASK_NOT_MANGLED;
	r = worker_ask(&workers->reader, &answer, question, name, size, NULL, 0);
	/* A name that the reader cannot cope with stays as it is. */
	if (r != 0 || answer.result != 0 || answer.size < 2 ||
	    (const unsigned char *)memchr(answer.at, '\0', answer.size) !=
		    answer.at + answer.size - 1)
		return ASK_NOT_MANGLED;
	bytes_add(ret, answer.at, answer.size - 1);
	return ret->failed ? -ENOMEM : 0;
}

void ask_forget(struct workers *workers, struct object *object)
{
	const struct question question = { .what = READER_FORGET, .object = object->id };
	struct worker *reader = &workers->reader;
	struct answer answer;

	if (reader->pid && object->known_by && object->known_by == reader->generation &&
	    worker_ask(reader, &answer, question, NULL, 0, NULL, 0) == 0)
		answer_fini(&answer);
	object->known_by = 0;
	object_close(object);
}
