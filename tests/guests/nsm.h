// The security module: requests, how they are made, and what it is to answer.
// Natively there is none: then the model below answers, so that both runs must
// print the same. Under km the model is never asked.
#ifndef KM_NSM_H
#define KM_NSM_H

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

#define NSM_IOCTL 0xc0200a00ul
#define NSM_CALL 0xf002
#define NSM_ROOM 0x3000

struct nsm_message {
    uint64_t request, request_length, response, response_length;
};

/* Whether km runs this. */
static inline int inside(void)
{
    char info[72];
    int old = errno;
    long size = syscall(0xf000, info, sizeof info);
    errno = old;
    return size > 0;
}

/* SHA-384 (FIPS 180-4). */

static const uint64_t sha512_k[80] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
    0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
    0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
    0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
    0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
    0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
    0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
    0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
    0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
    0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
    0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
    0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
    0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
    0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
    0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
    0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
    0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

static inline uint64_t rotated(uint64_t x, int by)
{
    return x >> by | x << (64 - by);
}

static inline void sha384_block(uint64_t h[8], const uint8_t *block)
{
    uint64_t w[80], s[8];
    for (int i = 0; i < 16; i++) {
        w[i] = 0;
        for (int j = 0; j < 8; j++) w[i] = w[i] << 8 | block[8 * i + j];
    }
    for (int i = 16; i < 80; i++) {
        uint64_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + w[i - 7] + (rotated(a, 1) ^ rotated(a, 8) ^ a >> 7) +
               (rotated(b, 19) ^ rotated(b, 61) ^ b >> 6);
    }
    memcpy(s, h, sizeof s);
    for (int i = 0; i < 80; i++) {
        uint64_t e = s[4], a = s[0];
        uint64_t t = s[7] + (rotated(e, 14) ^ rotated(e, 18) ^ rotated(e, 41)) +
                     ((e & s[5]) ^ (~e & s[6])) + sha512_k[i] + w[i];
        uint64_t u = (rotated(a, 28) ^ rotated(a, 34) ^ rotated(a, 39)) +
                     ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += t;
        s[0] = t + u;
    }
    for (int i = 0; i < 8; i++) h[i] += s[i];
}

static inline void sha384(const uint8_t *data, size_t length, uint8_t digest[48])
{
    uint64_t h[8] = {0xcbbb9d5dc1059ed8, 0x629a292a367cd507, 0x9159015a3070dd17, 0x152fecd8f70e5939, 0x67332667ffc00b31, 0x8eb44a8768581511, 0xdb0c2e0d64f98fa7, 0x47b5481dbefa4fa4};
    uint8_t last[256] = {0};
    size_t whole = length / 128 * 128, rest = length - whole;
    size_t end = rest < 112 ? 128 : 256;
    for (size_t i = 0; i < whole; i += 128) sha384_block(h, data + i);
    memcpy(last, data + whole, rest);
    last[rest] = 0x80;
    for (int i = 0; i < 8; i++) last[end - 1 - i] = (uint8_t)((uint64_t)length * 8 >> 8 * i);
    for (size_t i = 0; i < end; i += 128) sha384_block(h, last + i);
    for (int i = 0; i < 48; i++) digest[i] = (uint8_t)(h[i / 8] >> (56 - 8 * (i % 8)));
}

/* CBOR, as clients write it. */

struct bytes {
    uint8_t at[NSM_ROOM];
    size_t length;
};

static inline void put(struct bytes *to, const void *data, size_t length)
{
    memcpy(to->at + to->length, data, length);
    to->length += length;
}

static inline void head(struct bytes *to, int major, unsigned value)
{
    uint8_t wide[] = {(uint8_t)(major << 5 | 25), (uint8_t)(value >> 8), (uint8_t)value};
    uint8_t one[] = {(uint8_t)(major << 5 | 24), (uint8_t)value};
    uint8_t none = (uint8_t)(major << 5 | value);
    if (value < 24)
        put(to, &none, 1);
    else if (value < 256)
        put(to, one, 2);
    else
        put(to, wide, 3);
}

static inline void put_text(struct bytes *to, const char *text)
{
    head(to, 3, (unsigned)strlen(text));
    put(to, text, strlen(text));
}

static inline void put_bytes(struct bytes *to, const void *data, size_t length)
{
    head(to, 2, (unsigned)length);
    put(to, data, length);
}

/* What a request means. */
struct request {
    const char *name;
    unsigned index;
    const void *data;
    size_t length;
    /* Of an attestation: of each of three fields; 0 for none. */
    size_t option;
};

static inline struct bytes encoded(struct request r)
{
    struct bytes to = {.length = 0};
    if (!strcmp(r.name, "DescribeNSM") || !strcmp(r.name, "GetRandom")) {
        put_text(&to, r.name);
        return to;
    }
    head(&to, 5, 1);
    put_text(&to, r.name);
    if (!strcmp(r.name, "Attestation")) {
        static const char *const names[] = {"user_data", "nonce", "public_key"};
        static uint8_t option[1024];
        memset(option, 'o', sizeof option);
        head(&to, 5, 3);
        for (int i = 0; i < 3; i++) {
            put_text(&to, names[i]);
            if (r.option)
                put_bytes(&to, option, r.option);
            else
                put(&to, "\xf6", 1);
        }
        return to;
    }
    head(&to, 5, r.data ? 2 : 1);
    put_text(&to, strcmp(r.name, "LockPCRs") ? "index" : "range");
    head(&to, 0, r.index);
    if (r.data) {
        put_text(&to, "data");
        put_bytes(&to, r.data, r.length);
    }
    return to;
}

/* The model. */

static uint8_t model_pcr[32][48];
static uint32_t model_locked = 0xffff;

static inline void model_error(struct bytes *to, const char *name)
{
    head(to, 5, 1);
    put_text(to, "Error");
    put_text(to, name);
}

static inline struct bytes model(struct request r)
{
    struct bytes to = {.length = 0};
    int is_range = !strcmp(r.name, "LockPCRs");
    int changes = !strcmp(r.name, "ExtendPCR") || !strcmp(r.name, "LockPCR");
    if (!strcmp(r.name, "DescribeNSM")) {
        head(&to, 5, 1), put_text(&to, r.name), head(&to, 5, 7);
        put_text(&to, "version_major"), head(&to, 0, 1);
        put_text(&to, "version_minor"), head(&to, 0, 0);
        put_text(&to, "version_patch"), head(&to, 0, 0);
        put_text(&to, "module_id");
        put_text(&to, "dev-nsm-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
        put_text(&to, "max_pcrs"), head(&to, 0, 32);
        put_text(&to, "locked_pcrs"), head(&to, 4, (unsigned)__builtin_popcount(model_locked));
        for (unsigned i = 0; i < 32; i++)
            if (model_locked >> i & 1) head(&to, 0, i);
        put_text(&to, "digest"), put_text(&to, "SHA384");
    } else if (r.index > (is_range ? 32 : 31)) {
        model_error(&to, "InvalidIndex");
    } else if (changes && model_locked >> r.index & 1) {
        model_error(&to, "ReadOnlyIndex");
    } else if (is_range) {
        model_locked |= (uint32_t)((1ull << r.index) - 1);
        put_text(&to, r.name);
    } else if (!strcmp(r.name, "LockPCR")) {
        model_locked |= 1u << r.index;
        put_text(&to, r.name);
    } else if (!strcmp(r.name, "DescribePCR")) {
        head(&to, 5, 1), put_text(&to, r.name), head(&to, 5, 2);
        put_text(&to, "lock"), put(&to, model_locked >> r.index & 1 ? "\xf5" : "\xf4", 1);
        put_text(&to, "data"), put_bytes(&to, model_pcr[r.index], 48);
    } else if (!strcmp(r.name, "ExtendPCR")) {
        uint8_t both[48 + 4096];
        memcpy(both, model_pcr[r.index], 48);
        memcpy(both + 48, r.data, r.length);
        sha384(both, 48 + r.length, model_pcr[r.index]);
        head(&to, 5, 1), put_text(&to, r.name), head(&to, 5, 1);
        put_text(&to, "data"), put_bytes(&to, model_pcr[r.index], 48);
    }
    return to;
}

/* The module itself. */

static int nsm_fd = -1;
static int nsm_by_call;

/* Opens it; by km's own call if by_call. */
static inline void nsm_open(int by_call)
{
    nsm_by_call = by_call;
    if (inside() && !by_call) nsm_fd = NEED(open("/dev/nsm", O_RDWR | O_CLOEXEC));
}

static inline int nsm_send(struct nsm_message *message)
{
    return (int)(nsm_by_call ? syscall(NSM_CALL, message) : ioctl(nsm_fd, NSM_IOCTL, message));
}

static inline struct bytes nsm_bytes(const struct bytes *request)
{
    struct bytes answer;
    struct nsm_message message = {(uintptr_t)request->at, request->length, (uintptr_t)answer.at,
                                  sizeof answer.at};
    NEED(nsm_send(&message));
    answer.length = message.response_length;
    return answer;
}

/* The module's answer under km, the model's natively. */
static inline struct bytes nsm_ask(struct request r)
{
    if (!inside()) return model(r);
    struct bytes request = encoded(r);
    return nsm_bytes(&request);
}

static inline int nsm_is(const struct bytes *answer, const struct bytes *wanted)
{
    return answer->length == wanted->length && !memcmp(answer->at, wanted->at, wanted->length);
}

static inline void *nsm_find(const struct bytes *in, const void *what, size_t length)
{
    return memmem(in->at, in->length, what, length);
}

#endif
