"""Signals that end a command, wherever in the program they arrive."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import gc, signal, time, weakref
from app.cli.process.signals import stoppable

class Thing:
    pass

def in_a_finalizer():
    class Dying:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)
    Dying()

def in_a_weak_reference():
    thing = Thing()
    reference = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
    del thing

def in_plain_code():
    signal.raise_signal(signal.SIGINT)

def again_and_again():
    in_a_finalizer()
    in_a_finalizer()

try:
    with stoppable():
        {place}()
        time.sleep(60)
        print("not stopped")
except KeyboardInterrupt:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        assert signal.getsignal(number) is not signal.SIG_IGN
    print("stopped", signal.getitimer(signal.ITIMER_REAL)[0])
"""


@pytest.mark.parametrize("place", ["in_a_finalizer", "in_a_weak_reference", "in_plain_code", "again_and_again"])
def test_a_signal_ends_the_block_wherever_it_arrives(place: str):
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("{place}", place)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (ended.stdout, ended.stderr) == ("stopped 0.0\n", "")
