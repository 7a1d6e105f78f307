"""What a program can ask km for; the C library's header kontain.h says more."""

import ctypes
import os
from collections import namedtuple

__all__ = ["Info", "Stats", "info", "is_running", "stats", "version"]

_INFO, _STATS = 0xF000, 0xF001

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


class _Stats(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in Stats._fields]


_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _ask(number, structure):
    size = ctypes.c_size_t(ctypes.sizeof(structure))
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
