#define _GNU_SOURCE
#include "kontain.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* A later km may know of more than this library, and an earlier one of less. */
static int ask(long number, void *structure, size_t size)
{
	memset(structure, 0, size);
	return syscall(number, structure, size) < 0 ? -1 : 0;
}

int kontain_info(struct kontain_info *info)
{
	return ask(KONTAIN_SYS_info, info, sizeof *info);
}

int kontain_is_running(void)
{
	struct kontain_info info;
	int old = errno;
	int running = kontain_info(&info) == 0;
	errno = old;
	return running;
}

const char *kontain_version(void)
{
	/* Any thread writes the same here. */
	static char version[sizeof ((struct kontain_info *)0)->version];
	struct kontain_info info;
	int old = errno;
	if (kontain_info(&info) == 0)
		memcpy(version, info.version, sizeof version);
	errno = old;
	return version;
}

int kontain_stats(struct kontain_stats *stats)
{
	return ask(KONTAIN_SYS_stats, stats, sizeof *stats);
}

int kontain_nsm(struct kontain_nsm_message *message)
{
	return syscall(KONTAIN_SYS_nsm, message) < 0 ? -1 : 0;
}
