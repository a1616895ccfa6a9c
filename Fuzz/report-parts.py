"""Seeds out of real delivery reports and complaints: the machine's part, a NUL, the header of what came back.

    report-parts.py Notification|Complaint CORPUS SEEDS
"""
import os
import re
import sys

kind, corpus, seeds = sys.argv[1:]
wanted = "message/delivery-status" if kind == "Notification" else "message/feedback-report"
count = 0
for folder, _, names in sorted(os.walk(corpus)):
    for name in sorted(names):
        path = os.path.join(folder, name)
        if name.endswith(".json") or os.path.getsize(path) > 65536:
            continue
        with open(path, "rb") as file:
            raw = file.read().replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        # By the text alone: what parsers make of a damaged report is not what it says.
        found = re.search(rb"(?im)^content-type: *" + wanted.encode() + rb"[^\n]*\n(?:[^\n]+\n)*\n", raw)
        if not found:
            continue
        rest = raw[found.end():]
        end = re.search(rb"(?m)^--[^\n]+$", rest)
        part = rest[: end.start()] if end else rest[:4096]
        back = re.search(rb"(?im)^content-type: *(?:message/rfc822|text/rfc822-headers)[^\n]*\n(?:[^\n]+\n)*\n", rest)
        header = rest[back.end():][:2048] if back else b""
        count += 1
        with open(os.path.join(seeds, "corpus-%d" % count), "wb") as file:
            file.write(part[:4096] + b"\0" + header)
