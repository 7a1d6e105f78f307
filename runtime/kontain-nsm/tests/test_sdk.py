"""The SDK on the device. It is the stand-in beside this file, or the true one
where SDK names a folder that has it."""

import hashlib
import os
import subprocess
import sys
import unittest

import nsm_under_test

SDK = os.environ.get("SDK") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "sdk_stand_in")
sys.path.append(SDK)

from aws_nitro_enclaves.nsm import NsmClient, _transport, errors  # noqa: E402
from kontain_nsm import document  # noqa: E402
from kontain_nsm.transport import DeviceTransport  # noqa: E402

PATH = nsm_under_test.PATH


class OptionA(unittest.TestCase):
    """The transport named by the payload."""

    options = {"transport_factory": DeviceTransport}

    def setUp(self):
        self.client = NsmClient(device_path=PATH, **self.options)
        self.client.open()
        self.addCleanup(self.client.close)

    def test_path_and_session(self):
        self.assertEqual(self.client.device_path, PATH)
        self.assertTrue(self.client.is_open)
        self.client.close()
        self.assertFalse(self.client.is_open)
        for request in (self.client.describe_nsm, self.client.get_attestation):
            self.assertRaises(errors.NsmSessionClosedError, request)
        self.assertRaises(errors.NsmSessionClosedError, self.client.describe_pcr, 0)
        self.client.open()
        self.assertEqual(len(self.client.get_random(7)), 7)

    def test_no_device(self):
        client = NsmClient(device_path="/nowhere/nsm", **self.options)
        with self.assertRaises(errors.NsmDeviceNotFoundError) as caught:
            client.open()
        self.assertIsInstance(caught.exception.__cause__, FileNotFoundError)
        client = NsmClient(device_path=os.path.join(PATH, "below"), **self.options)
        self.assertRaises(errors.NsmError, client.open)

    def test_random(self):
        self.assertEqual([len(self.client.get_random(n)) for n in (1, 256, 600)], [1, 256, 600])
        self.assertNotEqual(self.client.get_random(32), self.client.get_random(32))
        self.assertRaises(errors.NsmRandomError, self.client.get_random, 0)

    def test_pcrs(self):
        index = 20 if "transport_factory" in self.options else 21
        before = self.client.describe_pcr(index)
        self.assertEqual((before.slot, before.digest, before.locked), (index, bytes(48), False))
        after = self.client.extend_pcr(index, b"hello")
        self.assertEqual(after.digest, hashlib.sha384(before.digest + b"hello").digest())
        self.assertFalse(after.locked)
        self.assertTrue(self.client.lock_pcr(index))
        self.assertEqual(self.client.describe_pcr_raw(index), {"index": index, "digest": after.digest, "locked": True})
        self.assertRaises(errors.NsmPcrLockedError, self.client.extend_pcr, index, b"more")
        self.assertRaises(errors.NsmPcrLockedError, self.client.lock_pcr, index)
        self.assertRaises(errors.NsmPcrLockedError, self.client.extend_pcr, 0, b"more")
        for missing in (32, 999, 1 << 20):
            self.assertRaises(errors.NsmInvalidPcrError, self.client.describe_pcr, missing)
        self.assertRaises(errors.NsmError, self.client.extend_pcr, 22, bytes(5000))

    def test_lock_a_range(self):
        self.assertTrue(self.client.lock_pcrs(2))
        self.assertEqual([self.client.describe_pcr(n).locked for n in (0, 1, 30)], [True, True, False])

    def test_certificates(self):
        for request, args in (
            (self.client.set_certificate, (0, b"DER")),
            (self.client.describe_certificate, (0,)),
            (self.client.remove_certificate, (0,)),
        ):
            self.assertRaises(errors.NsmCertificateError, request, *args)

    def test_attestation(self):
        options = {"user_data": b"data", "nonce": b"nonce", "public_key": b"key"}
        found = self.client.get_attestation(**options)
        self.assertEqual({name: getattr(found, name) for name in options}, options)
        self.assertEqual(found.module_id, self.client.describe_nsm()["module_id"])
        self.assertEqual(found.digest, b"SHA384")
        self.assertGreater(found.timestamp, 1_600_000_000_000)
        self.assertEqual(set(found.pcrs), set(found.locked_pcrs))
        self.assertTrue(all(len(pcr.digest) == 48 and pcr.locked for pcr in found.pcrs.values()))
        self.assertEqual(found.pcrs[0].digest, self.client.describe_pcr(0).digest)
        self.assertIsNone(self.client.get_attestation().nonce)

    def test_signed_document(self):
        raw = self.client.get_attestation_raw(nonce=b"nonce")
        fields = document.read(raw["document"])
        self.assertEqual(fields["nonce"], b"nonce")
        self.assertEqual(fields["certificate"], raw["certificate"])
        self.assertEqual(b"".join(fields["cabundle"]), raw["cabundle"])
        self.assertEqual(raw["locked_pcrs"], sorted(fields["pcrs"]))

    def test_attestation_refused(self):
        self.assertRaises(errors.NsmAttestationError, self.client.get_attestation, user_data=bytes(2000))

    def test_itself(self):
        found = self.client.describe_nsm()
        self.assertEqual((found["device_path"], found["pcr_slots"]), (PATH, 32))
        self.assertEqual((found["certificate_slots"], found["certificates"]), (0, 0))
        self.assertEqual(found["locked_pcrs"][:16], list(range(16)))


class OptionB(OptionA):
    """The hook, and a payload that knows nothing of it."""

    options = {}

    def test_what_was_replaced(self):
        self.assertIs(_transport.NsmTransport, DeviceTransport)
        self.assertEqual(NsmClient().device_path, "/dev/nsm")
        self.assertTrue(NsmClient.sdk_version())
        self.assertFalse(type(_transport.__loader__).__module__.startswith("_kontain"))
        self.assertTrue(_transport.__spec__.loader.get_source(_transport.__name__))


class Hook(unittest.TestCase):
    """What the .pth file of the installed package does, in processes of their own."""

    def python(self, program, *options):
        done = subprocess.run(
            [sys.executable, *options, "-c", program],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": SDK, "PYTHONDONTWRITEBYTECODE": "1"},
            timeout=60,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.strip()

    WHICH = "from aws_nitro_enclaves.nsm import _transport as t; print(t.NsmTransport.__name__)"

    def test_it_is_there_from_the_start(self):
        self.assertEqual(self.python(self.WHICH), "DeviceTransport")

    def test_in_any_order(self):
        self.assertEqual(self.python("import kontain_nsm.transport; " + self.WHICH), "DeviceTransport")

    def test_it_can_be_taken_away(self):
        self.assertEqual(self.python("import _kontain_nsm_hook as h; h.remove(); h.remove(); " + self.WHICH), "NsmTransport")
        self.assertEqual(
            self.python("import _kontain_nsm_hook as h; h.remove(); h.install(); h.install(); " + self.WHICH), "DeviceTransport"
        )

    def test_it_imports_nothing(self):
        program = "import sys; print([name for name in sys.modules if 'kontain' in name or 'nitro' in name])"
        self.assertEqual(self.python(program), "['_kontain_nsm_hook']")

    def test_without_the_sdk(self):
        program = (
            "import sys; sys.path.remove(sys.argv[1]) if len(sys.argv) > 1 else None\n"
            "sys.path = [p for p in sys.path if p != %r]\n"
            "try:\n    import aws_nitro_enclaves.nsm._transport\n"
            "except ModuleNotFoundError as error:\n    print(error.name)\n"
            "from kontain_nsm.transport import DeviceTransport\n"
            "try:\n    DeviceTransport()\n"
            "except ModuleNotFoundError as error:\n    print(error.name)\n"
        ) % SDK
        self.assertEqual(self.python(program), "aws_nitro_enclaves\naws_nitro_enclaves")
