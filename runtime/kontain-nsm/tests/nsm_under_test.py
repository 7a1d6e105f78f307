"""Which NSM the tests ask: the one that NSM_DEVICE names, or one in this process.

The latter takes the place of the ioctl and has the PCRs, the locks and the
errors of an NSM; its documents are signed by nobody. State is never undone, so
each test has PCRs of its own.
"""

import errno
import hashlib
import os
import tempfile
from unittest import mock

from kontain_nsm import cbor, device

REAL = os.environ.get("NSM_DEVICE")


class FakeNsm:
    def __init__(self):
        self.values = [bytes(48)] * 32
        for index in (0, 1, 2, 4):
            self.values[index] = bytes([index + 1]) * 48
        self.locked = set(range(16))

    def ioctl(self, descriptor, command, message, mutate):
        import ctypes

        assert command == 0xC0200A00 and mutate
        at, size, answer_at, room = device.MESSAGE.unpack(message)
        if size > 4096:
            raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
        answer = cbor.encode(self.answer(cbor.decode(ctypes.string_at(at, size))))
        assert len(answer) <= room
        ctypes.memmove(answer_at, answer, len(answer))
        message[:] = device.MESSAGE.pack(at, size, answer_at, len(answer))
        return 0

    def answer(self, request):
        name, fields = request, {}
        if isinstance(request, dict):
            name, fields = next(iter(request.items()))
        index = fields.get("index", 0)
        if index > 31 or fields.get("range", 0) > 32:
            return {"Error": "InvalidIndex"}
        if name in ("ExtendPCR", "LockPCR") and index in self.locked:
            return {"Error": "ReadOnlyIndex"}
        if name == "DescribeNSM":
            parts = {"version_major": 1, "version_minor": 0, "version_patch": 0}
            parts.update(module_id="fake-nsm", max_pcrs=32)
            return {name: {**parts, "locked_pcrs": sorted(self.locked), "digest": "SHA384"}}
        if name == "GetRandom":
            return {name: {"random": os.urandom(256)}}
        if name == "DescribePCR":
            return {name: {"lock": index in self.locked, "data": self.values[index]}}
        if name == "ExtendPCR":
            self.values[index] = hashlib.sha384(self.values[index] + fields["data"]).digest()
            return {name: {"data": self.values[index]}}
        if name == "LockPCR":
            self.locked.add(index)
            return name
        if name == "LockPCRs":
            self.locked.update(range(fields["range"]))
            return name
        if name == "Attestation":
            if any(value is not None and len(value) > 1024 for value in fields.values()):
                return {"Error": "InputTooLarge"}
            return {name: {"document": self.document(fields)}}
        return {"Error": "InvalidOperation"}

    def document(self, options):
        fields = {
            "module_id": "fake-nsm",
            "digest": "SHA384",
            "timestamp": 1_700_000_000_000,
            "pcrs": {index: self.values[index] for index in sorted(self.locked)},
            "certificate": b"no certificate",
            "cabundle": [b"none", b"either"],
            **{name: options[name] for name in ("public_key", "user_data", "nonce")},
        }
        return cbor.encode([cbor.encode({1: -35}), {}, cbor.encode(fields), bytes(96)])


if REAL:
    PATH = REAL
else:
    _file = tempfile.NamedTemporaryFile(prefix="nsm-fake.")
    PATH = _file.name
    mock.patch.object(device.fcntl, "ioctl", FakeNsm().ioctl).start()
