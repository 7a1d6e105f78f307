// Ways to end, and what the parent sees of them.
// km-test-case: return_0 args=return args=0
// km-test-case: return_3 args=return args=3 exit=3
// km-test-case: exit_255 args=exit args=255 exit=255
// km-test-case: exit_256 args=exit args=256 exit=0
// km-test-case: exit_minus_1 args=exit args=-1 exit=255
// km-test-case: exit_125 args=exit args=125 exit=125
// km-test-case: exit_127 args=exit args=127 exit=127
// km-test-case: _exit args=_exit args=9 exit=9
// km-test-case: exit_group args=exit_group args=10 exit=10
// km-test-case: exit_thread args=exit_thread args=11 exit=11
// km-test-case: quick_exit args=quick_exit args=12 exit=12
// km-test-case: in_atexit args=in_atexit args=13 exit=13
// km-test-case: closed_stdout args=closed_stdout args=14 exit=14
// km-test-case: exit_high_bits args=exit_high_bits args=15 exit=15
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int code;

static void at_exit_print(void) { puts("atexit ran"); }
static void at_quick_exit_print(void) { puts("at_quick_exit ran"); fflush(stdout); }
static void at_exit_exit(void) { fflush(stdout); _exit(code); }

int main(int argc, char **argv)
{
    if (argc != 3)
        return 99;
    const char *way = argv[1];
    code = atoi(argv[2]);
    atexit(at_exit_print);
    at_quick_exit(at_quick_exit_print);
    printf("leaving by %s\n", way);
    // Output still in the buffer is lost with _exit and kept with exit.
    if (strncmp(way, "_exit", 5) == 0 || strncmp(way, "exit_", 5) == 0)
        fflush(stdout), printf("never seen");

    if (!strcmp(way, "return"))
        return code;
    if (!strcmp(way, "exit"))
        exit(code);
    if (!strcmp(way, "_exit"))
        _exit(code);
    if (!strcmp(way, "exit_group"))
        syscall(SYS_exit_group, code);
    if (!strcmp(way, "exit_thread"))
        syscall(SYS_exit, code);
    if (!strcmp(way, "exit_high_bits"))
        syscall(SYS_exit_group, 0x7fff123400000000L | code);
    if (!strcmp(way, "quick_exit"))
        quick_exit(code);
    if (!strcmp(way, "in_atexit")) {
        atexit(at_exit_exit);
        exit(0);
    }
    if (!strcmp(way, "closed_stdout")) {
        fflush(stdout);
        close(1);
        printf("to nowhere");
        exit(fflush(stdout) == EOF ? code : 98);
    }
    return 97;
}
