// Asks the kernel, without a fault, what may be done with an address.
#ifndef KM_PROBE_H
#define KM_PROBE_H

#include "check.h"
#include "pages.h"
#include <fcntl.h>
#include <unistd.h>

// 1 when one byte can be read there, 0 when the kernel says EFAULT.
static inline int readable(const void *p)
{
    static int fds[2] = {-1, -1};
    char byte;
    if (fds[0] < 0)
        NEED(pipe(fds));
    if (write(fds[1], p, 1) != 1)
        return errno == EFAULT ? 0 : -1;
    return read(fds[0], &byte, 1) == 1 ? 1 : -1;
}

// 1 when one byte can be written there (it becomes zero), 0 when the kernel says EFAULT.
static inline int writable(void *p)
{
    static int zero = -1;
    if (zero < 0)
        zero = NEED(open("/dev/zero", O_RDONLY));
    if (read(zero, p, 1) != 1)
        return errno == EFAULT ? 0 : -1;
    return 1;
}

static inline int all_bytes(const void *p, size_t len, unsigned char want)
{
    const unsigned char *b = p;
    for (size_t i = 0; i < len; i++)
        if (b[i] != want)
            return 0;
    return 1;
}

#endif
