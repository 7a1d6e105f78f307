// crypt in all its methods. The distribution's plain musl is built without it, so the truth is written down here: what the
// machine's libcrypt (libxcrypt) makes of the same.
// km-test: links=static-kontain,dynamic-kontain
#include "check.h"
#include <crypt.h>
#include <unistd.h>

static const char *const keys[] = {"", "a", "password", "a key longer than eight bytes, and than sixteen",
    "\303\244\303\277", "U*U*U*U*"};

static const struct {
    int key;
    const char *setting, *wanted;
} passwords[] = {
    {1, "ab", "abxxB7HlIeckU"},
    {2, "ab", "abJnggxhB/yWI"},
    {3, "ab", "ab2rUrEsVLxfU"},
    {4, "ab", "abdCqzzIXH052"},
    {5, "ab", "ab3RlyzKJBvlk"},
    {1, "..", "..4/MD05HLWjI"},
    {2, "..", "..UZoIyj/Hy/c"},
    {3, "..", "..sHTqlCRQUMc"},
    {4, "..", "..UJZZ4VjuIyM"},
    {5, "..", "..uHrDQ9FAjfI"},
    {1, "zZ", "zZ/Dc0K.bMxrQ"},
    {2, "zZ", "zZDDIZ0NOlPzw"},
    {3, "zZ", "zZYVexUN/.vNw"},
    {4, "zZ", "zZNsDyE.3qFx."},
    {5, "zZ", "zZW05Y/JGb9uY"},
    {1, "_J9..rasm", "_J9..rasmWuvos8B/9gQ"},
    {2, "_J9..rasm", "_J9..rasmEedsvB6g8/6"},
    {3, "_J9..rasm", "_J9..rasm8BSNryAAA16"},
    {4, "_J9..rasm", "_J9..rasmeK1wtGbaj/k"},
    {5, "_J9..rasm", "_J9..rasmAFITjpe453k"},
    {1, "_0.../abc", "_0.../abc7uTAUTs6P8I"},
    {2, "_0.../abc", "_0.../abcBjJyr2Xa2OI"},
    {3, "_0.../abc", "_0.../abckMfol6KX7c2"},
    {4, "_0.../abc", "_0.../abcwyyFh4IjPHk"},
    {5, "_0.../abc", "_0.../abcmNFtTrG0yXk"},
    {1, "$1$", "$1$$Ij31LCAysPM23KuPlm1wA/"},
    {2, "$1$", "$1$$I2o9Z7NcvQAKp7wyCTlia0"},
    {3, "$1$", "$1$$7LrA9nwHDZbPIEkUZcbq91"},
    {4, "$1$", "$1$$5Jd4jCXCHR6gwpa6cH7sI/"},
    {5, "$1$", "$1$$UPERqHg5ZyzfbkxOUAx6a1"},
    {1, "$1$salt", "$1$salt$M17PcHxFIEt5v7SAsS4v60"},
    {2, "$1$salt", "$1$salt$qJH7.N4xYta3aEG/dfqo/0"},
    {3, "$1$salt", "$1$salt$fLVOdU3xk5je2gXl1/bKj/"},
    {4, "$1$salt", "$1$salt$iWfrJOYX6MFApbUmsVJZA0"},
    {5, "$1$salt", "$1$salt$YifG6vo6jWJmhwDdToEHJ/"},
    {1, "$1$saltsalt$", "$1$saltsalt$MzDjbImyzEz2m0NTiPzNW/"},
    {2, "$1$saltsalt$", "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/"},
    {3, "$1$saltsalt$", "$1$saltsalt$5kfK6DzeFjQko7vemDTCr/"},
    {4, "$1$saltsalt$", "$1$saltsalt$93XQ/t0BTSimKNKDQ39Tq/"},
    {5, "$1$saltsalt$", "$1$saltsalt$glery64LRFBeBj6e5DmvL/"},
    {3, "$2a$04$abcdefghijklmnopqrstuu", "$2a$04$abcdefghijklmnopqrstuuXzCDf6cgNy5.BPAQsyUjgUxrywh5AX6"},
    {0, "$2a$04$abcdefghijklmnopqrstuu", "$2a$04$abcdefghijklmnopqrstuubyCG3zY1GIXMyxfivm.ClDiInHzxjiq"},
    {4, "$2b$04$......................", "$2b$04$......................qQP6Rn88S58FjFXRGVA89jZDtZd29Ue"},
    {1, "$2b$04$......................", "$2b$04$......................ab4uk7zdS0i/IlhKXBIf8klDpk4gLJu"},
    {5, "$2y$04$zzzzzzzzzzzzzzzzzzzzzu", "$2y$04$zzzzzzzzzzzzzzzzzzzzzu81vE/5HrHfvALy3PZuEF7Spa3/18gXy"},
    {2, "$2y$04$zzzzzzzzzzzzzzzzzzzzzu", "$2y$04$zzzzzzzzzzzzzzzzzzzzzuwN1mI92qf7AXBmnrsK04peTF3Z8oZbG"},
    {0, "$5$saltstring", "$5$saltstring$FdNfA4gXqvCeO6iZs7G/.wwwoywYZqo0l1pwmfWaBA7"},
    {3, "$5$saltstring", "$5$saltstring$1ESSQ5GKnnp2TZDiIjv8XPQfjD.jrS2Wnsv7QmqgND1"},
    {1, "$5$rounds=1000$saltstringsaltstring", "$5$rounds=1000$saltstringsaltst$9zE0ZvS1fALKxeNx83qZ1UmvJ9ZR/nUK2lmmMWFS6b5"},
    {4, "$5$rounds=1000$saltstringsaltstring", "$5$rounds=1000$saltstringsaltst$El6lWj6et0h6D0IdREygveMM0KdsgZ8PMVREuLAM2z/"},
    {2, "$5$rounds=1001$a", "$5$rounds=1001$a$vz2ZQqe6R8qqNBt9LYYZAc/xGnq7NQzLEk0jmdm3jvC"},
    {5, "$5$rounds=1001$a", "$5$rounds=1001$a$y5/N4cwhgxL8w6Ix9y.fVTfxUCFtXXSPyJFcZr2yMRA"},
    {3, "$6$saltstring$",
    "$6$saltstring$C8GEb92rjurV08aMgO8vf.7PlWK4Cbo8qL8qfRHDorNdS.rjesvvpq7U2eWHk7P0QaXZ9cHw9bthZPMiCmk6i1"},
    {0, "$6$saltstring$",
    "$6$saltstring$kyGrqt6gmjAdtFLPrflEFifSYLCWWq1pyx95SvqinLDy2UHmj0sTF0MSLMwxPFZc3tu5kQckI8fks0zOPda3n1"},
    {4, "$6$rounds=1234$longsaltlongsaltlong",
    "$6$rounds=1234$longsaltlongsalt$RNR7ID5lFNtdR1G/QB6A/dFB8R09GqnhVTpydXjw1RW7I/jlsAM9Gko9r8amL35wKwFWPJUhMtaMbmpgCmmYA."},
    {1, "$6$rounds=1234$longsaltlongsaltlong",
    "$6$rounds=1234$longsaltlongsalt$F8RXR/yETeuBok5uCkkEtREPNuHOwlsreyON9GdVZpZYyBlydU53AxvhvcTi1ik72.FTe1y1hhl0dLsnjal3a0"},
};

// The example of FIPS 46 that all know: bits, one a byte.
static void blocks(void)
{
    char key[64], block[64];
    for (int i = 0; i < 64; i++) {
        key[i] = (char)(0x133457799BBCDFF1 >> (63 - i) & 1);
        block[i] = (char)(0x0123456789ABCDEF >> (63 - i) & 1);
    }
    setkey(key);
    static const unsigned long wanted[] = {0x85E813540F0AB405, 0x0123456789ABCDEF};
    for (int way = 0; way < 2; way++) {
        encrypt(block, way);
        unsigned long bits = 0;
        for (int i = 0; i < 64; i++)
            bits = bits << 1 | (unsigned)block[i];
        EQ(way ? "back" : "a block", bits, wanted[way]);
    }
}

int main(void)
{
    for (size_t i = 0; i < sizeof passwords / sizeof *passwords; i++) {
        struct crypt_data room = {0};
        const char *key = keys[passwords[i].key];
        STR(passwords[i].setting, crypt_r(key, passwords[i].setting, &room), passwords[i].wanted);
    }
    // What was made is a setting that makes the same.
    char kept[100];
    strcpy(kept, crypt("secret", "$1$abc$"));
    STR("again", crypt("secret", kept), kept);
    CHECK("another", strcmp(crypt("Secret", kept), kept) != 0);
    // musl's answer to what is no setting: no setting makes that.
    static const char *const none[] = {"", "a", "a:", "_J9..", "$2a$03$abcdefghijklmnopqrstuu", "$2a$04$short",
        "$6$rounds=999999999999$a"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        STR("no setting", crypt("key", none[i]), "*");
    blocks();
    return check_done();
}
