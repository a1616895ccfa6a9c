"""Reads messages with Python's email package, as MimeRead.swift does with ours.

    read-mail.py FOLDER SECONDS

Goes over all .eml files of FOLDER until SECONDS have passed and prints messages and seconds. From each it takes the same:
subject, people, ids and date, the decoded texts, names and sizes of the attachments.
"""

import email
import email.policy
import pathlib
import sys
import time

NAMES = ("subject", "from", "to", "cc", "reply-to", "message-id", "in-reply-to", "references", "date")


def read(content):
    message = email.message_from_bytes(content, policy=email.policy.default)
    found = []
    for name in NAMES:
        try:
            found.append(str(message[name]))
        except Exception:  # the package gives up on fields that we read
            found.append(None)
    for part in message.walk():
        if part.is_multipart():
            continue
        try:
            if part.get_content_maintype() == "text":
                found.append(part.get_content())
            else:
                found.append((part.get_filename(), len(part.get_payload(decode=True) or b"")))
        except Exception:
            found.append(None)
    return found


def main():
    folder, seconds = sys.argv[1], float(sys.argv[2])
    contents = [path.read_bytes() for path in sorted(pathlib.Path(folder).rglob("*.eml"))]
    done = 0
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        for content in contents:
            read(content)
        done += len(contents)
    print(done, time.perf_counter() - start)


main()
