from .client import NsmClient
from .errors import NsmDeviceNotFoundError, NsmError, NsmPcrLockedError, NsmSessionClosedError


def sdk_version():
    return NsmClient.sdk_version()


__all__ = [
    "NsmClient",
    "NsmDeviceNotFoundError",
    "NsmError",
    "NsmPcrLockedError",
    "NsmSessionClosedError",
    "sdk_version",
]
