from . import _transport
from .errors import NsmError, NsmRandomError
from .types import AttestationDocument, PcrValue


class NsmClient:
    def __init__(self, *, device_path=None, transport_factory=None):
        self._path = device_path
        self._factory = transport_factory or _transport.NsmTransport
        self._transport = None

    def __enter__(self):
        self.open()
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def device_path(self):
        if self._transport is None:
            return self._path or _transport.default_device_path()
        return self._transport.device_path

    @property
    def is_open(self):
        return self._transport is not None and not self._transport.is_closed

    def open(self):
        if not self.is_open:
            self._transport = self._factory(self._path)

    def close(self):
        if self.is_open:
            self._transport.close()

    def _opened(self):
        if self._transport is None:
            raise NsmError("the client is not open")
        return self._transport

    def get_random(self, length):
        if length <= 0:
            raise NsmRandomError("the length must be greater than zero")
        return self._opened().get_random(length)

    def describe_pcr_raw(self, slot):
        if slot < 0:
            raise NsmError("a negative slot")
        return self._opened().describe_pcr_raw(slot)

    def describe_pcr(self, slot):
        raw = self.describe_pcr_raw(slot)
        return PcrValue(slot, raw["digest"], raw["locked"])

    def extend_pcr(self, slot, data):
        if slot < 0 or not data:
            raise NsmError("a negative slot, or no data")
        digest = self._opened().extend_pcr(slot, data)
        return PcrValue(slot, digest, self._opened().describe_pcr_raw(slot)["locked"])

    def lock_pcr(self, slot):
        return self._opened().lock_pcr(slot)

    def lock_pcrs(self, lock_range):
        return self._opened().lock_pcrs(lock_range)

    def set_certificate(self, slot, certificate):
        self._opened().set_certificate(slot, certificate)

    def describe_certificate(self, slot):
        return self._opened().describe_certificate(slot)

    def remove_certificate(self, slot):
        self._opened().remove_certificate(slot)

    def get_attestation_raw(self, *, user_data=None, public_key=None, nonce=None):
        return self._opened().get_attestation_raw(
            user_data=user_data, public_key=public_key, nonce=nonce
        )

    def get_attestation(self, *, user_data=None, public_key=None, nonce=None):
        payload = self._opened().get_attestation(
            user_data=user_data, public_key=public_key, nonce=nonce
        )
        return AttestationDocument.from_payload(payload)

    def describe_nsm(self):
        return self._opened().describe_nsm()

    @staticmethod
    def sdk_version():
        return _transport.sdk_version()
