"""The client of /dev/nsm: a file, and one ioctl for all requests.

Neither threads nor children need care: the device keeps no state for a
descriptor. The PCRs belong to the virtual machine, and what is locked stays so.
"""

import array
import fcntl
import os
import struct
from collections import namedtuple

from . import cbor

__all__ = ["DEVICE", "Description", "Nsm", "NsmError", "Pcr"]

DEVICE = "/dev/nsm"

# Read and write, 32 bytes, type 0x0A, number 0.
COMMAND = 0xC0200A00
# Address and length of the request, address and room of the answer.
MESSAGE = struct.Struct("=QQQQ")
RESPONSE_ROOM = 0x3000
# What one request for random bytes is answered with.
RANDOM_STEP = 256

Description = namedtuple("Description", "version module_id max_pcrs locked_pcrs digest")
Pcr = namedtuple("Pcr", "index value locked")


class NsmError(Exception):
    """The NSM refused a request. `name` is its word for it, ReadOnlyIndex for example."""

    def __init__(self, name):
        super().__init__(name)
        self.name = name


class Nsm:
    """An open NSM; also a context manager.

    What the NSM refuses is an NsmError, what the system refuses an OSError:
    FileNotFoundError where there is no device, EMSGSIZE for a request of more
    than 4096 bytes, ENOTTY or EINVAL where the path is of something else.
    """

    def __init__(self, path=DEVICE):
        self.path = os.fspath(path)
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        self.close()

    def close(self):
        """The state of the NSM stays as it is. More than once is once."""
        descriptor = getattr(self, "_descriptor", None)
        self._descriptor = None
        if descriptor is not None:
            os.close(descriptor)

    @property
    def is_closed(self):
        return self._descriptor is None

    def describe(self):
        """The NSM itself, as a Description."""
        answer = self._ask("DescribeNSM")
        version = tuple(answer[f"version_{part}"] for part in ("major", "minor", "patch"))
        return Description(
            version,
            answer["module_id"],
            answer["max_pcrs"],
            tuple(answer["locked_pcrs"]),
            answer["digest"],
        )

    def random(self, length=RANDOM_STEP):
        """Random bytes, as many as are asked for."""
        if length < 0:
            raise ValueError("a negative number of bytes")
        found = bytearray()
        while len(found) < length:
            part = self._ask("GetRandom")["random"]
            if not part:
                raise cbor.CborError("no random bytes")
            found += part
        return bytes(found[:length])

    def describe_pcr(self, index):
        """Value and lock of a PCR, as a Pcr."""
        answer = self._ask("DescribePCR", index=_u16(index))
        return Pcr(index, answer["data"], answer["lock"])

    def extend_pcr(self, index, data):
        """The PCR becomes SHA-384 of its value and the data; that is returned."""
        return self._ask("ExtendPCR", index=_u16(index), data=bytes(data))["data"]

    def lock_pcr(self, index):
        """For good: there is no way to unlock it."""
        self._ask("LockPCR", index=_u16(index))

    def lock_pcrs(self, count):
        """The first `count` PCRs, so that lock_pcrs(18) locks 0 to 17."""
        self._ask("LockPCRs", range=_u16(count))

    def attest(self, *, user_data=None, nonce=None, public_key=None):
        """A signed document, in its bytes. Each option may have up to 1024 bytes."""
        options = (("user_data", user_data), ("nonce", nonce), ("public_key", public_key))
        options = {name: None if value is None else bytes(value) for name, value in options}
        return self._ask("Attestation", **options)["document"]

    def _ask(self, request, **fields):
        answer = cbor.decode(self.exchange(cbor.encode({request: fields} if fields else request)))
        if isinstance(answer, dict) and len(answer) == 1:
            name, content = next(iter(answer.items()))
            if name == "Error":
                raise NsmError(content)
            if name == request:
                return content
        if answer == request:
            return {}
        raise cbor.CborError(f"no answer to {request}")

    def exchange(self, request):
        """Request and answer as they are, in CBOR."""
        if self._descriptor is None:
            raise ValueError("the NSM is closed")
        asked = array.array("B", request)
        answer = array.array("B", bytes(RESPONSE_ROOM))
        asked_at, asked_size = asked.buffer_info()
        answer_at, room = answer.buffer_info()
        message = bytearray(MESSAGE.pack(asked_at, asked_size, answer_at, room))
        status = fcntl.ioctl(self._descriptor, COMMAND, message, True)
        written = MESSAGE.unpack(message)[3]
        if status != 0 or written > room:
            raise OSError(f"{self.path} answered with {status} and {written} bytes")
        return answer[:written].tobytes()


def _u16(number):
    if not 0 <= number <= 0xFFFF:
        raise ValueError(f"{number} is not within 0 to 65535")
    return number
