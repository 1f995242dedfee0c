"""Text files from elsewhere: compressed or not, with or without a byte order mark, in UTF-8 or UTF-16."""

from __future__ import annotations

import codecs
import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

GZIP_MAGIC = b"\x1f\x8b"


@contextmanager
def open_text(file: Path) -> Iterator[IO[bytes]]:
    """Open a text file for reading as UTF-8 without a byte order mark.

    A file that is compressed with gzip is decompressed, whatever its name, and UTF-16 is converted: it is recognised by
    its byte order mark, or by a zero byte among the first two. Bytes that are not valid are passed on as they are.
    """
    with file.open("rb") as raw:
        content = gzip.GzipFile(fileobj=raw) if raw.peek(2)[:2] == GZIP_MAGIC else raw
        start = content.peek(3)[:3]
        if start == codecs.BOM_UTF8:
            content.read(3)
        encoding = _utf16_of(start)
        recoded = codecs.EncodedFile(content, "utf-8", encoding, errors="replace") if encoding else content
        yield cast("IO[bytes]", recoded)


def _utf16_of(start: bytes) -> str | None:
    """Return which kind of UTF-16 a text begins in, or None."""
    if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16"
    if start[1:2] == b"\0":
        return "utf-16-le"
    return "utf-16-be" if start[:1] == b"\0" else None
