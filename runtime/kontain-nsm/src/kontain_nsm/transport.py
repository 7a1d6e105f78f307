"""The transport that the AWS Nitro Enclaves Python SDK has not: one to /dev/nsm.

The SDK's own one answers from within the process and never opens the device.
`NsmClient(transport_factory=DeviceTransport)` takes this one. Once kontain-nsm
is installed the hook does so for each client that names none.
"""

import importlib

from . import cbor, document
from .device import DEVICE, Nsm, NsmError

__all__ = ["DeviceTransport", "replace_in"]

ERRORS = "aws_nitro_enclaves.nsm.errors"
PCR_SLOTS = 32


def replace_in(module):
    """Called by the hook with the SDK's module `_transport`, just loaded."""
    module.NsmTransport = DeviceTransport
    module.DEFAULT_DEVICE_PATH = DEVICE


class DeviceTransport:
    """An object of the kind that NsmClient expects; errors are the SDK's own.

    An NSM has no certificate slots, so all that has to do with them is an
    NsmCertificateError.
    """

    def __init__(self, device_path=None):
        # Not before: the SDK may be what is being imported.
        self._errors = importlib.import_module(ERRORS)
        path = DEVICE if device_path is None else str(device_path)
        try:
            self._nsm = Nsm(path)
        except FileNotFoundError as error:
            raise self._errors.NsmDeviceNotFoundError(
                f"there is no NSM at {path}", cause=error
            ) from error
        except OSError as error:
            raise self._errors.NsmError(f"cannot open {path}: {error}", cause=error) from error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._nsm.close()

    @property
    def is_closed(self):
        return self._nsm.is_closed

    @property
    def device_path(self):
        return self._nsm.path

    def get_random(self, length):
        if length <= 0:
            raise self._errors.NsmRandomError("the length must be greater than zero")
        return self._ask(self._nsm.random, length)

    def describe_pcr_raw(self, slot):
        pcr = self._ask(self._nsm.describe_pcr, self._slot(slot))
        return {"index": slot, "digest": pcr.value, "locked": pcr.locked}

    def describe_pcr(self, slot):
        return self.describe_pcr_raw(slot)["digest"]

    def extend_pcr(self, slot, data):
        return self._ask(self._nsm.extend_pcr, self._slot(slot), data)

    def lock_pcr(self, slot):
        self._ask(self._nsm.lock_pcr, self._slot(slot))
        return True

    def lock_pcrs(self, lock_range):
        # As the SDK does: more than there are is all.
        self._ask(self._nsm.lock_pcrs, min(lock_range, PCR_SLOTS))
        return True

    def describe_nsm(self):
        found = self._ask(self._nsm.describe)
        return {
            "module_id": found.module_id,
            "device_path": self.device_path,
            "pcr_slots": found.max_pcrs,
            "certificate_slots": 0,
            "locked_pcrs": list(found.locked_pcrs),
            "certificates": 0,
            "digest": found.digest,
            "version": found.version,
        }

    def get_attestation(self, *, user_data=None, public_key=None, nonce=None):
        """What the document says, in the types that the SDK's AttestationDocument takes.

        `document` is the signed document itself. Unlike the SDK's own transport
        tells it, `timestamp` counts milliseconds; `cabundle` is the certificates
        one after the other.
        """
        try:
            signed = self._ask(
                self._nsm.attest, user_data=user_data, public_key=public_key, nonce=nonce
            )
            fields = document.read(signed)
            payload = {
                "module_id": fields["module_id"],
                "timestamp": fields["timestamp"],
                "digest": fields["digest"].encode(),
                "pcrs": fields["pcrs"],
                "locked_pcrs": sorted(fields["pcrs"]),
                "certificate": fields["certificate"],
                "cabundle": b"".join(fields["cabundle"]),
            }
        except self._errors.NsmSessionClosedError:
            raise
        except (self._errors.NsmError, cbor.CborError, KeyError, TypeError) as error:
            raise self._errors.NsmAttestationError(
                f"no attestation document: {error}", cause=error
            ) from error
        for name in ("user_data", "public_key", "nonce"):
            payload[name] = fields.get(name)
        payload["document"] = signed
        return payload

    get_attestation_raw = get_attestation

    def set_certificate(self, slot, certificate):
        raise self._no_certificates()

    def describe_certificate(self, slot):
        raise self._no_certificates()

    def remove_certificate(self, slot):
        raise self._no_certificates()

    def _no_certificates(self):
        return self._errors.NsmCertificateError("an NSM has no certificate slots")

    def _slot(self, slot):
        if not 0 <= slot <= 0xFFFF:
            raise self._errors.NsmInvalidPcrError(f"there is no PCR {slot}")
        return slot

    def _ask(self, request, *args, **options):
        if self.is_closed:
            raise self._errors.NsmSessionClosedError("the session is closed")
        try:
            return request(*args, **options)
        except NsmError as error:
            kind = {
                "ReadOnlyIndex": self._errors.NsmPcrLockedError,
                "InvalidIndex": self._errors.NsmInvalidPcrError,
            }.get(error.name, self._errors.NsmError)
            raise kind(f"the NSM says {error.name}", cause=error) from error
        except (OSError, cbor.CborError) as error:
            raise self._errors.NsmError(f"{self.device_path}: {error}", cause=error) from error
