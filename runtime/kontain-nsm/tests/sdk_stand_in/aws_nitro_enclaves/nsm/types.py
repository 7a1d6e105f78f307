from dataclasses import dataclass


@dataclass(frozen=True)
class PcrValue:
    slot: int
    digest: bytes
    locked: bool = False


@dataclass(frozen=True)
class AttestationDocument:
    module_id: str
    timestamp: int
    digest: bytes
    pcrs: dict
    certificate: bytes
    cabundle: bytes
    user_data: bytes
    public_key: bytes
    nonce: bytes
    locked_pcrs: frozenset

    @classmethod
    def from_payload(cls, payload):
        """Strict about types as the SDK is: a text or a list is a TypeError where bytes belong."""
        locked = frozenset(payload["locked_pcrs"])
        optional = ("certificate", "cabundle", "user_data", "public_key", "nonce")
        return cls(
            module_id=str(payload["module_id"]),
            timestamp=int(payload["timestamp"]),
            digest=_bytes(payload["digest"]),
            pcrs={
                slot: PcrValue(slot, _bytes(value), slot in locked)
                for slot, value in payload["pcrs"].items()
            },
            locked_pcrs=locked,
            **{name: _bytes(payload.get(name)) for name in optional},
        )


def _bytes(value):
    if value is not None and not isinstance(value, bytes):
        raise TypeError(f"{type(value).__name__} instead of bytes")
    return value
