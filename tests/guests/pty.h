// A terminal of one's own, wherever it is mounted.
#ifndef KM_PTY_H
#define KM_PTY_H

#include "tasks.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

static int pty_master, pty_slave;

// 0 when this machine has none.
static inline int pty_open(void)
{
    int number = -1, unlock = 0;
    char name[64];
    pty_master = posix_openpt(O_RDWR | O_NOCTTY);
    if (pty_master < 0 || ioctl(pty_master, TIOCGPTN, &number) || ioctl(pty_master, TIOCSPTLCK, &unlock))
        return 0;
    snprintf(name, sizeof name, "/dev/pts/%d", number);
    pty_slave = open(name, O_RDWR | O_NOCTTY);
    if (pty_slave < 0)
        pty_slave = ioctl(pty_master, 0x5441 /* TIOCGPTPEER */, O_RDWR | O_NOCTTY);
    return pty_slave >= 0;
}

#endif
