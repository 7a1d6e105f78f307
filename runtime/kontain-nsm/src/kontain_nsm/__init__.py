"""/dev/nsm, the security module of AWS Nitro Enclaves and of `km --nsm`.

    from kontain_nsm import Nsm

    with Nsm() as nsm:
        document = nsm.attest(nonce=nonce)

`kontain_nsm.transport` is for the AWS Nitro Enclaves Python SDK,
`kontain_nsm.document` reads what a document says.
"""

from .device import DEVICE, Description, Nsm, NsmError, Pcr

__all__ = ["DEVICE", "Description", "Nsm", "NsmError", "Pcr"]
