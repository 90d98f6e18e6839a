// SPDX-License-Identifier: Apache-2.0
#include "server/server.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/sealed.h"
#include "server/listen.h"
#include "server/settings.h"

enum {
	TOKEN_FILE_BYTES = 4096,
	END_MS = 500,
	NICE = 10,
};

bool server_is_built_in(void)
{
	return true;
}

/* ---- what it is told ---- */

/* The file's first line. */
static int read_token(struct bytes *settings, const char *path, struct bytes *why)
{
	cleanup(bytes_fini) struct bytes text = {};
	int r = fs_read(&text, AT_FDCWD, path, TOKEN_FILE_BYTES);
	char *line;

	if (r < 0) {
		bytes_add_format(why, "token file %s: %s", path, strerror(-r));
		return r;
	}
	if (!bytes_str(&text))
		return -ENOMEM;
	line = text.at;
	line[strcspn(line, "\r\n")] = '\0';
	r = token_is_good(line) ? settings_add(settings, "token", line) : -EINVAL;
	if (r < 0)
		bytes_add_format(why,
				 "token file %s: its first line has to be of %d to %d characters, "
				 "none of them blank",
				 path, TOKEN_BYTES_MIN, TOKEN_BYTES_MAX);
	explicit_bzero(text.at, text.size);
	return r;
}

/*
 * Whom it becomes when profd runs as root: the user profd, or nobody, with the group of the history,
 * which may read it. Others stay who they are.
 */
static void add_user(struct bytes *settings, const char *store)
{
	const struct passwd *user;
	struct stat status;

	if (geteuid() != 0)
		return;
	user = getpwnam("profd");
	if (!user)
		user = getpwnam("nobody");
	if (!user)
		return;
	bytes_add_format(settings, "uid %u\ngid %u\n", user->pw_uid,
			 store && stat(store, &status) == 0 ? status.st_gid : user->pw_gid);
}

static int make_settings(struct server *server, const struct server_options *options,
			 struct bytes *why)
{
	cleanup(bytes_fini) struct bytes settings = {};
	int r = 0;

	if (options->store_folder)
		r = settings_add(&settings, "store", options->store_folder);
	for (unsigned i = 0; i < options->host_count && r == 0; i++)
		r = settings_add(&settings, "host", options->hosts[i]);
	if (r < 0) {
		bytes_add_str(why, "an empty name, or one with a line end in it");
		return r;
	}
	add_user(&settings, options->store_folder);
	if (options->token_file)
		r = read_token(&settings, options->token_file, why);
	if (r < 0)
		return r;
	server->settings = settings.failed ? -ENOMEM : sealed_make(settings.at, settings.size);
	if (settings.at)
		explicit_bzero(settings.at, settings.size);
	if (server->settings < 0) {
		r = server->settings;
		server->settings = -1;
		bytes_add_str(why, strerror(-r));
	}
	return r;
}

int server_open(struct server *ret, const struct server_options *options, struct bytes *why)
{
	struct server server = SERVER_NULL;
	int r = make_settings(&server, options, why);

	if (r == 0 && options->listen) {
		r = listen_tcp(options->listen, options->token_file != NULL, &server.tcp_port, why);
		if (r >= 0)
			server.tcp_socket = r;
	}
	if (r >= 0 && options->socket_path) {
		server.socket_path = strdup(options->socket_path);
		r = server.socket_path ? listen_unix(options->socket_path, options->socket_group,
						     &server.group_is_missing, why)
				       : -ENOMEM;
		if (r >= 0) {
			server.unix_socket = r;
		} else { /* what stands there is not ours */
			free(server.socket_path);
			server.socket_path = NULL;
		}
	}
	if (r < 0) {
		server_close(&server);
		return r;
	}
	*ret = server;
	return 0;
}

/* ---- the process ---- */

/* Only what is safe between fork and exec. fds: in the order of the enum in settings.h; -1: none. */
static void become_server(const int fds[SERVER_DESCRIPTORS_END - SERVER_CONTROL], pid_t parent)
{
	char *const arguments[] = { (char *)"profd", (char *)"_server", NULL };
	char zone[4096 + 4];
	char *environment[] = { NULL, NULL };
	int moved[SERVER_DESCRIPTORS_END - SERVER_CONTROL];
	const char *tz = getenv("TZ");
	sigset_t none;
	int null;

	(void)setsid();
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* People ask for clock times. */
	if (tz && strlen(tz) < sizeof(zone) - 4) {
		memcpy(zone, "TZ=", 3);
		memcpy(zone + 3, tz, strlen(tz) + 1);
		environment[0] = zone;
	}
	null = open("/dev/null", O_RDWR);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		_exit(126);
	/* None may lie where another one is to be. */
	for (int i = 0; i < SERVER_DESCRIPTORS_END - SERVER_CONTROL; i++) {
		moved[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_DUPFD, SERVER_DESCRIPTORS_END);
		if (moved[i] < 0 && fds[i] >= 0)
			_exit(126);
	}
	for (int i = 0; i < SERVER_DESCRIPTORS_END - SERVER_CONTROL; i++)
		if (moved[i] < 0)
			(void)close(SERVER_CONTROL + i);
		else if (dup2(moved[i], SERVER_CONTROL + i) < 0)
			_exit(126);
	if (syscall(SYS_close_range, SERVER_DESCRIPTORS_END, ~0U, 0) < 0)
		_exit(126);
	execve("/proc/self/exe", arguments, environment);
	_exit(127);
}

int server_start(struct server *server)
{
	cleanup(close) int ours = -1;
	cleanup(close) int theirs = -1;
	pid_t parent = getpid(), pid;
	int pair[2];

	if (server->pid)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	ours = pair[0];
	theirs = pair[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		become_server((const int[]){ theirs, server->settings, server->unix_socket,
					     server->tcp_socket },
			      parent);
	/* Recording comes first. */
	(void)setpriority(PRIO_PROCESS, (id_t)pid, NICE);
	server->pid = pid;
	server->control = TAKE_FD(ours);
	return 0;
}

void server_stop(struct server *server)
{
	pid_t done = 0;

	if (server->control >= 0)
		close(server->control);
	server->control = -1;
	if (!server->pid)
		return;
	/* Nothing that it does needs an end: it only reads. */
	(void)kill(server->pid, SIGKILL);
	for (unsigned i = 0; i < END_MS && done == 0; i++) {
		done = waitpid(server->pid, NULL, WNOHANG);
		if (done == 0)
			usleep(1000);
	}
	server->pid = 0;
}

void server_close(struct server *server)
{
	server_stop(server);
	if (server->socket_path)
		(void)unlink(server->socket_path);
	free(server->socket_path);
	if (server->unix_socket >= 0)
		close(server->unix_socket);
	if (server->tcp_socket >= 0)
		close(server->tcp_socket);
	if (server->settings >= 0)
		close(server->settings);
	*server = (struct server)SERVER_NULL;
}
