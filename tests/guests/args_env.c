// argc, argv, environment and their layout on the first stack.
// km-test: args=one --two=2 three/3 -
// km-test: env=KM_TEST_PLAIN=value
// km-test: env=KM_TEST_EMPTY=
#include "check.h"
#include <stdint.h>
#include <sys/auxv.h>

extern char **environ;

int main(int argc, char **argv, char **envp)
{
    EQ("argc", argc, 5);
    for (int i = 1; i < argc; i++)
        printf("argv[%d] = %s\n", i, argv[i]);
    EQ("argv ends with NULL", argv[argc], NULL);
    const char *slash = strrchr(argv[0], '/');
    STR("argv[0]", slash ? slash + 1 : argv[0], "args_env");

    EQ("envp follows argv", envp, argv + argc + 1);
    EQ("environ", environ, envp);
    STR("plain variable", getenv("KM_TEST_PLAIN"), "value");
    STR("empty variable", getenv("KM_TEST_EMPTY"), "");
    EQ("missing variable", getenv("KM_TEST_MISSING"), NULL);
    int bad = 0, envc = 0;
    for (; envp[envc]; envc++)
        bad += strchr(envp[envc], '=') == NULL;
    EQ("every variable has a value", bad, 0);

    // Linux: argc below argv, 16-byte aligned; the strings lie end to end above the vectors.
    EQ("argc on the stack", ((long *)argv)[-1], argc);
    EQ("stack aligned at entry", ((uintptr_t)argv - 8) % 16, 0);
    char *next = argv[0];
    int gaps = 0;
    for (int i = 0; i < argc; i++) {
        gaps += argv[i] != next;
        next = argv[i] + strlen(argv[i]) + 1;
    }
    EQ("argument strings end to end", gaps, 0);
    for (int i = 0; i < envc; i++) {
        gaps += envp[i] != next;
        next = envp[i] + strlen(envp[i]) + 1;
    }
    EQ("environment strings end to end", gaps, 0);
    EQ("then the file name", getauxval(AT_EXECFN), next);
    char *end = next + strlen(next) + 1;
    uintptr_t page_end = ((uintptr_t)end + 4095) & ~4095UL;
    EQ("eight zero bytes at the top", page_end - (uintptr_t)end, 8);

    // The strings and vectors are the program's own to write.
    argv[1][0] = 'O';
    STR("arguments are writable", argv[1], "One");
    setenv("KM_TEST_PLAIN", "other", 1);
    STR("setenv", getenv("KM_TEST_PLAIN"), "other");
    unsetenv("KM_TEST_PLAIN");
    EQ("unsetenv", getenv("KM_TEST_PLAIN"), NULL);
    return check_done();
}
