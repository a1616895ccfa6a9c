"""Durable workflows a second of DBOS on SQLite: two steps each, one process, THREADS at a time.

    python two-steps.py DIRECTORY WORKFLOWS THREADS

Prints "workflows seconds". Every step's outcome is recorded before the next begins, as DBOS does by itself.
"""

import logging
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from dbos import DBOS, DBOSConfig


@DBOS.step()
def first(number: int) -> int:
    return number + 1


@DBOS.step()
def second(number: int) -> int:
    return number * 2


@DBOS.workflow()
def two_steps(number: int) -> int:
    return second(first(number))


def main() -> None:
    directory, count, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    config: DBOSConfig = {
        "name": "two-steps",
        "system_database_url": "sqlite:///" + os.path.join(directory, "dbos.sqlite"),
        "run_admin_server": False,
        "log_level": "ERROR",
    }
    DBOS(config=config)
    DBOS.launch()
    logging.disable(logging.CRITICAL)
    for number in range(10):
        two_steps(number)
    start = time.perf_counter()
    if threads > 1:
        with ThreadPoolExecutor(threads) as pool:
            results = list(pool.map(two_steps, range(count)))
    else:
        results = [two_steps(number) for number in range(count)]
    seconds = time.perf_counter() - start
    assert results == [(number + 1) * 2 for number in range(count)]
    print(f"{count} {seconds:.6f}", flush=True)
    os._exit(0)


main()
