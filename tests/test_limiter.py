"""One limiter for every process that shares a key."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

from socap_cli.store import Db, rate_limits

LIMITER = rate_limits.limiter_id("secret-key", "/x")


def test_the_key_is_not_in_the_limiters_name() -> None:
    assert "secret" not in LIMITER


def test_turns_are_handed_out_one_interval_apart(db: Db) -> None:
    waits = [rate_limits.reserve(db, LIMITER, rate=10, max_wait=60)[1] for _ in range(20)]
    assert 1.8 < waits[-1] < 2.2


def test_a_refusal_leaves_the_limiter_as_it_was(db: Db) -> None:
    for _ in range(5):
        rate_limits.reserve(db, LIMITER, rate=1, max_wait=60)
    before = db.rate_limits.find_one({"_id": LIMITER})
    granted, wait = rate_limits.reserve(db, LIMITER, rate=1, max_wait=1)
    after = db.rate_limits.find_one({"_id": LIMITER})
    assert before is not None
    assert after is not None
    assert (granted, after["tat"]) == (False, before["tat"])
    assert wait > 1


def test_a_block_holds_for_everybody_and_is_never_shortened(db: Db) -> None:
    rate_limits.block(db, LIMITER, 30)
    rate_limits.block(db, LIMITER, 1)
    granted, wait = rate_limits.reserve(db, LIMITER, rate=0, max_wait=3)
    assert not granted
    assert 29 < wait <= 30
    assert rate_limits.reserve(db, rate_limits.limiter_id("secret-key", "/y"), rate=0, max_wait=3)[0]
    (closed,) = rate_limits.blocked(db)
    assert closed["endpoint"] == "/x"


def test_four_processes_stay_within_twenty_a_second_and_use_nearly_all_of_it(db: Db, mongod: str) -> None:
    """Each process asks with five threads; the grants are told as the moments at which requests would start."""
    script = (
        "import sys,threading,time\n"
        "from socap_cli.store import open_database, rate_limits\n"
        "uri,name,until=sys.argv[1],sys.argv[2],float(sys.argv[3])\n"
        "with open_database(uri,name) as db:\n"
        "    def ask():\n"
        "        while time.time()<until:\n"
        f"            ok,wait=rate_limits.reserve(db,{LIMITER!r},rate=20,max_wait=3)\n"
        "            if ok:\n"
        "                time.sleep(wait); sys.stdout.write(f'{time.time()}\\n')\n"
        "            else: time.sleep(0.05)\n"
        "    threads=[threading.Thread(target=ask) for _ in range(5)]\n"
        "    [t.start() for t in threads]; [t.join() for t in threads]\n"
    )
    until = time.time() + 7
    command = [sys.executable, "-c", script, mongod, db.name, str(until)]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    outputs: list[str] = []
    readers = [threading.Thread(target=lambda w=w: outputs.append(w.communicate()[0])) for w in workers]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    grants = sorted(float(line) for text in outputs for line in text.split())
    busiest = max(sum(start <= moment < start + 1 for moment in grants) for start in grants)
    average = (len(grants) - 1) / (grants[-1] - grants[0])
    assert busiest <= 21  # sleepers do not wake to the millisecond
    assert average >= 18.5
