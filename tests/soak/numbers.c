// What follows from a seed, and whether it came out.
#include "soak.h"

int failed;

uint64_t next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

unsigned below(uint64_t *state, unsigned limit) { return (unsigned)(next(state) >> 32) % limit; }

uint64_t chain(uint64_t seed)
{
    uint64_t sum = 0;
    for (int i = 0; i < 64; i++)
        sum = sum << 1 ^ sum >> 63 ^ next(&seed);
    return sum;
}

uint64_t off(const char *what, uint64_t got, uint64_t want)
{
    if (got == want)
        return 0;
    char line[160];
    int len = snprintf(line, sizeof line, "%s: got %llx want %llx, errno %d, process %d\n", what,
                       (unsigned long long)got, (unsigned long long)want, errno, getpid());
    if (write(2, line, (size_t)len) == -1)
        failed = 2;
    failed = 1;
    return got - want;
}
