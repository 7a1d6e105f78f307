// A session with a fresh security module, step by step, and odd requests: the
// answers byte for byte, as the model has them.
// km-test: nsm=emulated
// km-test-case: ioctl args=ioctl
// km-test-case: call args=call
#include "nsm.h"

static void print(const char *name, const struct bytes *answer)
{
    printf("%s:", name);
    for (size_t i = 0; i < answer->length; i++) printf(" %02x", answer->at[i]);
    printf("\n");
}

static void step(struct request r)
{
    struct bytes answer = nsm_ask(r);
    uint8_t *id = nsm_find(&answer, "dev-nsm-", 8);
    if (id) {
        for (int i = 8; i < 40; i++)
            if (strchr("0123456789abcdef", id[i])) id[i] = 'x';
    }
    char name[64];
    snprintf(name, sizeof name, "%s %u", r.name, r.index);
    print(name, &answer);
}

static void extend(unsigned index, const char *data)
{
    step((struct request){.name = "ExtendPCR", .index = index, .data = data, .length = strlen(data)});
}

static void on(const char *name, unsigned index)
{
    step((struct request){.name = name, .index = index});
}

/* Registers that are not zero: those of the launch, which differ. */
static void launch(void)
{
    static const uint8_t zero[48];
    for (unsigned i = 0; i < 32; i++) {
        struct bytes answer = nsm_ask((struct request){.name = "DescribePCR", .index = i});
        int is_zero = nsm_find(&answer, zero, 48) != NULL;
        int wanted = !(i == 0 || i == 1 || i == 2 || i == 4);
        EQ("zero at the launch", inside() ? is_zero : wanted, wanted);
        int is_locked = nsm_find(&answer, "lock\xf5", 5) != NULL;
        EQ("locked at the launch", is_locked, i < 16);
    }
}

static void random_numbers(void)
{
    struct request r = {.name = "GetRandom"};
    struct bytes one = nsm_ask(r), other = nsm_ask(r);
    static const char start[] = "\xa1\x69GetRandom\xa1\x66random\x59\x01";
    CHECK("random numbers", !inside() || (one.length == sizeof start + 256 &&
                                          !memcmp(one.at, start, sizeof start)));
    CHECK("others the next time", !inside() || !nsm_is(&one, &other));
}

static void attest(size_t option)
{
    struct request r = {.name = "Attestation", .option = option};
    struct bytes answer = nsm_ask(r);
    static const char start[] = "\xa1\x6b" "Attestation\xa1\x68" "document\x59";
    static const char envelope[] = "\x84\x44\xa1\x01\x38\x22\xa0\x59";
    uint8_t wanted[1024];
    memset(wanted, 'o', sizeof wanted);
    CHECK("a document", !inside() || !memcmp(answer.at, start, sizeof start - 1));
    CHECK("in its envelope",
          !inside() || !memcmp(answer.at + sizeof start + 1, envelope, sizeof envelope - 1));
    CHECK("with what was given", !inside() || !option || nsm_find(&answer, wanted, option));
}

/* A request that no client writes so, and what it means; without a name, that
 * it is refused with this error. */
static void odd(const char *what, const char *bytes, size_t length, struct request meaning,
                const char *error)
{
    struct bytes request = {.length = 0}, answer = {.length = 0};
    put(&request, bytes, length);
    if (inside())
        answer = nsm_bytes(&request);
    else if (meaning.name)
        answer = model(meaning);
    else
        model_error(&answer, error);
    print(what, &answer);
}

#define DESCRIBES(what, bytes, n) \
    odd(what, bytes, sizeof bytes - 1, (struct request){.name = "DescribePCR", .index = n}, NULL)
#define EXTENDS(what, bytes, n, with)     \
    odd(what, bytes, sizeof bytes - 1,    \
        (struct request){.name = "ExtendPCR", .index = n, .data = with, .length = sizeof with - 1}, NULL)
#define REFUSED(what, bytes, error) odd(what, bytes, sizeof bytes - 1, (struct request){0}, error)

int main(int argc, char **argv)
{
    nsm_open(argc > 1 && !strcmp(argv[1], "call"));
    launch();
    on("DescribeNSM", 0);
    on("DescribePCR", 16);
    extend(16, "hello");
    extend(16, "hello");
    extend(16, "");
    on("LockPCR", 16);
    on("LockPCR", 16);
    extend(16, "hello");
    extend(0, "\1\2\3");
    on("LockPCR", 0);
    extend(32, "\1\2\3");
    on("DescribePCR", 32);
    on("DescribePCR", 65535);
    on("LockPCR", 32);
    on("LockPCRs", 0);
    on("LockPCRs", 16);
    on("LockPCRs", 33);
    attest(0);
    attest(1);
    attest(1024);
    random_numbers();
    for (unsigned i = 17; i < 32; i++) extend(i, "a longer text, as long as more than one block of the "
        "hash function has room for, which is a hundred and twenty-eight bytes; so it goes on to here");

    DESCRIBES("a shorter head would do",
              "\xa1\x6b" "DescribePCR\xa1\x65index\x18\x11", 17);
    DESCRIBES("a head of eight bytes",
              "\xa1\x6b" "DescribePCR\xa1\x65index\x1b\0\0\0\0\0\0\0\x11", 17);
    DESCRIBES("an inner map without a length",
              "\xa1\x6b" "DescribePCR\xbf\x65index\x11\xff", 17);
    DESCRIBES("one field too many",
              "\xa1\x6b" "DescribePCR\xa2\x61x\x00\x65index\x11", 17);
    EXTENDS("text for bytes",
            "\xa1\x69" "ExtendPCR\xa2\x65index\x12\x64" "data\x63" "abc", 18, "abc");
    EXTENDS("an array for bytes",
            "\xa1\x69" "ExtendPCR\xa2\x65index\x12\x64" "data\x83\x01\x02\x03", 18, "\1\2\3");
    EXTENDS("bytes in pieces",
            "\xa1\x69" "ExtendPCR\xa2\x65index\x12\x64" "data\x5f\x41\x01\x42\x02\x03\xff", 18, "\1\2\3");
    EXTENDS("fields the other way round",
            "\xa1\x69" "ExtendPCR\xa2\x64" "data\x41\x01\x65index\x12", 18, "\1");
    REFUSED("an array for a map", "\x82\x6b" "DescribePCR\xa1\x65index\x11", "InvalidOperation");
    REFUSED("an outer map without a length", "\xbf\x6b" "DescribePCR\xa1\x65index\x11\xff", "InvalidOperation");
    REFUSED("too wide an index", "\xa1\x6b" "DescribePCR\xa1\x65index\x1a\0\1\0\0", "InvalidOperation");
    REFUSED("an index of two bytes", "\xa1\x6b" "DescribePCR\xa1\x65index\x19\1\0", "InvalidIndex");
    REFUSED("a negative index", "\xa1\x6b" "DescribePCR\xa1\x65index\x20", "InvalidOperation");
    REFUSED("no index", "\xa1\x6b" "DescribePCR\xa0", "InvalidOperation");
    REFUSED("a byte after it", "\x6b" "DescribeNSM\x00", "InvalidOperation");
    REFUSED("a key twice", "\xa1\x6b" "DescribePCR\xa2\x65index\x11\x65index\x12", "InvalidOperation");
    REFUSED("two requests", "\xa2\x69GetRandom\xf6\x6b" "DescribeNSM\xf6", "InvalidOperation");
    REFUSED("an unknown request", "\x65Hello", "InvalidOperation");
    REFUSED("a number", "\x00", "InvalidOperation");
    REFUSED("no end",
            "\xa1\x69" "ExtendPCR\xa2\x65index\x12\x64" "data\x5b\xff\xff\xff\xff\xff\xff\xff\xff", "InvalidOperation");
    REFUSED("a long option", "\xa1\x6b" "Attestation\xa1\x65nonce\x59\x04\x01", "InvalidOperation");

    on("LockPCRs", 32);
    on("LockPCRs", 32);
    on("DescribePCR", 31);
    on("DescribeNSM", 0);
    return check_done();
}
