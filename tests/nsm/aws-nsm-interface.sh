# The Python package aws-nsm-interface of PyPI, unchanged.
# km-test: needs=namespaces,build/nsm/others/.ready
. "$(dirname "$0")/lib.sh"

cat >client.py <<'END'
import hashlib

import aws_nsm_interface as nsm
import cbor2

device = nsm.open_nsm_device()
ZERO = bytes(48)


def refused(name, request, *args):
    try:
        request(device, *args)
    except nsm.IoctlError as error:
        assert str(error) == name, error
    else:
        raise AssertionError(f"{name} was wanted")


about = nsm.describe_nsm(device)
assert about["max_pcrs"] == 32 and about["digest"] == "SHA384" and about["module_id"], about
assert about["locked_pcrs"] == list(range(16)), about

assert [len(nsm.get_random(device, size)) for size in (1, 32, 256)] == [1, 32, 256]
assert nsm.get_random(device, 32) != nsm.get_random(device, 32)

for index in range(32):
    pcr = nsm.describe_pcr(device, index)
    assert pcr["lock"] == (index < 16) and (pcr["data"] == ZERO) == (index not in (0, 1, 2, 4)), (index, pcr)

value = hashlib.sha384(ZERO + b"hello").digest()
assert nsm.extend_pcr(device, 16, b"hello") == {"data": value}
assert nsm.lock_pcr(device, 16) is True
assert nsm.describe_pcr(device, 16) == {"lock": True, "data": value}
refused("ReadOnlyIndex", nsm.lock_pcr, 16)
refused("ReadOnlyIndex", nsm.extend_pcr, 16, b"more")
refused("InvalidIndex", nsm.describe_pcr, 32)
assert nsm.lock_pcrs(device, 18) is True
assert nsm.describe_pcr(device, 17)["lock"] and not nsm.describe_pcr(device, 18)["lock"]
refused("InvalidIndex", nsm.lock_pcrs, 33)

signed = nsm.get_attestation_doc(device, b"data", b"nonce", b"key")["document"]
header, unprotected, content, signature = cbor2.loads(signed)
content = cbor2.loads(content)
assert cbor2.loads(header) == {1: -35} and unprotected == {} and len(signature) == 96
assert (content["user_data"], content["nonce"], content["public_key"]) == (b"data", b"nonce", b"key")
assert content["module_id"] == about["module_id"] and sorted(content["pcrs"]) == list(range(18))
assert content["pcrs"][16] == value
assert cbor2.loads(cbor2.loads(nsm.get_attestation_doc(device)["document"])[2])["nonce"] is None
nsm.close_nsm_device(device)
open("document", "wb").write(signed)
END

python=$BUILD/nsm/others/venv/bin/python
is "no device" "$($RUN "$python" -B client.py 2>&1 | tail -n 1)" \
    "FileNotFoundError: [Errno 2] No such file or directory: '/dev/nsm'"
asks "all requests" "$python" -B client.py
if [ -n "$RUN" ]; then
    "$RUN" verify --dev-root "$AUTHORITY/root.pem" --nonce 6e6f6e6365 document >verdict.log 2>&1
    is "its document" $? 3
else
    echo "ok its document"
fi
finish
