import errno
import hashlib
import os
import tempfile
import threading
import unittest

import nsm_under_test
from kontain_nsm import Nsm, NsmError, document

ZERO = bytes(48)


class Device(unittest.TestCase):
    def setUp(self):
        self.nsm = Nsm(nsm_under_test.PATH)
        self.addCleanup(self.nsm.close)

    def refused(self, name, request, *args, **options):
        with self.assertRaises(NsmError) as caught:
            request(*args, **options)
        self.assertEqual(caught.exception.name, name)

    def test_itself(self):
        found = self.nsm.describe()
        self.assertEqual(found.version, (1, 0, 0))
        self.assertTrue(found.module_id)
        self.assertEqual((found.max_pcrs, found.digest), (32, "SHA384"))
        self.assertEqual(found.locked_pcrs[:16], tuple(range(16)))

    def test_random(self):
        self.assertEqual([len(self.nsm.random(n)) for n in (0, 1, 255, 256, 257, 1000)], [0, 1, 255, 256, 257, 1000])
        self.assertEqual(len({self.nsm.random() for _ in range(8)}), 8)
        self.assertRaises(ValueError, self.nsm.random, -1)

    def test_pcrs_of_the_launch(self):
        for index in range(16):
            pcr = self.nsm.describe_pcr(index)
            self.assertEqual((pcr.index, len(pcr.value), pcr.locked), (index, 48, True))
            self.assertEqual(pcr.value == ZERO, index not in (0, 1, 2, 4), index)
            self.refused("ReadOnlyIndex", self.nsm.extend_pcr, index, b"x")
            self.refused("ReadOnlyIndex", self.nsm.lock_pcr, index)

    def test_extend_and_lock(self):
        value = self.nsm.describe_pcr(16).value
        for data in (b"hello", b"", bytes(2000)):
            value = hashlib.sha384(value + data).digest()
            self.assertEqual(self.nsm.extend_pcr(16, data), value)
        self.assertEqual(self.nsm.describe_pcr(16)[1:], (value, False))
        self.nsm.lock_pcr(16)
        self.assertEqual(self.nsm.describe_pcr(16)[1:], (value, True))
        self.refused("ReadOnlyIndex", self.nsm.extend_pcr, 16, b"more")
        self.refused("ReadOnlyIndex", self.nsm.lock_pcr, 16)
        self.assertIn(16, self.nsm.describe().locked_pcrs)
        self.assertEqual(document.read(self.nsm.attest())["pcrs"][16], value)

    def test_lock_many(self):
        self.nsm.lock_pcrs(0)
        self.nsm.lock_pcrs(16)
        self.assertFalse(self.nsm.describe_pcr(31).locked)
        self.refused("InvalidIndex", self.nsm.lock_pcrs, 33)

    def test_no_such_pcr(self):
        for index in (32, 255, 65535):
            self.refused("InvalidIndex", self.nsm.describe_pcr, index)
            self.refused("InvalidIndex", self.nsm.extend_pcr, index, b"x")
            self.refused("InvalidIndex", self.nsm.lock_pcr, index)
        for index in (-1, 65536):
            self.assertRaises(ValueError, self.nsm.describe_pcr, index)

    def test_attestation(self):
        fields = document.read(self.nsm.attest())
        self.assertEqual(fields["module_id"], self.nsm.describe().module_id)
        self.assertEqual(fields["digest"], "SHA384")
        self.assertGreater(fields["timestamp"], 1_600_000_000_000)
        self.assertEqual([fields[name] for name in ("user_data", "nonce", "public_key")], [None] * 3)
        self.assertLessEqual(set(range(16)), set(fields["pcrs"]))
        self.assertEqual(fields["pcrs"][0], self.nsm.describe_pcr(0).value)
        self.assertGreater(len(fields["cabundle"]), 1)

    def test_options(self):
        options = {"user_data": bytes(1024), "nonce": b"", "public_key": b"\1" * 1024}
        fields = document.read(self.nsm.attest(**options))
        self.assertEqual({name: fields[name] for name in options}, options)
        for name in options:
            self.refused("InputTooLarge", self.nsm.attest, **{name: bytes(1025)})

    def test_more_than_a_request_holds(self):
        with self.assertRaises(OSError) as caught:
            self.nsm.extend_pcr(17, bytes(4096))
        self.assertEqual(caught.exception.errno, errno.EMSGSIZE)
        self.assertEqual(self.nsm.describe_pcr(17).value, ZERO)

    def test_closed(self):
        self.assertFalse(self.nsm.is_closed)
        self.nsm.close()
        self.nsm.close()
        self.assertTrue(self.nsm.is_closed)
        self.assertRaises(ValueError, self.nsm.describe)

    def test_threads(self):
        each, many = 20, 8

        def extend():
            for _ in range(each):
                self.nsm.extend_pcr(18, b"turn")

        threads = [threading.Thread(target=extend) for _ in range(many)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        value = ZERO
        for _ in range(each * many):
            value = hashlib.sha384(value + b"turn").digest()
        self.assertEqual(self.nsm.describe_pcr(18).value, value)

    def test_no_device(self):
        self.assertRaises(FileNotFoundError, Nsm, os.path.join(os.path.dirname(__file__), "none"))

    @unittest.skipUnless(nsm_under_test.REAL, "the fake one answers for any file")
    def test_something_else(self):
        with tempfile.NamedTemporaryFile() as file, Nsm(file.name) as nsm:
            self.assertRaises(OSError, nsm.describe)

    @unittest.skipUnless(nsm_under_test.REAL, "the fake one lives in this process")
    def test_a_child(self):
        child = os.fork()
        if child == 0:
            try:
                os._exit(0 if self.nsm.describe().max_pcrs == 32 and Nsm().random() else 1)
            finally:
                os._exit(2)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
