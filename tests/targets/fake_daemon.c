// SPDX-License-Identifier: Apache-2.0
/*
 * A daemon that records nothing, for the tests of its HTTP server, which is the real one. What it is
 * asked for is answered after the target's name; every line from the server is printed.
 *
 *     fake_daemon FOLDER SOCKET|- LISTEN|- TOKEN_FILE|- HOST...
 *
 * FOLDER stands for the history: `status.json` in it is the status, and a query answers with
 * `answer.FORMAT` (or .timeline, .list, .deploys), or with what it was asked and what it may do.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "server/control_protocol.h"
#include "server/server.h"

enum { STATUS_BYTES = 1 << 20, ANSWER_BYTES = 8 << 20, CAPTURES = 64 };

/* ---- `profd query` ---- */

static const char *option(char **argv, const char *name)
{
	for (; *argv; argv++)
		if (strncmp(*argv, name, strlen(name)) == 0 && (*argv)[strlen(name)] == '=')
			return *argv + strlen(name) + 1;
	return "";
}

static void add_status(struct json *json)
{
	static const char *const names[] = { "Uid",    "Gid",	     "CapEff",
					     "CapBnd", "NoNewPrivs", "Seccomp" };
	cleanup(bytes_fini) struct bytes text = {};
	char *rest, *line;

	(void)fs_read(&text, AT_FDCWD, "/proc/self/status", STATUS_BYTES);
	rest = bytes_str(&text) ? text.at : NULL;
	while ((line = strsep(&rest, "\n")))
		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			if (strncmp(line, names[i], strlen(names[i])) == 0 &&
			    line[strlen(names[i])] == ':')
				json_string(json, names[i], line + strlen(names[i]) + 2);
}

/* The argument's file, as somebody else would find it. */
static int try_open(const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int tell(char **argv)
{
	cleanup(bytes_fini) struct bytes text = {};
	struct json json = json_to(&text);

	json_object(&json, NULL);
	json_array(&json, "words");
	for (; *argv; argv++)
		json_string(&json, NULL, *argv);
	json_end(&json);
	add_status(&json);
	json_u64(&json, "pid", (uint64_t)getpid());
	json_i64(&json, "shadow", try_open("/etc/shadow", O_WRONLY));
	json_i64(&json, "made", try_open("/tmp/profd-made-by-a-query", O_WRONLY | O_CREAT));
	json_i64(&json, "socket", socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0);
	json_i64(&json, "kill", kill(getppid(), 0) < 0 ? errno : 0);
	json_i64(&json, "descriptor", fcntl(3, F_GETFD) < 0 ? errno : 0);
	json_end(&json);
	return fs_write_all(STDOUT_FILENO, text.at, text.size) < 0;
}

static bool has_option(char **argv, const char *word)
{
	for (; *argv; argv++)
		if (strncmp(*argv, word, strlen(word)) == 0)
			return true;
	return false;
}

/* What is asked for: a format, or what else `profd query` prints. */
static const char *kind_of(char **argv)
{
	return has_option(argv, "--every")     ? "timeline"
	       : has_option(argv, "--list")    ? "list"
	       : has_option(argv, "--deploys") ? "deploys"
					       : option(argv, "--format");
}

static int answer_query(char **argv)
{
	static const char piece[64 << 10];
	const char *comm = option(argv, "--comm");
	cleanup(bytes_fini) struct bytes answer = {};
	cleanup(free) char *path = NULL;

	if (strcmp(comm, "crash") == 0)
		abort();
	if (strcmp(comm, "usage") == 0) {
		fprintf(stderr, "profd: --since: not understood\nprofd: and more\n");
		return 2;
	}
	if (strcmp(comm, "nothing") == 0) {
		fprintf(stderr, "profd: nothing was recorded\n");
		return 1;
	}
	if (strcmp(comm, "slow") == 0)
		sleep(1000);
	while (strcmp(comm, "busy") == 0)
		;
	while (strcmp(comm, "large") == 0)
		if (fs_write_all(STDOUT_FILENO, piece, sizeof(piece)) < 0)
			return 1;
	if (strcmp(comm, "memory") == 0 && !malloc(4ULL << 30)) {
		fprintf(stderr, "profd: out of memory\n");
		return 1;
	}
	if (asprintf(&path, "%s/answer.%s", option(argv, "--store"), kind_of(argv)) < 0)
		return 1;
	if (fs_read(&answer, AT_FDCWD, path, ANSWER_BYTES) < 0)
		return tell(argv);
	return fs_write_all(STDOUT_FILENO, answer.at, answer.size) < 0;
}

/* ---- the daemon ---- */

struct fake {
	const char *folder;
	struct server server;
	struct bytes in, out;
	struct {
		struct control_request request;
		uint64_t begun_ns;
		bool runs;
	} captures[CAPTURES];
};

static void say(struct fake *fake, const struct control_answer *answer)
{
	control_answer_add(&fake->out, answer);
}

static void say_status(struct fake *fake, uint64_t id)
{
	cleanup(bytes_fini) struct bytes text = {};
	cleanup(free) char *path = NULL;

	/* Without the file it says nothing at all. */
	if (asprintf(&path, "%s/status.json", fake->folder) < 0 ||
	    fs_read(&text, AT_FDCWD, path, STATUS_BYTES) < 0 || !bytes_str(&text))
		return;
	say(fake, &(struct control_answer){ .result = CONTROL_IS_STATUS,
					    .id = id,
					    .text = text.at });
}

static void begin_capture(struct fake *fake, const struct control_request *request)
{
	const char *name = request->value;

	if (strcmp(name, "absent") == 0) {
		say(fake, &(struct control_answer){ .result = CONTROL_ABSENT,
						    .id = request->id,
						    .text = "there is no unit called absent" });
	} else if (strcmp(name, "busy") == 0) {
		say(fake, &(struct control_answer){ .result = CONTROL_BUSY,
						    .id = request->id,
						    .text = "the governor allows no more" });
	} else if (strcmp(name, "failed") == 0 || request->verb == CONTROL_RECORD) {
		say(fake,
		    &(struct control_answer){ .result = CONTROL_FAILED,
						    .id = request->id,
						    .text = "it broke" });
	} else if (strcmp(name, "nonsense") == 0) {
		bytes_add_str(&fake->out, "captured x y z\n");
	} else if (strcmp(name, "never") != 0) {
		for (unsigned i = 0; i < CAPTURES; i++)
			if (!fake->captures[i].runs) {
				fake->captures[i].request = *request;
				fake->captures[i].begun_ns = clock_ns(CLOCK_REALTIME);
				fake->captures[i].runs = true;
				return;
			}
		abort(); /* the server asks for more than it may */
	}
}

static void take_line(struct fake *fake, const char *line)
{
	struct control_request request;

	printf("%s\n", line);
	if (control_request_parse(&request, line) < 0)
		abort();
	if (request.verb == CONTROL_STATUS)
		say_status(fake, request.id);
	else if (request.verb == CONTROL_CAPTURE || request.verb == CONTROL_RECORD)
		begin_capture(fake, &request);
	for (unsigned i = 0; i < CAPTURES && request.verb == CONTROL_CANCEL; i++)
		if (fake->captures[i].request.id == request.id)
			fake->captures[i].runs = false;
}

static void end_captures(struct fake *fake)
{
	uint64_t now = clock_ns(CLOCK_REALTIME);

	for (unsigned i = 0; i < CAPTURES; i++) {
		uint64_t end = fake->captures[i].begun_ns +
			       fake->captures[i].request.seconds * 1000000000ULL;

		if (!fake->captures[i].runs || now < end)
			continue;
		fake->captures[i].runs = false;
		say(fake, &(struct control_answer){
				   .result = CONTROL_CAPTURED,
				   .id = fake->captures[i].request.id,
				   .from_ns = (int64_t)fake->captures[i].begun_ns,
				   .until_ns = (int64_t)end,
			   });
	}
}

/* Returns false when the server is gone. */
static bool talk(struct fake *fake)
{
	struct pollfd wait = { .fd = fake->server.control,
			       .events = (short)(POLLIN | (fake->out.size ? POLLOUT : 0)) };
	char piece[4096];
	size_t start = 0;
	ssize_t size;
	char *line;

	(void)poll(&wait, 1, 50);
	size = recv(fake->server.control, piece, sizeof(piece), MSG_DONTWAIT);
	if (size == 0 || (size < 0 && errno != EAGAIN))
		return false;
	bytes_add(&fake->in, piece, size > 0 ? (size_t)size : 0);
	while ((line = control_next_line(&fake->in, &start)))
		take_line(fake, line);
	control_drop_lines(&fake->in, start);
	end_captures(fake);
	size = fake->out.size ? send(fake->server.control, fake->out.at, fake->out.size,
				     MSG_DONTWAIT | MSG_NOSIGNAL)
			      : 0;
	if (size > 0) {
		memmove(fake->out.at, fake->out.at + size, fake->out.size - (size_t)size);
		fake->out.size -= (size_t)size;
	}
	return true;
}

static volatile sig_atomic_t is_over;

static void end(int number)
{
	(void)number;
	is_over = 1;
}

static const char *given(const char *word)
{
	return strcmp(word, "-") == 0 ? NULL : word;
}

int main(int argc, char **argv)
{
	struct fake fake = { .server = SERVER_NULL };
	cleanup(bytes_fini) struct bytes why = {};
	struct server_options options = {};
	int r;

	if (argc > 1 && strcmp(argv[1], "_server") == 0)
		return server_main();
	if (argc > 1 && strcmp(argv[1], "query") == 0)
		return answer_query(argv);
	if (argc < 5)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGTERM, end);
	fake.folder = argv[1];
	options.store_folder = argv[1];
	options.socket_path = given(argv[2]);
	options.socket_group = "daemon";
	options.listen = given(argv[3]);
	options.token_file = given(argv[4]);
	options.hosts = argv + 5;
	options.host_count = (unsigned)(argc - 5);
	r = server_open(&fake.server, &options, &why);
	if (r < 0) {
		printf("refused %s\n", bytes_str(&why));
		return 1;
	}
	while (!is_over) {
		r = server_start(&fake.server);
		if (r < 0)
			return 1;
		printf("ready %d %u\n", (int)fake.server.pid, fake.server.tcp_port);
		while (!is_over && talk(&fake))
			;
		server_stop(&fake.server);
		fake.in.size = fake.out.size = 0;
		memset(fake.captures, 0, sizeof(fake.captures));
	}
	server_close(&fake.server);
	bytes_fini(&fake.in);
	bytes_fini(&fake.out);
	return 0;
}
