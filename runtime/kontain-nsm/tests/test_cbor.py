import unittest

from kontain_nsm.cbor import CborError, Tagged, decode, encode

# Of RFC 8949, appendix A, and of the NSM.
BOTH_WAYS = [
    (0, "00"),
    (23, "17"),
    (24, "1818"),
    (1000, "1903e8"),
    (1000000, "1a000f4240"),
    (18446744073709551615, "1bffffffffffffffff"),
    (-1, "20"),
    (-35, "3822"),
    (False, "f4"),
    (True, "f5"),
    (None, "f6"),
    (b"", "40"),
    (b"\1\2\3\4", "4401020304"),
    ("", "60"),
    ("\u00fc", "62c3bc"),
    ([1, [2, 3]], "8201820203"),
    ({}, "a0"),
    ({1: 2, 3: 4}, "a201020304"),
    ("GetRandom", "6947657452616e646f6d"),
    ({"DescribePCR": {"index": 31}}, "a16b4465736372696265504352a165696e646578181f"),
    ({"LockPCRs": {"range": 32}}, "a1684c6f636b50435273a16572616e67651820"),
    (
        {"Attestation": {"user_data": None, "nonce": None, "public_key": None}},
        "a16b4174746573746174696f6ea369757365725f64617461f6656e6f6e6365f66a7075626c69635f6b6579f6",
    ),
]

READ_TOO = [
    ({"a": [1, 2]}, "bf61619f0102ffff"),
    (b"\1\2\3", "5f42010241" + "03ff"),
    ("ab", "7f61616162ff"),
    (5, "1b0000000000000005"),
]

REFUSED = {
    "nothing": "",
    "something after": "0000",
    "too short": "4401",
    "a length beyond the end": "5bffffffffffffffff",
    "an array beyond the end": "9bffffffffffffffff",
    "a map beyond the end": "bbffffffffffffffff",
    "a key twice": "a201000100",
    "a key of bytes": "a1410000",
    "a break alone": "ff",
    "no break": "9f01",
    "text in bytes": "5f6161ff",
    "an indefinite number": "1f",
    "a reserved length": "1c",
    "not UTF-8": "61ff",
    "a number with a point": "f93c00",
    "undefined": "f7",
    "a simple value": "f8ff",
    "too deep": "81" * 9 + "00",
    "a half map": "a101",
}


class Cbor(unittest.TestCase):
    def test_both_ways(self):
        for value, text in BOTH_WAYS:
            with self.subTest(text):
                self.assertEqual(encode(value).hex(), text)
                self.assertEqual(decode(bytes.fromhex(text)), value)

    def test_what_others_may_write(self):
        for value, text in READ_TOO:
            with self.subTest(text):
                self.assertEqual(decode(bytes.fromhex(text)), value)

    def test_a_tag(self):
        tagged = decode(bytes.fromhex("d28100"))
        self.assertIsInstance(tagged, Tagged)
        self.assertEqual((tagged.tag, tagged.value), (18, [0]))

    def test_refused(self):
        for name, text in REFUSED.items():
            with self.subTest(name), self.assertRaises(CborError):
                decode(bytes.fromhex(text))

    def test_cut_short(self):
        whole = encode({"Attestation": {"user_data": b"x" * 300, "nonce": None, "more": [1, "two"]}})
        for size in range(len(whole)):
            with self.subTest(size), self.assertRaises(CborError):
                decode(whole[:size])

    def test_what_has_no_form(self):
        self.assertRaises(TypeError, encode, 1.5)
        self.assertRaises(TypeError, encode, object())
        self.assertRaises(OverflowError, encode, 1 << 64)
