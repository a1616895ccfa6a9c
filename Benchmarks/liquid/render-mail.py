"""Renders a template with python-liquid for some seconds.

    render-mail.py TEMPLATE DATA SECONDS OUTPUT

Prints how many renderings took how many seconds; the rendered mail is in OUTPUT.
"""

import json
import sys
import time

from liquid import Environment

path, data_path, seconds, output = sys.argv[1:]
with open(path, encoding="utf-8") as file:
    template = Environment(autoescape=True).from_string(file.read())
with open(data_path, encoding="utf-8") as file:
    data = json.load(file)
with open(output, "w", encoding="utf-8") as file:
    file.write(template.render(**data))
count = 0
start = time.perf_counter()
while time.perf_counter() - start < float(seconds):
    for _ in range(10):
        template.render(**data)
    count += 10
print(f"{count} {time.perf_counter() - start:.6f}")
