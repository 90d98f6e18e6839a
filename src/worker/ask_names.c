// SPDX-License-Identifier: Apache-2.0
/* Names and lines of an object's addresses, and the files that they are read from. */
#include "worker/ask_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "elf/debug_paths.h"
#include "worker/reader_request.h"

enum {
	WANTED_ROUNDS_MAX = 256,
	/* For one object, all in all. The largest programs have as many units, and use a part. */
	WANTED_OF_OBJECT_MAX = 16384,
	BEGUN_MAX = 3, /* times that the reader has forgotten the object meanwhile */
	FILES_MAX = SYMBOL_CACHE_FILES_MAX,
};
_Static_assert((int)FILES_MAX == 2 * WIRE_WANTED_MAX, "below two roots");
_Static_assert(2 + FILES_MAX <= MESSAGE_MAX_FDS, "with the object and what was kept");

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
static int ask_with_files(struct workers *workers, struct object *object,
			  struct reader_request *request, int *files, int count)
{
	int r;

	request->more = files;
	request->more_count = count < 0 ? 0 : (unsigned)count;
	r = count == -ENOMEM ? count : reader_request(workers, object, request);
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
	if (size < 4 || size > 2 * OBJECT_BUILD_ID_MAX + 1 || id[2] != '/' || strchr(id + 3, '/') ||
	    strcmp(id + size, suffix) != 0)
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
	object->cache_key =
		symbol_cache_key_new(cache, object, SYMBOL_CACHE_NAMES, files, (unsigned)count);
	fd = object->cache_key ? symbol_cache_find(cache, object->cache_key) : -1;
	*kept = fd >= 0;
	if (fd < 0)
		return count;
	memmove(files + 1, files, (unsigned)count * sizeof(*files));
	files[0] = fd;
	return count + 1;
}

static int ask_for_names(struct workers *workers, struct object *object,
			 struct reader_request *request, struct wire_names_question *question)
{
	struct names_answer *answer = request->context;
	int files[1 + FILES_MAX], r = reader_request(workers, object, request);
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
	struct reader_request request = { .what = READER_NAMES,
					  .take = take_names,
					  .context = &answer };
	cleanup(bytes_fini) struct bytes payload = {};
	int r = -EIO;

	/* Names only, where lines are not to be had. */
	for (int lines = !object->lines_declined; lines >= 0 && !answer.taken && r != -ENOMEM;
	     lines--) {
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
		if (lines && r == -EOPNOTSUPP)
			object->lines_declined = true;
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
	const struct reader_request request = {
		.what = READER_KEEP, .take = take_kept, .context = &call, .lines = true
	};

	/*
	 * Further files are not part of the key; and what is not known any more is not worth reading again.
	 */
	if (!object->cache_key || object->fd < 0 || object->wanted ||
	    reader_request_is_given_up(object, &request) || !object->lines_known_by ||
	    object->lines_known_by != workers->liner.generation || !object_is_unchanged(object))
		return 0;
	return reader_request(workers, object, &request) == -ENOMEM ? -ENOMEM : 0;
}
