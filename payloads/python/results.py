"""What CPython's tests came to, a line a test, from their results in XML."""

import sys
import xml.etree.ElementTree as ElementTree

ENDS = {"failure": "failed", "error": "failed", "skipped": "skipped"}

for case in ElementTree.parse(sys.argv[1]).iter("testcase"):
    ends = [ENDS[child.tag] for child in case if child.tag in ENDS]
    print(ends[0] if ends else "ok", case.get("name").replace("\n", " "))
