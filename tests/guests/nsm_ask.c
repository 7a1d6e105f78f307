// Asks the security module what standard input says: a request a line, in
// hexadecimal digits. Prints the answers likewise, or "error" and a number.
// It is for the trials in src/nsm.rs; by itself it has nothing to ask.
// km-test: nsm=emulated
// km-test-case: ioctl args=ioctl
// km-test-case: call args=call
#include "nsm.h"

int main(int argc, char **argv)
{
    static char line[2 * 5000];
    static uint8_t request[5000], answer[NSM_ROOM];
    nsm_by_call = argc > 1 && !strcmp(argv[1], "call");
    nsm_fd = nsm_by_call ? -1 : open("/dev/nsm", O_RDWR);
    if (!nsm_by_call && nsm_fd < 0 && inside()) printf("open: error %d\n", errno);
    while (fgets(line, sizeof line, stdin)) {
        size_t length = strcspn(line, "\n") / 2;
        for (size_t i = 0; i < length; i++) {
            unsigned byte;
            if (sscanf(line + 2 * i, "%2x", &byte) != 1) return 1;
            request[i] = (uint8_t)byte;
        }
        struct nsm_message m = {(uintptr_t)request, length, (uintptr_t)answer, sizeof answer};
        if (nsm_send(&m)) {
            printf("error %d\n", errno);
            continue;
        }
        for (size_t i = 0; i < m.response_length; i++) printf("%02x", answer[i]);
        printf("\n");
    }
    return 0;
}
