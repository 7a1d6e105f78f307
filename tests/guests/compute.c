// Plain work without a system call: hashes, matrices, primes, recursion. Every result is a number known beforehand to
// the native run.
#include "check.h"
#include <math.h>
#include <stdint.h>

static uint32_t rotate(uint32_t v, int n) { return v >> n | v << (32 - n); }

static void sha256_block(uint32_t *h, const unsigned char *p, const uint32_t *k)
{
    uint32_t w[64], s[8];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)p[i * 4] << 24 | (uint32_t)p[i * 4 + 1] << 16 | (uint32_t)p[i * 4 + 2] << 8 | p[i * 4 + 3];
    for (int i = 16; i < 64; i++)
        w[i] = w[i - 16] + w[i - 7] + (rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3) +
               (rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10);
    memcpy(s, h, 32);
    for (int i = 0; i < 64; i++) {
        uint32_t t1 = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) + ((s[4] & s[5]) ^ (~s[4] & s[6])) +
                      k[i] + w[i];
        uint32_t t2 = (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) +
                      ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 28);
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++)
        h[i] += s[i];
}

// The constants are the fractions of square and cube roots of primes: computed, so that a wrong root shows.
static uint32_t fraction(long double v) { return (uint32_t)(uint64_t)((v - floorl(v)) * 4294967296.0L); }

static void sha256(const unsigned char *p, size_t len, char *hex)
{
    uint32_t h[8], k[64];
    for (int n = 2, i = 0; i < 64; n++) {
        int prime = 1;
        for (int d = 2; d * d <= n; d++)
            prime &= n % d != 0;
        if (!prime)
            continue;
        if (i < 8)
            h[i] = fraction(sqrtl(n));
        k[i++] = fraction(cbrtl(n));
    }
    unsigned char tail[128] = {0};
    size_t full = len / 64 * 64, rest = len - full, padded = rest < 56 ? 64 : 128;
    for (size_t at = 0; at < full; at += 64)
        sha256_block(h, p + at, k);
    memcpy(tail, p + full, rest);
    tail[rest] = 0x80;
    for (int i = 0; i < 8; i++)
        tail[padded - 1 - (size_t)i] = (unsigned char)(len * 8 >> 8 * i);
    for (size_t at = 0; at < padded; at += 64)
        sha256_block(h, tail + at, k);
    for (int i = 0; i < 8; i++)
        sprintf(hex + 8 * i, "%08x", h[i]);
}

static int fibonacci(int n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

static int queens(int n, unsigned columns, unsigned left, unsigned right)
{
    if (columns == (1U << n) - 1)
        return 1;
    int found = 0;
    for (unsigned free = ~(columns | left | right) & ((1U << n) - 1); free; free &= free - 1) {
        unsigned bit = free & -free;
        found += queens(n, columns | bit, (left | bit) << 1, (right | bit) >> 1);
    }
    return found;
}

int main(void)
{
    char hex[65];
    sha256((const unsigned char *)"abc", 3, hex);
    STR("sha256 of abc", hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    static unsigned char data[200000];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * i >> 3);
    sha256(data, sizeof data, hex);
    printf("sha256 of data: %s\n", hex);

    EQ("fibonacci", fibonacci(22), 17711);
    EQ("queens", queens(8, 0, 0, 0), 92);
    static char sieve[200000];
    int primes = 0;
    for (int i = 2; i < 200000; i++) {
        if (sieve[i])
            continue;
        primes++;
        for (int j = 2 * i; j < 200000; j += i)
            sieve[j] = 1;
    }
    EQ("primes", primes, 17984);

    static double a[80][80], b[80][80], c[80][80];
    double trace = 0;
    for (int i = 0; i < 80; i++)
        for (int j = 0; j < 80; j++) {
            a[i][j] = 1.0 / (i + j + 1);
            b[i][j] = sin(i * 80 + j);
        }
    for (int i = 0; i < 80; i++)
        for (int k = 0; k < 80; k++)
            for (int j = 0; j < 80; j++)
                c[i][j] += a[i][k] * b[k][j];
    for (int i = 0; i < 80; i++)
        trace += c[i][i];
    printf("trace %.12e\n", trace);
    unsigned __int128 wide = 1;
    for (int i = 1; i <= 30; i++)
        wide *= (unsigned)i;
    printf("30! = %llu%014llu\n", (unsigned long long)(wide / 100000000000000), (unsigned long long)(wide % 100000000000000));
    return check_done();
}
