/* What a program can ask km for, beside Linux's system calls.
 *
 * Link with -lkontain. The calls fail with ENOSYS where the program does not run
 * under km, so the same binary works natively. */
#ifndef KONTAIN_H
#define KONTAIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Numbers of km's own calls (syscall(2)). */
#define KONTAIN_SYS_info 0xf000
#define KONTAIN_SYS_stats 0xf001
#define KONTAIN_SYS_nsm 0xf002

/* The version of the contract between km and its C library that this header
 * is of. */
#define KONTAIN_ABI 1

struct kontain_info {
	uint32_t abi;
	uint32_t reserved;
	char version[32]; /* of km, as km --version has it */
	char commit[32];  /* that it was built from */
};

struct kontain_stats {
	/* Exits from the virtual machine. */
	uint64_t system_calls, page_faults, exceptions, host_faults, signals;
	/* System calls that have ended, how many of them failed, and what they took
	 * in the monitor and the host together, in nanoseconds. */
	uint64_t calls, errors, nanoseconds;
};

/* Whether the program runs under km: 1 or 0. Never fails; errno is kept. */
int kontain_is_running(void);

/* What km it is. 0, or -1 with errno set: ENOSYS natively. */
int kontain_info(struct kontain_info *info);

/* km's version, "" natively; never a null pointer. Not to be changed; the same
 * for all threads. */
const char *kontain_version(void);

/* Counters of the calling process, since it began. 0, or -1 with errno set:
 * ENOSYS natively, ENODATA where km runs without --stats. */
int kontain_stats(struct kontain_stats *stats);

/* A request to the security module and room for its answer, as the ioctl of
 * /dev/nsm takes them (struct nsm_raw of <linux/nsm.h>). */
struct kontain_nsm_message {
	uint64_t request;         /* address */
	uint64_t request_length;  /* 1 to 4096 bytes */
	uint64_t response;        /* address */
	uint64_t response_length; /* room; then, how much was written, at most 12288 */
};

/* Asks the security module; requests and answers are CBOR. 0, or -1 with errno
 * set: ENOSYS natively, ENODEV where km runs without --nsm, EMSGSIZE and EINVAL
 * for a request that is too long or empty, EFAULT, ETIMEDOUT where another
 * process keeps the module for two minutes. An answer that is longer than the
 * room for it is cut. */
int kontain_nsm(struct kontain_nsm_message *message);

#ifdef __cplusplus
}
#endif

#endif
