"""What a program can ask km for; the C library's header kontain.h says more."""

import ctypes
import os
from collections import namedtuple

__all__ = ["Info", "Stats", "info", "is_running", "nsm", "stats", "version"]

_INFO, _STATS, _NSM = 0xF000, 0xF001, 0xF002
_LONGEST_ANSWER = 0x3000

Info = namedtuple("Info", "abi version commit")
Stats = namedtuple(
    "Stats", "system_calls page_faults exceptions host_faults signals calls errors nanoseconds"
)


class _Info(ctypes.Structure):
    _fields_ = [
        ("abi", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
        ("version", ctypes.c_char * 32),
        ("commit", ctypes.c_char * 32),
    ]


class _Message(ctypes.Structure):
    _fields_ = [
        ("request", ctypes.c_char_p),
        ("request_length", ctypes.c_uint64),
        ("response", ctypes.c_void_p),
        ("response_length", ctypes.c_uint64),
    ]


class _Stats(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in Stats._fields]


_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _ask(number, structure):
    size = ctypes.c_size_t(ctypes.sizeof(structure))
    # Where a call has no size, it is an argument too many.
    if _libc.syscall(ctypes.c_long(number), ctypes.byref(structure), size) < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return structure


def info():
    """What km it is; OSError (ENOSYS) natively."""
    found = _ask(_INFO, _Info())
    return Info(found.abi, found.version.decode(), found.commit.decode())


def is_running():
    """Whether the program runs under km."""
    try:
        info()
    except OSError:
        return False
    return True


def version():
    """km's version, None natively."""
    return info().version if is_running() else None


def stats():
    """Counters of this process; OSError: ENOSYS natively, ENODATA without --stats."""
    found = _ask(_STATS, _Stats())
    return Stats(*(getattr(found, name) for name in Stats._fields))


def nsm(request):
    """The security module's answer to a request, both CBOR; OSError: ENOSYS natively, ENODEV
    without --nsm, EMSGSIZE for more than 4096 bytes, EINVAL for none."""
    room = ctypes.create_string_buffer(_LONGEST_ANSWER)
    message = _Message(request, len(request), ctypes.addressof(room), len(room))
    _ask(_NSM, message)
    return room.raw[: message.response_length]
