"""The same as demo.c, in Python: demo.py [ROUNDS [SECONDS]]"""

import base64
import itertools
import os
import sys
import time

from kontain_nsm import Nsm


def main():
    given = dict(enumerate(sys.argv))
    rounds = int(given.get(1) or os.environ.get("ROUNDS", 3))
    seconds = float(given.get(2) or os.environ.get("SECONDS_BETWEEN", 2))
    nonce = bytes.fromhex(os.environ["NONCE"]) if "NONCE" in os.environ else None
    with Nsm() as nsm:
        for turn in range(1, rounds + 1) if rounds else itertools.count(1):
            if turn > 1:
                time.sleep(seconds)
            user_data = f"round {turn}"
            document = nsm.attest(user_data=user_data.encode(), nonce=nonce)
            print(user_data)
            print("random", nsm.random(32).hex())
            print("document", base64.b64encode(document).decode(), flush=True)


try:
    main()
except OSError as error:
    sys.exit(f"demo: {error.filename or '/dev/nsm'}: {error.strerror}")
