// SPDX-License-Identifier: Apache-2.0
/* Ways to go elsewhere than by calls and returns. */
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define FUNCTION __attribute__((noipa))
/* Between a call and the return: the call cannot become a jump. */
#define NOT_A_TAIL_CALL __asm__ volatile("" ::: "memory")

extern char **environ;

static jmp_buf back;
static int sum;

FUNCTION static void descend(int left)
{
	if (left == 0 && sum >= 0)
		longjmp(back, 1);
	descend(left - 1);
	NOT_A_TAIL_CALL;
}

FUNCTION static void jump(void)
{
	if (setjmp(back) == 0)
		descend(10);
	sum++;
}

/* ---- jumps to functions ---- */

FUNCTION static int tail_last(int value)
{
	char text[32];

	snprintf(text, sizeof(text), "%d", value);
	return text[0];
}

FUNCTION static int tail_second(int value)
{
	volatile int room[8] = { value };

	sum += room[0];
	return tail_last(room[0] + 1);
}

FUNCTION static int tail_first(int value, int (*const *next)(int))
{
	return next[value % 2](value);
}

/* ---- other stacks ---- */

static ucontext_t outside, inside[2];

FUNCTION static void yield(int me)
{
	swapcontext(&inside[me], &inside[!me]);
	NOT_A_TAIL_CALL;
}

FUNCTION static void coroutine(int me)
{
	for (int i = 0; i < 4; i++) {
		yield(me);
		sum += tail_last(i);
	}
	if (me)
		yield(me); /* the other one ends first */
}

FUNCTION static void coroutines(void)
{
	static char stacks[2][64 * 1024];

	for (int i = 0; i < 2; i++) {
		getcontext(&inside[i]);
		inside[i].uc_stack.ss_sp = stacks[i];
		inside[i].uc_stack.ss_size = sizeof(stacks[i]);
		inside[i].uc_link = &outside;
		makecontext(&inside[i], (void (*)(void))coroutine, 1, i);
	}
	swapcontext(&outside, &inside[0]);
	NOT_A_TAIL_CALL;
}

/* ---- processes, threads ---- */

FUNCTION static void children(void)
{
	char *const arguments[] = { (char *)"true", NULL };
	int status;
	pid_t pid = vfork();

	if (pid == 0)
		_exit(3);
	waitpid(pid, &status, 0);
	sum += WEXITSTATUS(status);
	if (posix_spawnp(&pid, "true", NULL, NULL, arguments, environ) == 0)
		waitpid(pid, &status, 0);
	pid = fork();
	if (pid == 0)
		_exit(0);
	waitpid(pid, &status, 0);
	NOT_A_TAIL_CALL;
}

static void clean_up(void *context)
{
	sum += *(int *)context;
}

FUNCTION static void leave(int left, int *value)
{
	pthread_cleanup_push(clean_up, value);
	if (left == 0 && sum >= 0)
		pthread_exit(NULL);
	leave(left - 1, value);
	pthread_cleanup_pop(0);
}

static void *thread(void *context)
{
	int value = 2;

	jump();
	leave(3, &value);
	return context;
}

FUNCTION static void threads(void)
{
	pthread_t id;

	pthread_create(&id, NULL, thread, NULL);
	pthread_join(id, NULL);
	NOT_A_TAIL_CALL;
}

FUNCTION static void libraries(void)
{
	void *library = dlopen("libm.so.6", RTLD_LAZY);
	double (*function)(double) = NULL;

	if (library)
		*(void **)&function = dlsym(library, "cbrt");
	if (function)
		sum += (int)function(27);
	if (library)
		dlclose(library);
	NOT_A_TAIL_CALL;
}

static void at_exit(void)
{
	jump();
	NOT_A_TAIL_CALL;
}

int main(void)
{
	static int (*const next[])(int) = { tail_last, tail_second };

	atexit(at_exit);
	jump();
	sum += tail_first(3, next);
	coroutines();
	children();
	threads();
	libraries();
	printf("%d\n", sum != 0);
	return 0;
}
