"""The documents an installation has approved, from the manifest its front-end build writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson

APOLLO_FORMAT = "apollo-persisted-query-manifest"


class ManifestError(ValueError):
    """The manifest cannot be used. The message names the file and the reason."""


class TrustedDocuments:
    """Approved documents by id; a document without id is approved by its text."""

    def __init__(self, documents: Mapping[str, str] = MappingProxyType({})) -> None:
        self._texts = dict(documents)
        self._approved = frozenset(self._texts.values())

    def __len__(self) -> int:
        return len(self._texts)

    def get(self, document_id: str) -> str | None:
        """Return the text of a document, or None when no such id is approved."""
        return self._texts.get(document_id)

    def approves(self, text: str) -> bool:
        """Return whether the text is exactly that of an approved document."""
        return text in self._approved


def load_manifest(path: Path) -> TrustedDocuments:
    """Read Apollo's manifest (`operations` with `id` and `body`) or Relay's (an object of id and text).

    Raises:
        ManifestError: The file is missing or has another format.
    """
    try:
        manifest = orjson.loads(path.read_bytes())
    except OSError as error:
        raise ManifestError(f"{path}: {error.strerror}") from None
    except orjson.JSONDecodeError as error:
        raise ManifestError(f"{path}: must be JSON ({error})") from None
    documents = _documents(manifest) if isinstance(manifest, dict) else None
    if documents is None:
        raise ManifestError(f"{path}: must be an Apollo manifest, or an object that maps ids to documents")
    return TrustedDocuments(documents)


def _documents(manifest: dict[str, Any]) -> dict[str, str] | None:
    if manifest.get("format") == APOLLO_FORMAT:
        operations = manifest.get("operations")
        if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
            return None
        pairs = [(each.get("id"), each.get("body")) for each in operations]
    else:
        pairs = list(manifest.items())
    if all(isinstance(id_, str) and isinstance(text, str) for id_, text in pairs):
        return dict(pairs)
    return None
