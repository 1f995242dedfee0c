from __future__ import annotations

import pytest
from websockets.frames import Frame
from websockets.streams import StreamReader

from app.transport.multiplexing.payload import Payload, conflate
from app.transport.sockets.frames import complete_frame, error_frame, next_prefix, text_frame


def _text(frame: bytes) -> bytes:
    """What a client reads from `frame`, which must be all of it."""
    reader = StreamReader()
    reader.feed_data(frame)
    parser = Frame.parse(reader.read_exact, mask=False)
    with pytest.raises(StopIteration) as parsed:
        next(parser)
    assert not reader.buffer
    assert parsed.value.value.fin
    return bytes(parsed.value.value.data)


@pytest.mark.parametrize("length", [0, 1, 80, 89, 90, 91, 125, 126, 65000, 65499, 65500, 65501, 65536, 200_000])
@pytest.mark.parametrize("operation_id", ["1", '5f6b-quoted-"-id', "größe 🏆"])
def test_a_payload_is_framed_for_every_id_and_length(length: int, operation_id: str) -> None:
    body = b'"' + b"x" * length + b'"'
    payload = Payload(body)
    for _ in range(2):
        frame = payload.frame(next_prefix(operation_id))
        prefix = next_prefix(operation_id)
        assert _text(frame) == prefix + body + b"}"


def test_errors_and_completion_are_framed() -> None:
    assert (
        _text(error_frame("1", b'{"errors":[{"message":"m"}]}'))
        == b'{"id":"1","type":"error","payload":[{"message":"m"}]}'
    )
    assert _text(complete_frame('a"b')) == b'{"id":"a\\"b","type":"complete"}'
    assert _text(text_frame(b"x" * 70000)) == b"x" * 70000


def test_a_slow_reader_is_owed_the_newest_state_after_an_unsent_snapshot() -> None:
    snapshot, old, new = Payload(b"0", opening=True), Payload(b"1"), Payload(b"2")
    assert conflate((), old) == (old,)
    assert conflate((old,), new) == (new,)
    assert conflate((), snapshot) == (snapshot,)
    assert conflate((snapshot,), old) == (snapshot, old)
    assert conflate((snapshot, old), new) == (snapshot, new)
