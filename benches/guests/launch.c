/* Child processes, one after the other, each waited for; reports the time of
 * one.
 *
 *   fork    the child exits at once
 *   exec    the child executes PROGRAM
 *   spawn   posix_spawn of PROGRAM
 *
 * PROGRAM is `hello`: what it prints is looked at once, before the time counts,
 * and dropped from then on. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char *child_argv[2], *child_envp[1];

static pid_t by_fork(void)
{
	const pid_t child = fork();

	if (child == 0)
		_exit(0);
	return child;
}

static pid_t by_exec(void)
{
	const pid_t child = fork();

	if (child == 0) {
		execve(child_argv[0], child_argv, child_envp);
		_exit(127);
	}
	return child;
}

static pid_t by_spawn(void)
{
	pid_t child;

	errno = posix_spawn(&child, child_argv[0], NULL, NULL, child_argv, child_envp);
	return errno == 0 ? child : -1;
}

static const struct way {
	const char *name;
	pid_t (*start)(void);
	const char *prints;
} ways[] = {
	{ "fork", by_fork, "" },
	{ "exec", by_exec, "hello\n" },
	{ "spawn", by_spawn, "hello\n" },
};

static const struct way *find_way(const char *name)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (strcmp(name, ways[i].name) == 0)
			return &ways[i];
	return NULL;
}

static void run(const struct way *way)
{
	int status;
	const pid_t child = way->start();

	if (child < 0)
		fail(way->name);
	if (waitpid(child, &status, 0) != child)
		fail("waitpid");
	if (status != 0) {
		fprintf(stderr, "the child ended with status %#x\n", (unsigned)status);
		exit(1);
	}
}

static void redirect(int to)
{
	if (to < 0 || dup2(to, STDOUT_FILENO) < 0 || close(to) != 0)
		fail("standard output");
}

int main(int argc, char **argv)
{
	const struct way *way = argc < 2 ? NULL : find_way(argv[1]);
	char printed[16];
	int ends[2];

	if (way == NULL || (argc < 4 && way->prints[0] != '\0')) {
		fprintf(stderr, "usage: %s fork|exec|spawn [CHILDREN [PROGRAM]]\n", argv[0]);
		return 2;
	}
	const uint64_t children = argument(argc, argv, 2, 100);
	const int own_stdout = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);

	child_argv[0] = argv[3];
	if (own_stdout < 0 || pipe2(ends, O_CLOEXEC) != 0)
		fail("pipe");
	redirect(ends[1]);
	run(way);
	redirect(open("/dev/null", O_WRONLY | O_CLOEXEC));
	/* Nobody has the pipe open for writing any more. */
	const ssize_t length = read(ends[0], printed, sizeof(printed));

	if (length < 0 || (size_t)length != strlen(way->prints) ||
	    memcmp(printed, way->prints, (size_t)length) != 0) {
		fputs("the child did not print what it should\n", stderr);
		return 1;
	}
	close(ends[0]);
	const uint64_t start = now_ns();

	for (uint64_t i = 0; i < children; i++)
		run(way);
	const uint64_t elapsed = now_ns() - start;

	redirect(own_stdout);
	return report((double)elapsed / (double)children);
}
