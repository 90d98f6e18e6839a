// SPDX-License-Identifier: Apache-2.0
/*
 * mute_fs FOLDER NAME=FILE...
 *
 * A file system on FOLDER with one folder of files, whose server can fall silent: it speaks the
 * kernel's FUSE protocol (linux/fuse.h) over /dev/fuse itself. Prints "ready" once it is mounted.
 *
 * Lines on stdin: "mute WHAT..." leaves all questions of these kinds without an answer from now on
 * (read, open, flush, lookup, getattr, statfs, release, all), "slow MS" takes so long for each answer,
 * "speak" answers everything that waits and what comes, at once. Each is confirmed with "done", and
 * "await" once a question waits. When stdin ends, or on SIGTERM, it unmounts and ends, which makes
 * every question that still waits fail.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILES = 64, QUESTION_BYTES = 1 << 20, READ_BYTES_MAX = 128 << 10, MAX_WAITING = 4096 };

static struct {
	const char *name;
	int fd;
} files[MAX_FILES];
static unsigned file_count;

static const struct {
	const char *name;
	uint32_t opcode;
} kinds[] = {
	{ "read", FUSE_READ },	     { "open", FUSE_OPEN },	  { "flush", FUSE_FLUSH },
	{ "lookup", FUSE_LOOKUP },   { "getattr", FUSE_GETATTR }, { "statfs", FUSE_STATFS },
	{ "release", FUSE_RELEASE },
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static bool mute[KINDS];
static void *waiting[MAX_WAITING]; /* questions kept for "speak" */
static unsigned waiting_count;
static useconds_t nap_us; /* before each answer */
static bool awaited;
static int device;

static void answer(const struct fuse_in_header *question, int error, const void *data, size_t size)
{
	static char message[sizeof(struct fuse_out_header) + READ_BYTES_MAX];
	struct fuse_out_header head = { .error = error, .unique = question->unique };

	head.len = (uint32_t)(sizeof(head) + size);
	memcpy(message, &head, sizeof(head));
	if (size)
		memcpy(message + sizeof(head), data, size);
	usleep(nap_us);
	/* Who asked may be gone (ENOENT). */
	if (write(device, message, head.len) < 0 && errno != ENOENT)
		perror("mute_fs: write");
}

/* Node 1 is the folder, 2... the files. */
static int attributes(struct fuse_attr *ret, uint64_t node)
{
	struct stat st;

	*ret = (struct fuse_attr){ .ino = node, .blksize = 4096, .nlink = 1 };
	if (node == FUSE_ROOT_ID) {
		ret->mode = S_IFDIR | 0755;
		return 0;
	}
	if (node - 2 >= file_count)
		return -ENOENT;
	if (fstat(files[node - 2].fd, &st) < 0)
		return -errno;
	ret->mode = S_IFREG | 0755;
	ret->size = (uint64_t)st.st_size;
	ret->blocks = ret->size / 512;
	return 0;
}

static void answer_init(const struct fuse_in_header *question, const struct fuse_init_in *in)
{
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = in->minor < FUSE_KERNEL_MINOR_VERSION ? in->minor
							       : FUSE_KERNEL_MINOR_VERSION,
		/* What nobody read yet is asked for when somebody reads it, and not before. */
		.max_readahead = 4096,
		.max_write = 4096,
		.max_background = 16,
		.congestion_threshold = 12,
		.time_gran = 1,
	};

	answer(question, 0, &out, sizeof(out));
}

/* Nothing that was told is good for later: the kernel asks each time. */
static void answer_lookup(const struct fuse_in_header *question, const char *name)
{
	struct fuse_entry_out out = {};
	uint64_t node = 0;

	for (unsigned i = 0; i < file_count && question->nodeid == FUSE_ROOT_ID; i++)
		if (strcmp(files[i].name, name) == 0)
			node = i + 2;
	out.nodeid = node;
	answer(question, node ? attributes(&out.attr, node) : -ENOENT, &out,
	       node ? sizeof(out) : 0);
}

static void answer_getattr(const struct fuse_in_header *question)
{
	struct fuse_attr_out out = {};
	int r = attributes(&out.attr, question->nodeid);

	answer(question, r, &out, r < 0 ? 0 : sizeof(out));
}

static void answer_read(const struct fuse_in_header *question, const struct fuse_read_in *in)
{
	static char data[READ_BYTES_MAX];
	size_t size = in->size < sizeof(data) ? in->size : sizeof(data);
	ssize_t got = -1;

	errno = ENOENT;
	if (question->nodeid - 2 < file_count)
		got = pread(files[question->nodeid - 2].fd, data, size, (off_t)in->offset);
	answer(question, got < 0 ? -errno : 0, data, got < 0 ? 0 : (size_t)got);
}

static void answer_question(const struct fuse_in_header *question)
{
	/* A running program keeps its pages when somebody else opens its file. */
	static const struct fuse_open_out opened = { .open_flags = FOPEN_KEEP_CACHE };
	static const struct fuse_statfs_out statfs = { .st = { .bsize = 4096, .namelen = 255 } };
	const void *in = question + 1;

	switch (question->opcode) {
	case FUSE_INIT:
		answer_init(question, in);
		break;
	case FUSE_LOOKUP:
		answer_lookup(question, in);
		break;
	case FUSE_GETATTR:
		answer_getattr(question);
		break;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		answer(question, 0, &opened, sizeof(opened));
		break;
	case FUSE_READ:
		answer_read(question, in);
		break;
	case FUSE_STATFS:
		answer(question, 0, &statfs, sizeof(statfs));
		break;
	case FUSE_FLUSH:
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
		answer(question, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break; /* want no answer */
	default:
		answer(question, -ENOSYS, NULL, 0);
	}
}

static bool is_mute(uint32_t opcode)
{
	for (unsigned i = 0; i < KINDS; i++)
		if (kinds[i].opcode == opcode)
			return mute[i];
	return false;
}

static void confirm(void)
{
	puts("done");
	fflush(stdout);
}

/* A question has come and has to wait. */
static void confirm_awaited(void)
{
	if (awaited)
		confirm();
	awaited = false;
}

/* Returns false when the file system was unmounted. */
static bool take_question(void)
{
	static _Alignas(8) char data[QUESTION_BYTES];
	const struct fuse_in_header *question = (const void *)data;
	ssize_t size = read(device, data, sizeof(data));

	if (size < 0)
		return errno != ENODEV;
	if (!is_mute(question->opcode)) {
		if (nap_us)
			confirm_awaited();
		answer_question(question);
	} else if (waiting_count < MAX_WAITING) {
		waiting[waiting_count] = malloc((size_t)size);
		if (waiting[waiting_count])
			memcpy(waiting[waiting_count++], data, (size_t)size);
		confirm_awaited();
	}
	return true;
}

static void obey(char *line)
{
	char *rest = NULL, *word = strtok_r(line, " \n", &rest);

	if (word && strcmp(word, "speak") == 0) {
		memset(mute, 0, sizeof(mute));
		nap_us = 0;
		for (unsigned i = 0; i < waiting_count; i++) {
			answer_question(waiting[i]);
			free(waiting[i]);
		}
		waiting_count = 0;
	} else if (word && strcmp(word, "await") == 0) {
		awaited = true;
		if (waiting_count)
			confirm_awaited();
		return;
	} else if (word && strcmp(word, "slow") == 0) {
		word = strtok_r(NULL, " \n", &rest);
		nap_us = word ? (useconds_t)atoi(word) * 1000 : 0;
	} else if (word && strcmp(word, "mute") == 0) {
		while ((word = strtok_r(NULL, " \n", &rest)))
			for (unsigned i = 0; i < KINDS; i++)
				mute[i] = mute[i] || strcmp(word, kinds[i].name) == 0 ||
					  strcmp(word, "all") == 0;
	}
	confirm();
}

static const char *folder;

static void end(int signal)
{
	(void)signal;
	(void)umount2(folder, MNT_DETACH);
	_exit(0);
}

static void mount_it(void)
{
	char options[128];

	device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other",
		 device);
	if (device < 0 || mount("mute_fs", folder, "fuse", MS_NOSUID | MS_NODEV, options) < 0) {
		perror("mute_fs: mount");
		exit(1);
	}
	signal(SIGTERM, end);
}

int main(int argc, char **argv)
{
	struct pollfd both[2] = { { .events = POLLIN }, { .fd = 0, .events = POLLIN } };

	if (argc < 3 || argc - 2 > MAX_FILES)
		return 2;
	folder = argv[1];
	for (int i = 2; i < argc; i++) {
		char *equals = strchr(argv[i], '=');

		if (!equals)
			return 2;
		*equals = '\0';
		files[file_count].name = argv[i];
		files[file_count].fd = open(equals + 1, O_RDONLY | O_CLOEXEC);
		if (files[file_count++].fd < 0)
			return 2;
	}
	mount_it();
	puts("ready");
	fflush(stdout);
	both[0].fd = device;
	setvbuf(stdin, NULL, _IONBF, 0);
	while (poll(both, 2, -1) >= 0 || errno == EINTR) {
		char line[256];

		if (both[0].revents && !take_question())
			break;
		if (both[1].revents) {
			if (!fgets(line, sizeof(line), stdin))
				break;
			obey(line);
		}
	}
	end(0);
}
