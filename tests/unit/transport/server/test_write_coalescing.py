"""Head and body leave together; nothing is late, lost or out of order."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from app.transport.server.write_coalescing import CoalescingTransport


class Wire:
    """Notes what is written, packet by packet."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.packets.append(data)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


def joined() -> tuple[Wire, CoalescingTransport]:
    wire = Wire()
    return wire, CoalescingTransport(cast(Any, wire), asyncio.get_running_loop())


async def test_a_head_and_its_body_are_one_packet() -> None:
    wire, writes = joined()
    writes.write(b"head ")
    writes.write(b"body")
    assert wire.packets == [b"head body"]


async def test_a_head_whose_body_is_not_there_yet_does_not_wait_for_it() -> None:
    wire, writes = joined()
    writes.write(b"head ")
    await asyncio.sleep(0)
    assert wire.packets == [b"head "]
    writes.write(b"event")
    await asyncio.sleep(0)
    assert b"".join(wire.packets) == b"head event"


async def test_responses_that_follow_each_other_stay_in_order() -> None:
    wire, writes = joined()
    for part in (b"head 1 ", b"body 1 ", b"head 2 ", b"", b"head 3 "):
        writes.write(part)
    await asyncio.sleep(0)
    assert b"".join(wire.packets) == b"head 1 body 1 head 2 head 3 "


async def test_closing_sends_what_is_held_first() -> None:
    wire, writes = joined()
    writes.write(b"head")
    writes.close()
    await asyncio.sleep(0)
    assert wire.packets == [b"head"]
    assert writes.is_closing()
