/* A request to the security module: "random" or "attest"; or, as the round
 * trip beside it, "getppid". */
#include "bench.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const char RANDOM[] = "\x69GetRandom";
static const char ATTEST[] = "\xa1\x6b" "Attestation\xa0";

int main(int argc, char **argv)
{
	static char response[0x3000];
	const char *what = argc > 1 ? argv[1] : "random";
	const uint64_t calls = argument(argc, argv, 2, 100);
	const char *request = !strcmp(what, "attest") ? ATTEST : RANDOM;
	int fd = open("/dev/nsm", O_RDWR);
	uint64_t start = 0;

	if (fd < 0)
		fail("/dev/nsm");
	/* The first one makes what the others find made. */
	for (uint64_t i = 0; i <= calls; i++) {
		if (i == 1)
			start = now_ns();
		if (!strcmp(what, "getppid")) {
			if (getppid() < 0)
				return 1;
			continue;
		}
		uint64_t message[] = {(uintptr_t)request, strlen(request), (uintptr_t)response, sizeof response};
		if (ioctl(fd, 0xc0200a00, message) != 0)
			fail("ioctl");
	}
	return report((double)(now_ns() - start) / (double)calls);
}
