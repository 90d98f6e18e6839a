// SPDX-License-Identifier: Apache-2.0
#include "worker/ask_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "elf/debug_paths.h"
#include "elf/vdso.h"

enum {
	MAX_MANGLED_BYTES = 8192, /* as demangle.c takes them */
	WANTED_ROUNDS_MAX = 256,
	/* For one object, all in all. The largest programs have as many units, and use a part. */
	WANTED_OF_OBJECT_MAX = 16384,
	BEGUN_MAX = 3, /* times that the reader has forgotten the object meanwhile */
	FILES_MAX = SYMBOL_CACHE_FILES_MAX,
	KILLED_MAX = 3,			 /* processes that somebody kills over one question */
};
_Static_assert((int)FILES_MAX == 2 * WIRE_WANTED_MAX, "below two roots");
_Static_assert(2 + FILES_MAX <= MESSAGE_MAX_FDS, "with the object and what was kept");

/* What is asked about an object. */
struct request {
	uint32_t what; /* enum reader_question */
	const void *payload;
	size_t size;
	bool lines;	 /* it is about source lines, too: the liner is asked */
	const int *more; /* descriptors beside that of its file */
	unsigned more_count;
	/*
	 * Takes an answer whose result is 0 or above. Returns what the request is to return, or
	 * -EBADMSG for what no honest reader says; then nothing must have been taken.
	 */
	int (*take)(void *context, int result, const unsigned char *data, size_t size);
	void *context;
};

static struct worker *worker_of(struct workers *workers, const struct request *request)
{
	return request->lines ? &workers->liner : &workers->reader;
}

static uint32_t *known_by_of(struct object *object, const struct request *request)
{
	return request->lines ? &object->lines_known_by : &object->known_by;
}

static bool is_given_up(const struct object *object, const struct request *request)
{
	return object->given_up || (request->lines && object->lines_given_up);
}

static int give_up(struct workers *workers, struct object *object, const struct request *request,
		   const char *why)
{
	if (request->lines)
		object->lines_given_up = true;
	else
		object->given_up = true;
	workers_give_up(workers, object->path, why);
	return -EIO;
}

/* Why an object, or its lines, are given up. */
static const char *outcome_text(const struct request *request, int outcome)
{
	if (!request->lines)
		return worker_outcome_text(outcome);
	switch (outcome) {
	case WORKER_DIED:
		return "its debug information crashed the reader";
	case WORKER_STUCK:
		return "its debug information did not come";
	case WORKER_NONSENSE:
		return "its debug information made nonsense of the reader";
	case WORKER_ENDING:
		return "the recording ended before its source lines were read";
	default:
		return "its debug information takes more time than profd allows";
	}
}

static struct payer payer_of(const struct object *object)
{
	return (struct payer){ object->identity.device, object->identity.owner, !object->may_block,
			       false };
}

/*
 * Asks once. Returns a worker_outcome, or 0 with *ret: what the request is to return. *refused: that
 * is the reader's negative result.
 */
static int ask_once(struct workers *workers, int *ret, bool *refused, struct object *object,
		    const struct request *request, bool has_object)
{
	const struct question question = { .what = request->what,
					   .object = object->id,
					   .has_object = has_object };
	const struct payer payer = payer_of(object);
	cleanup(answer_fini) struct answer answer = {};
	int fds[MESSAGE_MAX_FDS] = { object->fd }, r;

	if (request->more_count)
		memcpy(fds + 1, request->more, request->more_count * sizeof(*fds));
	r = workers_ask(workers, worker_of(workers, request), &payer, &answer, question,
			request->payload, request->size, fds + !has_object,
			request->more_count + has_object);
	if (r > 0)
		return r;
	*refused = r == 0 && answer.result < 0;
	if (r == 0 && answer.result >= 0) {
		*known_by_of(object, request) = worker_of(workers, request)->generation;
		r = request->take(request->context, answer.result, answer.at, answer.size);
		if (r == -EBADMSG) {
			worker_restart(worker_of(workers, request));
			return WORKER_NONSENSE;
		}
	} else if (r == 0) {
		r = answer.result;
	}
	*ret = r;
	return 0;
}

/*
 * Asks about an object, with its file where the reader may not know it. A process that does not
 * answer may be suffering from what it read before: to blame is only what ends one with its first
 * question, and that only if it was not killed by somebody else.
 * Returns what request.take does, or a negative errno.
 */
static int ask(struct workers *workers, struct object *object, const struct request *request)
{
	struct worker *reader = worker_of(workers, request);
	unsigned killed = 0;
	bool memory_freed = false, refused;

	while (!is_given_up(object, request) && object->fd >= 0) {
		bool first = !reader->pid || reader->asked == 0;
		bool has_object = first || *known_by_of(object, request) != reader->generation;
		int result = 0, r;

		if (object->may_block && workers_is_stuck(workers, object->identity.device))
			return give_up(workers, object, request,
				       outcome_text(request, WORKER_STUCK));
		r = ask_once(workers, &result, &refused, object, request, has_object);
		if (r == WORKER_DIED && reader->was_killed && killed++ < KILLED_MAX)
			continue;
		if (r >= WORKER_ENDING)
			return give_up(workers, object, request, outcome_text(request, r));
		if (r > 0 && first) {
			if (r == WORKER_STUCK && object->may_block)
				workers_note_stuck(workers, object->identity.device);
			return give_up(workers, object, request, outcome_text(request, r));
		}
		if (r > 0)
			continue;
		if (refused && result == -ENOENT && !has_object) {
			*known_by_of(object, request) = 0;
		} else if (refused && result == -ENOMEM && !memory_freed && reader->pid) {
			/* Others may have used up what it has. */
			worker_restart(reader);
			memory_freed = true;
		} else if (refused && result == -ENOMEM) {
			return give_up(workers, object, request,
				       "reading it takes more memory than profd allows");
		} else if (refused && (result == -EFBIG || result == -E2BIG)) {
			/* What else is in it may be had. */
			workers_give_up(workers, object->path,
					"it holds more than profd reads of a file");
			return result;
		} else {
			return result;
		}
	}
	return is_given_up(object, request) ? -EIO : -ESTALE;
}

static int take_object(void *object, int result, const unsigned char *data, size_t size)
{
	return result > 0 ? result : answer_object(object, data, size);
}

int ask_object(struct workers *workers, struct object **ret, int fd, int root_fd,
	       const struct opened *opened, const char *path)
{
	cleanup(object_unref) struct object *object = object_new(fd, path);
	const struct request request = { .what = READER_OBJECT,
					 .take = take_object,
					 .context = object };
	int r;

	if (!object) {
		fs_close_aside(root_fd);
		return -ENOMEM;
	}
	object->root_fd = root_fd;
	object->identity = opened->identity;
	object->may_block = opened->may_block;
	object->overlay = opened->overlay;
	object->honest = opened->honest;
	r = ask(workers, object, &request);
	if (r == 0)
		*ret = TAKE_PTR(object);
	return r;
}

int ask_vdso(struct workers *workers, struct object **ret)
{
	struct opened opened = { .honest = true };
	struct stat st;
	int fd = vdso_open();

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) == 0)
		opened.identity = object_identity_of(&st);
	return ask_object(workers, ret, fd, -1, &opened, "[vdso]");
}

/* ---- whether files have changed ---- */

enum { STATES_MAX = 1024 };

struct states {
	struct object *objects[STATES_MAX];
	uint32_t ids[STATES_MAX];
	uint32_t count;
};

static int take_states(void *context, int result, const unsigned char *data, size_t size)
{
	const struct states *states = context;
	struct wire_state state;

	if (result > 0 || size != states->count * sizeof(state))
		return -EBADMSG;
	for (uint32_t i = 0; i < states->count; i++) {
		struct object *object = states->objects[i];

		memcpy(&state, data + i * sizeof(state), sizeof(state));
		if (!state.known)
			object->known_by = 0;
		else
			object->changed = state.size != object->identity.size ||
					  state.mtime_ns != object->identity.mtime_ns;
	}
	return 0;
}

/* Is there anything to ask about it? */
static bool may_have_changed(const struct object *object)
{
	return object->may_block && object->fd >= 0 && !object->given_up && !object->changed;
}

/* The first one's fault it is when there is no answer; then the others are asked about without it. */
static void ask_states(struct workers *workers, struct states *states)
{
	const struct request request = { .what = READER_STATES,
					 .payload = states->ids,
					 .size = states->count * sizeof(*states->ids),
					 .take = take_states,
					 .context = states };

	if (states->count)
		(void)ask(workers, states->objects[0], &request);
}

void ask_about_changes(struct workers *workers, struct object *const *objects, uint32_t count)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	for (uint32_t done = 0; done < count;) {
		struct states states = {};

		for (; done < count && states.count < STATES_MAX; done++) {
			struct object *object = objects[done];

			if (!may_have_changed(object))
				continue;
			/* What happens while it is asked about may be missed. */
			object->state_ns = now;
			/* It comes with its file then. */
			if (object->known_by != workers->reader.generation) {
				struct states alone = { { object }, { object->id }, 1 };

				ask_states(workers, &alone);
				continue;
			}
			states.objects[states.count] = object;
			states.ids[states.count++] = object->id;
		}
		ask_states(workers, &states);
	}
}

bool ask_is_unchanged(struct workers *workers, struct object *object, uint64_t since_ns)
{
	if (object->state_ns <= since_ns)
		ask_about_changes(workers, &object, 1);
	return object_is_unchanged(object);
}

struct table_answer {
	struct unwind_table *table;
	struct table_figures *figures;
};

static int take_table(void *context, int result, const unsigned char *data, size_t size)
{
	const struct table_answer *answer = context;

	return result > 0 ? -EBADMSG : answer_table(answer->table, answer->figures, data, size);
}

int ask_table(struct workers *workers, struct unwind_table *ret, struct table_figures *figures,
	      struct object *object)
{
	struct table_answer answer = { ret, figures };
	const struct request request = { .what = READER_TABLE,
					 .take = take_table,
					 .context = &answer };

	return ask(workers, object, &request);
}

/* ---- names ---- */

/* Does the path lead to where packages put debug files? */
static bool is_of_packages(const char *path)
{
	static const char folder[] = "/usr/lib/debug/";

	return strncmp(path, folder, strlen(folder)) == 0 && !strstr(path, "/../");
}

/* Those of several paths, each with its NUL, that lead to where our own packages put debug files. */
static void add_packages_paths(struct bytes *ret, const char *paths, size_t size)
{
	for (const char *path = paths; path < paths + size; path += strlen(path) + 1)
		if (is_of_packages(path))
			bytes_add(ret, path, strlen(path) + 1);
}

/*
 * Opens what is there of several paths, each with its NUL; ret: room for FILES_MAX. Returns how
 * many, or -ENOMEM.
 */
static int open_for(struct workers *workers, int *ret, const struct object *object,
		    const char *paths, size_t size)
{
	cleanup(bytes_fini) struct bytes packages = {};
	int count = 0;

	if (object->root_fd >= 0)
		add_packages_paths(&packages, paths, size);
	if (packages.failed)
		return -ENOMEM;
	/*
	 * Below the target's root, then below our own: there nothing else, for what is in another root
	 * has no say in what is opened in ours.
	 */
	for (unsigned own = object->root_fd < 0; own < 2 && count < FILES_MAX; own++) {
		bool foreign = own && object->root_fd >= 0;
		int opened[MESSAGE_MAX_FDS], r;

		if (foreign && !packages.size)
			break;
		r = ask_files(workers, opened, own ? -1 : object->root_fd, &object->identity,
			      foreign ? packages.at : paths, foreign ? packages.size : size);
		if (r == -ENOMEM)
			return r;
		for (int i = 0; i < r; i++) {
			if (count < FILES_MAX)
				ret[count++] = opened[i];
			else
				close(opened[i]);
		}
	}
	return count;
}

/* The candidates for the object's debug file. Returns as open_for. */
static int open_debug_files(struct workers *workers, int *ret, const struct object *object,
			    bool lines)
{
	cleanup(bytes_fini) struct bytes paths = {};
	cleanup(close) int sent = -1;
	int count = 0;

	/*
	 * It was got because there was nothing better. Only lines are read from what somebody sent:
	 * that cannot take more from the object than those.
	 */
	if (lines && object->debug_parcel >= 0)
		sent = fcntl(object->debug_parcel, F_DUPFD_CLOEXEC, 0);
	if (debug_paths_add(&paths, object) && !paths.failed)
		count = open_for(workers, ret + (sent >= 0), object, paths.at, paths.size);
	if (paths.failed || count < 0)
		return -ENOMEM;
	if (sent < 0)
		return count;
	ret[0] = TAKE_FD(sent);
	return 1 + count;
}

/* So that every address has its turn, whatever became of its object. */
static int name_nothing(uint32_t count, name_fn name, void *context)
{
	const struct name_line none = {
		.kind = WIRE_NAME_NONE, .name = "", .system_name = "", .file = ""
	};
	int r = 0;

	for (uint32_t i = 0; i < count && r >= 0; i++)
		r = name(context, i, &none, 1);
	return r < 0 ? r : 0;
}

struct names_answer {
	struct object *object;
	uint32_t count;
	name_fn name;
	void *context;
	bool taken; /* `answered` addresses have had their turn, or `name` has ended it */
	uint32_t answered;
	struct bytes wanted; /* paths that the reader asks for instead of an answer */
	bool may_want;	     /* it is asked for lines, and may get more */
};

/* What the reader wants: see READER_NAMES. */
static bool are_wanted(const unsigned char *paths, size_t size)
{
	unsigned count = 0;

	if (size == 0 || paths[size - 1])
		return false;
	for (size_t at = 0, length; at < size; at += length + 1, count++) {
		length = strlen((const char *)paths + at);
		if (length >= PATH_MAX || count == WIRE_WANTED_MAX)
			return false;
	}
	return true;
}

static int take_names(void *context, int result, const unsigned char *data, size_t size)
{
	struct names_answer *answer = context;
	int r;

	answer->wanted.size = 0;
	if (result == WIRE_NAMES_WANT) {
		if (!answer->may_want || !are_wanted(data, size))
			return -EBADMSG;
		bytes_add(&answer->wanted, data, size);
		return answer->wanted.failed ? -ENOMEM : 0;
	}
	r = result > 0 ? -EBADMSG
		       : answer_names(data, size, answer->count, &answer->answered, answer->name,
				      answer->context);
	answer->taken = r != -EBADMSG;
	if (answer->taken)
		answer->object->lacks_debug_info =
			((const struct wire_names_head *)data)->lacks_debug_info != 0;
	return r;
}

/* Asks once more, with files. count: of those, or a negative errno. */
static int ask_with_files(struct workers *workers, struct object *object, struct request *request,
			  int *files, int count)
{
	int r;

	request->more = files;
	request->more_count = count < 0 ? 0 : (unsigned)count;
	r = count == -ENOMEM ? count : ask(workers, object, request);
	for (int i = 0; i < count; i++)
		close(files[i]);
	return r;
}

/*
 * The build ID in the path of a debug file below /usr/lib/debug/.build-id, to be freed; NULL: it is
 * none. The reader asks so for a supplementary file (want_supplement in dwarf/further_files.c).
 */
static char *build_id_of(const char *path)
{
	static const char folder[] = "/usr/lib/debug/.build-id/", suffix[] = ".debug";
	const char *id = path + sizeof(folder) - 1;
	char *ret;
	size_t size;

	if (strncmp(path, folder, sizeof(folder) - 1) != 0)
		return NULL;
	size = strspn(id, "0123456789abcdef/");
	if (size < 4 || size > 2 * OBJECT_BUILD_ID_MAX + 1 || id[2] != '/' ||
	    strchr(id + 3, '/') || strcmp(id + size, suffix) != 0)
		return NULL;
	ret = strndup(id, size);
	if (ret)
		memmove(ret + 2, ret + 3, size - 2);
	return ret;
}

/* Of what is not here: the supplementary file may be had elsewhere, or has been. Returns as open_for. */
static int open_supplement(const struct workers *workers, int *ret, struct object *object,
			   const struct bytes *wanted)
{
	cleanup(free) char *build_id = NULL;

	for (size_t at = 0; at < wanted->size && !build_id; at += strlen(wanted->at + at) + 1)
		build_id = build_id_of(wanted->at + at);
	if (!build_id || !workers->wants_debug_files)
		return 0;
	if (object->supplement_parcel < 0) {
		free(object->lacks_supplement);
		object->lacks_supplement = TAKE_PTR(build_id);
		return 0;
	}
	ret[0] = fcntl(object->supplement_parcel, F_DUPFD_CLOEXEC, 0);
	return ret[0] >= 0;
}

/*
 * What somebody sent does not choose which files of this machine are read: it may only go on in others
 * that hold debug information.
 */
static bool may_want(const struct object *object, const char *path)
{
	return object->debug_parcel < 0 || is_of_packages(path);
}

/* Opens what the reader asks for. Returns as open_for. */
static int open_wanted(struct workers *workers, int *ret, struct object *object,
		       const struct bytes *wanted)
{
	const char *slash = strrchr(object->path, '/');
	const size_t folder_size = slash ? (size_t)(slash + 1 - object->path) : 0;
	cleanup(bytes_fini) struct bytes paths = {};
	size_t size;
	int count;

	for (size_t at = 0; at < wanted->size; at += size) {
		size_t before = wanted->at[at] == '/' ? 0 : folder_size;

		size = strlen(wanted->at + at) + 1;
		object->wanted++;
		if (strcmp(wanted->at + at, DEBUG_PACKAGE_SUFFIX) == 0) {
			debug_paths_add_packages(&paths, object);
			continue;
		}
		if (before + size > PATH_MAX || !may_want(object, wanted->at + at))
			continue;
		bytes_add(&paths, object->path, before);
		bytes_add(&paths, wanted->at + at, size);
	}
	if (paths.failed)
		return -ENOMEM;
	count = paths.size ? open_for(workers, ret, object, paths.at, paths.size) : 0;
	return count ? count : open_supplement(workers, ret, object, wanted);
}

/*
 * What an earlier recording has found out, put before the object's debug files. Returns how many files
 * there are then; *kept: whether it is there.
 */
static int add_kept(struct workers *workers, struct object *object, int *files, int count,
		    uint32_t *kept)
{
	struct symbol_cache *cache = &workers->symbol_cache;
	int fd;

	free(object->cache_key);
	object->cache_key = symbol_cache_key_new(cache, object, files, (unsigned)count);
	fd = object->cache_key ? symbol_cache_find(cache, object->cache_key) : -1;
	*kept = fd >= 0;
	if (fd < 0)
		return count;
	memmove(files + 1, files, (unsigned)count * sizeof(*files));
	files[0] = fd;
	return count + 1;
}

static int ask_for_names(struct workers *workers, struct object *object, struct request *request,
			 struct wire_names_question *question)
{
	struct names_answer *answer = request->context;
	int files[1 + FILES_MAX], r = ask(workers, object, request);
	unsigned begun = 0;

	/* An honest reader never asks for the same file twice, but one that began anew does. */
	for (unsigned i = 1; i <= WANTED_ROUNDS_MAX && !answer->taken && object->fd >= 0; i++) {
		int count = 0;

		question->kept = 0;
		if (r == -ESTALE && begun++ < BEGUN_MAX) {
			question->files = WIRE_DEBUG_FILES;
			count = open_debug_files(workers, files, object, request->lines);
			if (request->lines && count >= 0)
				count = add_kept(workers, object, files, count, &question->kept);
		} else if (r == 0 && i < WANTED_ROUNDS_MAX &&
			   object->wanted < WANTED_OF_OBJECT_MAX) {
			question->files = WIRE_WANTED_FILES;
			count = open_wanted(workers, files, object, &answer->wanted);
		} else if (r == 0) {
			workers_give_up(workers, object->path,
					"it has more further files than profd opens for one");
			question->files = WIRE_NO_MORE_FILES;
		} else {
			break;
		}
		answer->may_want = request->lines && question->files != WIRE_NO_MORE_FILES;
		r = ask_with_files(workers, object, request, files, count);
	}
	return r;
}

int ask_names(struct workers *workers, struct object *object, const uint64_t *addresses,
	      uint32_t count, uint32_t *ret_answered, name_fn name, void *context)
{
	struct names_answer answer = {
		.object = object, .count = count, .name = name, .context = context
	};
	struct request request = { .what = READER_NAMES, .take = take_names, .context = &answer };
	cleanup(bytes_fini) struct bytes payload = {};
	int r = -EIO;

	/* Names only, where lines are not to be had. */
	for (int lines = 1; lines >= 0 && !answer.taken && r != -ENOMEM; lines--) {
		const struct wire_names_question head = {
			.address_count = count,
			.lines = (uint32_t)lines,
			.about_debug_info = workers->wants_debug_files,
		};

		payload.size = 0;
		bytes_add(&payload, &head, sizeof(head));
		bytes_add(&payload, addresses, count * sizeof(*addresses));
		if (payload.failed)
			return -ENOMEM;
		request.payload = payload.at;
		request.size = payload.size;
		request.lines = answer.may_want = lines;
		request.more_count = 0;
		r = ask_for_names(workers, object, &request, (void *)payload.at);
	}
	bytes_fini(&answer.wanted);
	*ret_answered = answer.taken ? answer.answered : count;
	return answer.taken || r == -ENOMEM ? r : name_nothing(count, name, context);
}

struct keep_call {
	struct symbol_cache *cache;
	const struct symbol_cache_key *key;
};

static int take_kept(void *context, int result, const unsigned char *data, size_t size)
{
	const struct keep_call *call = context;

	/* That it could not be kept is no harm. */
	if (result != WIRE_NAMES_NO_MORE)
		(void)symbol_cache_put(call->cache, call->key, data, size);
	return 0;
}

int ask_to_keep(struct workers *workers, struct object *object)
{
	struct keep_call call = { &workers->symbol_cache, object->cache_key };
	const struct request request = { .what = READER_KEEP,
					 .take = take_kept,
					 .context = &call,
					 .lines = true };

	/*
	 * Further files are not part of the key; and what is not known any more is not worth reading again.
	 */
	if (!object->cache_key || object->fd < 0 || object->wanted ||
	    is_given_up(object, &request) || !object->lines_known_by ||
	    object->lines_known_by != workers->liner.generation || !object_is_unchanged(object))
		return 0;
	return ask(workers, object, &request) == -ENOMEM ? -ENOMEM : 0;
}

/* ---- the rest ---- */

static int take_needed(void *needed, int result, const unsigned char *data, size_t size)
{
	return result > 0 ? -EBADMSG : answer_needed(needed, data, size);
}

int ask_needed(struct workers *workers, struct needed *ret, struct object *object)
{
	const struct request request = { .what = READER_NEEDED,
					 .take = take_needed,
					 .context = ret };

	return ask(workers, object, &request);
}

struct calls_answer {
	uint64_t *calls;
	uint32_t count;
};

static int take_calls(void *context, int result, const unsigned char *data, size_t size)
{
	const struct calls_answer *answer = context;

	return result > 0 ? -EBADMSG : answer_calls(answer->calls, answer->count, data, size);
}

int ask_calls(struct workers *workers, uint64_t *ret, struct object *object,
	      const uint64_t *addresses, uint32_t count)
{
	struct calls_answer answer = { ret, count };
	const struct request request = { .what = READER_CALLS,
					 .payload = addresses,
					 .size = count * sizeof(*addresses),
					 .take = take_calls,
					 .context = &answer };

	return ask(workers, object, &request);
}

bool ask_may_demangle(const char *name)
{
	return (strncmp(name, "_Z", 2) == 0 || strncmp(name, "_R", 2) == 0) &&
	       strnlen(name, MAX_MANGLED_BYTES) < MAX_MANGLED_BYTES;
}

static size_t count_texts(const unsigned char *texts, size_t size)
{
	size_t count = 0;

	for (size_t i = 0; i < size; i++)
		count += texts[i] == '\0';
	return count;
}

static bool are_as_many(const struct answer *answer, const char *names, size_t size)
{
	return answer->size && answer->at[answer->size - 1] == '\0' &&
	       count_texts(answer->at, answer->size) ==
		       count_texts((const unsigned char *)names, size);
}

int ask_demangled(struct workers *workers, struct bytes *ret, const char *names, size_t size,
		  const struct payer *payer)
{
	const struct question question = { .what = READER_DEMANGLE };
	struct worker *reader = &workers->reader;
	unsigned killed = 0;

	for (;;) {
		cleanup(answer_fini) struct answer answer = {};
		bool first = !reader->pid || reader->asked == 0;
		int r = workers_ask(workers, reader, payer, &answer, question, names, size, NULL,
				    0);

		if (r == 0 && answer.result == 0 && are_as_many(&answer, names, size)) {
			bytes_add(ret, answer.at, answer.size);
			return ret->failed ? -ENOMEM : 0;
		}
		if (r < 0)
			return r;
		if (r == WORKER_DIED && reader->was_killed && killed++ < KILLED_MAX)
			continue;
		if (r == 0) { /* out of memory, or nonsense */
			worker_restart(reader);
			r = WORKER_NONSENSE;
		}
		if (r >= WORKER_ENDING || first)
			return r;
	}
}

static void forget(struct workers *workers, struct object *object, struct worker *reader,
		   uint32_t *known_by)
{
	const struct question question = { .what = READER_FORGET, .object = object->id };
	const struct payer payer = payer_of(object);
	struct answer answer;
	int r = 0;

	if (reader->pid && *known_by && *known_by == reader->generation) {
		/* Who closes a file there does not come back. */
		if (object->may_block && workers_is_stuck(workers, object->identity.device))
			worker_restart(reader);
		else
			r = workers_ask(workers, reader, &payer, &answer, question, NULL, 0, NULL,
					0);
		if (reader->pid && r == 0)
			answer_fini(&answer);
		if (r > WORKER_ENDING) /* not even asked */
			worker_restart(reader);
	}
	if (r == WORKER_STUCK && object->may_block)
		workers_note_stuck(workers, object->identity.device);
	*known_by = 0;
}

void ask_lines_anew(struct workers *workers, struct object *object)
{
	forget(workers, object, &workers->liner, &object->lines_known_by);
}

void ask_forget(struct workers *workers, struct object *object)
{
	forget(workers, object, &workers->reader, &object->known_by);
	forget(workers, object, &workers->liner, &object->lines_known_by);
	object_close(object);
}
