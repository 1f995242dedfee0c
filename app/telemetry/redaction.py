"""Removal of secrets from texts that leave the process: log lines and reports of errors."""

from __future__ import annotations

import json
import re
from collections.abc import Collection

REDACTED = "[redacted]"

MIN_SECRET = 8
"""Characters of a secret from which on it is recognised; shorter ones would be found within words."""

# Access and action tokens, which are JWTs, as a whole or cut off; keys of back ends; credentials of headers and URLs.
_CREDENTIALS = re.compile(
    r"eyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*)*"
    r"|lbk_[A-Za-z0-9_.-]+"
    r"|(?<=[Bb]earer )[^\s\"\\]+"
    r"|(?<=://)[^\s/:@\"\\]*:[^\s/@\"\\]+(?=@)"
)


class Redaction:
    """Replaces tokens, keys, passwords in URLs and known secrets by `[redacted]`."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        """Create a redaction. `secrets` are texts that must not leave the process."""
        texts = {text for secret in secrets if len(secret) >= MIN_SECRET for text in (secret, json.dumps(secret)[1:-1])}
        self._secrets = sorted(texts, key=len, reverse=True)

    def apply(self, text: str) -> str:
        """Return `text` without secrets."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, REDACTED)
        # Most lines have none of these, which is found out ten times as fast as by the expression.
        if "eyJ" in text or "lbk_" in text or "earer " in text or "://" in text:
            return _CREDENTIALS.sub(REDACTED, text)
        return text
