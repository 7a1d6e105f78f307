"""What an attestation document says.

It is read here, not verified: no signature and no certificate is looked at.
That is for the one who is to be convinced, with `km verify` for example.
"""

from . import cbor

__all__ = ["read"]

COSE_SIGN1 = 18


def read(document):
    """The fields of a document, as a dict with the names that it has itself."""
    sign1 = cbor.decode(document)
    if isinstance(sign1, cbor.Tagged) and sign1.tag == COSE_SIGN1:
        sign1 = sign1.value
    if not isinstance(sign1, list) or len(sign1) != 4 or not isinstance(sign1[2], bytes):
        raise cbor.CborError("it is not a COSE_Sign1")
    fields = cbor.decode(sign1[2])
    if not isinstance(fields, dict):
        raise cbor.CborError("its content is not a map")
    return fields
