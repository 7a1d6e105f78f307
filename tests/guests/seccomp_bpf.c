// seccomp: which programs are taken, what they compute, and how much of them one thread may have.
#include "seccomp.h"

static long take(const struct sock_filter *filter, size_t count)
{
    return install_as(0, filter, count) == 0 ? 0 : errno;
}

#define TAKES(name, ...)                                              \
    do {                                                              \
        const struct sock_filter filter_[] = {__VA_ARGS__};           \
        EQ(name, take(filter_, COUNT(filter_)), 0);                   \
    } while (0)
#define REFUSES(name, ...)                                            \
    do {                                                              \
        const struct sock_filter filter_[] = {__VA_ARGS__};           \
        EQ(name, take(filter_, COUNT(filter_)), EINVAL);              \
    } while (0)

#define ALLOW RETURN(SECCOMP_RET_ALLOW)
#define OP(code) BPF_STMT(code, 0)

// Every code there is, with some operands.
static int codes(void)
{
    static const uint32_t operands[] = {0, 1, 4, 15, 16, 31, 32, 60, 61, 64};
    for (size_t i = 0; i < COUNT(operands); i++) {
        printf("operand %u:", operands[i]);
        for (unsigned code = 0; code < 0x200; code++) {
            // For no call: what it returns is not looked at.
            struct sock_filter filter[] = {LOAD(FIELD(nr)),
                                           UNLESS(NOBODY, 2),
                                           BPF_STMT(BPF_ST, operands[i] & 15),
                                           BPF_STMT((unsigned short)code, operands[i]),
                                           ALLOW,
                                           ALLOW};
            if (take(filter, COUNT(filter)) == 0)
                printf(" %x", code);
        }
        printf("\n");
    }
    return 0;
}

static int shapes(void)
{
    REFUSES("does not return", BPF_STMT(BPF_LD | BPF_IMM, 1));
    REFUSES("ends in a jump", ALLOW, BPF_STMT(BPF_JMP | BPF_JA, 0));
    TAKES("returns A", BPF_STMT(BPF_LD | BPF_IMM, SECCOMP_RET_ALLOW), OP(BPF_RET | BPF_A));
    REFUSES("returns X", BPF_STMT(BPF_LDX | BPF_IMM, SECCOMP_RET_ALLOW), OP(BPF_RET | BPF_X));
    TAKES("jump to the last", BPF_STMT(BPF_JMP | BPF_JA, 1), ALLOW, ALLOW);
    REFUSES("jump behind it", BPF_STMT(BPF_JMP | BPF_JA, 2), ALLOW, ALLOW);
    REFUSES("jump far", BPF_STMT(BPF_JMP | BPF_JA, 0xffffffff), ALLOW, ALLOW);
    TAKES("branch to the last", BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 1), ALLOW, ALLOW);
    REFUSES("branch behind it, true", BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 2, 0), ALLOW, ALLOW);
    REFUSES("branch behind it, false", BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2), ALLOW, ALLOW);
    REFUSES("never reached, and bad", ALLOW, OP(0xff), ALLOW);
    TAKES("never reached", ALLOW, OP(BPF_ALU | BPF_NEG), ALLOW);

    REFUSES("cell never stored", BPF_STMT(BPF_LD | BPF_MEM, 3), ALLOW);
    REFUSES("another cell", BPF_STMT(BPF_ST, 2), BPF_STMT(BPF_LD | BPF_MEM, 3), ALLOW);
    TAKES("this cell", BPF_STMT(BPF_STX, 3), BPF_STMT(BPF_LDX | BPF_MEM, 3), ALLOW);
    REFUSES("stored on one way", BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), BPF_STMT(BPF_ST, 3),
            BPF_STMT(BPF_LD | BPF_MEM, 3), ALLOW);
    TAKES("stored on both", BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2), BPF_STMT(BPF_ST, 3),
          BPF_STMT(BPF_JMP | BPF_JA, 1), BPF_STMT(BPF_STX, 3), BPF_STMT(BPF_LD | BPF_MEM, 3), ALLOW);
    TAKES("loaded where nobody comes", BPF_STMT(BPF_JMP | BPF_JA, 1), BPF_STMT(BPF_LD | BPF_MEM, 3), ALLOW);
    REFUSES("after a return", ALLOW, BPF_STMT(BPF_LD | BPF_MEM, 3), ALLOW);
    TAKES("after a return, stored before", BPF_STMT(BPF_ST, 3), ALLOW, BPF_STMT(BPF_LD | BPF_MEM, 3), ALLOW);

    static struct sock_filter longest[BPF_MAXINSNS];
    for (size_t i = 0; i < COUNT(longest); i++)
        longest[i] = (struct sock_filter)ALLOW;
    EQ("the longest", take(longest, COUNT(longest)), 0);
    longest[0] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, BPF_MAXINSNS - 2);
    EQ("with the longest jump", take(longest, COUNT(longest)), 0);
    return 0;
}

static uint32_t next(void)
{
    static uint64_t state = 88172645463325252ull;
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return (uint32_t)(state >> 16);
}

static uint32_t constant(void)
{
    static const uint32_t edges[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 31};
    return next() % 3 ? next() : edges[next() % COUNT(edges)];
}

// Two instructions that may follow any others.
static void pair(struct sock_filter *to, unsigned left)
{
    static const unsigned short calculations[] = {BPF_ADD, BPF_SUB, BPF_MUL, BPF_OR, BPF_AND, BPF_XOR, BPF_LSH, BPF_RSH};
    static const unsigned short tests[] = {BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET};
    unsigned short calculation = calculations[next() % COUNT(calculations)];
    uint32_t k = constant();
    to[0] = (struct sock_filter)BPF_STMT(BPF_ALU | calculation | BPF_X, 0);
    switch (next() % 8) {
    case 0:
        to[1] = (struct sock_filter)BPF_STMT(BPF_ALU | calculation | BPF_K, calculation >= BPF_LSH && calculation <= BPF_RSH ? k & 31 : k);
        break;
    case 1:
        to[0] = (struct sock_filter)BPF_STMT(BPF_LDX | BPF_IMM, k ? k : 7);
        to[1] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0);
        break;
    case 2:
        to[1] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, k ? k : 7);
        break;
    case 3:
        to[1] = (struct sock_filter)BPF_STMT(BPF_MISC | (next() % 2 ? BPF_TAX : BPF_TXA), 0);
        break;
    case 4:
        to[0] = (struct sock_filter)BPF_STMT(next() % 2 ? BPF_ST : BPF_STX, next() % BPF_MEMWORDS);
        to[1] = (struct sock_filter)BPF_STMT((next() % 2 ? BPF_LD : BPF_LDX) | BPF_MEM, next() % BPF_MEMWORDS);
        break;
    case 5:
        to[1] = (struct sock_filter)LOAD(next() % 16 * 4);
        break;
    case 6:
        to[1] = (struct sock_filter)BPF_STMT(next() % 2 ? BPF_ALU | BPF_NEG : BPF_LD | BPF_W | BPF_LEN, 0);
        break;
    default:
        to[1] = (struct sock_filter)BPF_JUMP(BPF_JMP | tests[next() % COUNT(tests)] | (next() % 2 ? BPF_X : BPF_K), k,
                                             2 * (next() % left), 2 * (next() % left));
    }
    // What differs from run to run is not looked at.
    if (to[1].code == (BPF_LD | BPF_W | BPF_ABS) && to[1].k >= FIELD(instruction_pointer) && to[1].k < ARG(0))
        to[1].k = ARG(1);
}

static int error_of(long number, long a, long b)
{
    errno = 0;
    syscall(number, a, b, 3L, 4L, 5L, 6L);
    return errno;
}

// What random programs make of a call: the error is a digest of it.
static int computes(void)
{
    enum { PAIRS = 40 };
    for (int i = 0; i < 100; i++) {
        struct sock_filter filter[4 * BPF_MEMWORDS + 2 * PAIRS + 16], *at = filter;
        *at++ = (struct sock_filter)LOAD(FIELD(nr));
        *at++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(NOBODY + i), 1, 0);
        *at++ = (struct sock_filter)ALLOW;
        for (int cell = 0; cell < BPF_MEMWORDS; cell++)
            *at++ = (struct sock_filter)BPF_STMT(cell % 2 ? BPF_ST : BPF_STX, cell);
        for (unsigned p = 0; p < PAIRS; p++, at += 2)
            pair(at, PAIRS - p);
        for (int cell = 0; cell < BPF_MEMWORDS; cell++) {
            *at++ = (struct sock_filter)BPF_STMT(BPF_LDX | BPF_MEM, cell);
            *at++ = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 16777619);
            *at++ = (struct sock_filter)OP(BPF_ALU | BPF_XOR | BPF_X);
        }
        *at++ = (struct sock_filter)OP(BPF_MISC | BPF_TAX);
        for (int shift = 12; shift < 32; shift += 12) {
            *at++ = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 12);
            *at++ = (struct sock_filter)OP(BPF_ALU | BPF_XOR | BPF_X);
        }
        *at++ = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xfff);
        *at++ = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO);
        *at++ = (struct sock_filter)OP(BPF_RET | BPF_A);
        NEED(install_as(0, filter, (size_t)(at - filter)));
        printf("program %d: %d %d\n", i, error_of(NOBODY + i, 1, 2), error_of(NOBODY + i, -1, 0x123456789abcdef));
    }
    return 0;
}

// How many programs of a hundred such instructions a thread may have.
static int room(void)
{
    static const struct {
        const char *name;
        struct sock_filter instruction;
    } of[] = {
        {"constant", BPF_STMT(BPF_LD | BPF_IMM, 0xffffffff)},
        {"division by X", OP(BPF_ALU | BPF_DIV | BPF_X)},
        {"division", BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0x80000000)},
        {"return", ALLOW},
        {"return A", OP(BPF_RET | BPF_A)},
        {"jump", BPF_STMT(BPF_JMP | BPF_JA, 0)},
        {"branch when true", BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 1, 0)},
        {"branch when false", BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 1, 0, 1)},
        {"branch on no bit", BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 0, 1)},
        {"branch nowhere", BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 0, 0)},
        {"branch both ways", BPF_JUMP(BPF_JMP | BPF_JGE | BPF_X, 1, 1, 1)},
        {"branch, large", BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x80000000, 1, 1)},
        {"branch on X, large", BPF_JUMP(BPF_JMP | BPF_JGE | BPF_X, 0x80000000, 1, 0)},
    };
    for (size_t i = 0; i < COUNT(of); i++) {
        fflush(stdout);
        pid_t pid = NEED(fork());
        if (pid == 0) {
            struct sock_filter filter[102];
            for (size_t j = 0; j < 100; j++)
                filter[j] = of[i].instruction;
            filter[100] = filter[101] = (struct sock_filter)ALLOW;
            // Nothing is called but seccomp: the programs need not allow it before.
            filter[0] = (struct sock_filter)ALLOW;
            int count = 0;
            while (install_as(0, filter, COUNT(filter)) == 0)
                count++;
            EQ("until", errno, ENOMEM);
            printf("%s: %d\n", of[i].name, count);
            fflush(stdout);
            _exit(0);
        }
        EQ("counted", end_of(pid), 0);
    }
    return 0;
}

// A kernel that hides the constants of programs makes them longer.
static int is_hardened(void)
{
    char c = '0';
    FILE *f = fopen("/proc/sys/net/core/bpf_jit_harden", "re");
    if (f) {
        c = (char)fgetc(f);
        fclose(f);
    }
    return c != '0';
}

static int divides_by_zero(void)
{
    INSTALL(LOAD(FIELD(nr)), UNLESS(NOBODY, 2), OP(BPF_ALU | BPF_DIV | BPF_X), RETURN(ERRNO_OF(5)), ALLOW);
    raw(NOBODY, 0, 0, 0);
    return 1;
}

static int shifts(void)
{
    static const uint32_t by[] = {0, 1, 31, 32, 33, 63, 64, 0x80000001};
    for (size_t i = 0; i < COUNT(by); i++) {
        INSTALL(LOAD(FIELD(nr)), UNLESS(NOBODY + i, 6), BPF_STMT(BPF_LDX | BPF_IMM, by[i]), BPF_STMT(BPF_LD | BPF_IMM, 0x5a5),
                OP(BPF_ALU | BPF_LSH | BPF_X), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xfff),
                BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO), OP(BPF_RET | BPF_A), ALLOW);
        printf("shift by %u: %ld\n", by[i], raw(NOBODY + (long)i, 0, 0, 0));
    }
    return 0;
}

int main(void)
{
    tasks_begin();
    no_new_privs();
    EQ("codes", child_end(codes), 0);
    EQ("shapes", child_end(shapes), 0);
    EQ("computes", child_end(computes), 0);
    EQ("shifts", child_end(shifts), 0);
    EQ("division by zero", child_end(divides_by_zero), 1000 + SIGSYS);
    if (is_hardened() || is_confined())
        SKIP("room", "bpf_jit_harden, or filters already");
    else
        EQ("room", child_end(room), 0);
    return check_done();
}
