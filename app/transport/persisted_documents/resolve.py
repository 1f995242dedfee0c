"""Which document a request means: its own text, a trusted one by id, or one persisted under its hash (APQ)."""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Protocol

from app.config import DocumentMode
from app.error_codes import ErrorCode
from app.transport.errors import BadRequest, DocumentRefused
from app.transport.parameters import Parameters
from app.transport.persisted_documents.trusted import TrustedDocuments

HASH = re.compile(r"[0-9a-f]{64}")

# Clients compare these words.
NOT_FOUND = (ErrorCode.PERSISTED_QUERY_NOT_FOUND, "PersistedQueryNotFound")
NOT_SUPPORTED = (ErrorCode.PERSISTED_QUERY_NOT_SUPPORTED, "PersistedQueryNotSupported")


class DocumentStore(Protocol):
    """Keeps documents by the SHA-256 of their text, for a while. It may forget, and never raises."""

    async def get(self, digest: str) -> str | None:
        """The text stored under `digest`, or None."""

    async def put(self, digest: str, text: str) -> None:
        """Store a text. Afterwards `get` on any instance *may* find it."""


class Documents:
    """Turns requests into document texts. Used by every transport.

    With `DocumentMode.ENFORCE` nothing but the trusted documents passes, whether named by id, by hash or by text;
    with LOG the others pass and `on_untrusted` is told each one's id or text. Without a `store` there are no
    automatic persisted queries.
    """

    def __init__(
        self,
        *,
        store: DocumentStore | None = None,
        trusted: TrustedDocuments | None = None,
        mode: DocumentMode = DocumentMode.OFF,
        on_untrusted: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._trusted = trusted or TrustedDocuments()
        self._mode = mode
        self._on_untrusted = on_untrusted

    async def resolve(self, request: Parameters) -> str:
        """The text of the document to execute.

        Raises DocumentRefused (with Apollo's codes) when it is unknown, not trusted or does not match its
        hash, and MalformedRequest when the request names no document, or names it wrongly.
        """
        digest = _digest(request.extensions) if request.extensions else None
        if not request.query:
            return await self._named(_name(request, digest))
        if request.document_id is not None:
            raise BadRequest(400, "Send either 'query' or 'documentId'.")
        if digest is not None:
            if self._store is None and self._mode is DocumentMode.OFF:
                raise DocumentRefused(*NOT_SUPPORTED)
            if _sha256(request.query) != digest:
                raise DocumentRefused(ErrorCode.PERSISTED_QUERY_HASH_MISMATCH, "provided sha does not match query")
        self._judge(request.query)
        return request.query

    async def remember(self, request: Parameters) -> None:
        """Store the document of a request that carries both text and hash. Call it once the document proved valid."""
        if self._store is None or not request.extensions or not request.query:
            return
        digest = _digest(request.extensions)
        if digest is not None:
            await self._store.put(digest, request.query)

    def _judge(self, text: str) -> None:
        if self._mode is DocumentMode.OFF or self._trusted.approves(text):
            return
        if self._mode is DocumentMode.ENFORCE:
            raise DocumentRefused(ErrorCode.QUERY_NOT_IN_SAFELIST, "The document is not in the safelist.")
        self._on_untrusted(text)

    async def _named(self, name: str) -> str:
        trusted = self._trusted.get(name)
        if trusted is not None:
            return trusted
        if self._mode is DocumentMode.ENFORCE:
            raise DocumentRefused(ErrorCode.PERSISTED_QUERY_NOT_IN_LIST, "The persisted document is not in the list.")
        if self._store is None:
            raise DocumentRefused(*NOT_SUPPORTED)
        text = await self._store.get(name) if HASH.fullmatch(name) else None
        # Whoever can write to the store still cannot make a hash stand for another document.
        if text is None or _sha256(text) != name:
            raise DocumentRefused(*NOT_FOUND)
        if self._mode is DocumentMode.LOG:
            self._on_untrusted(name)
        return text


def _name(request: Parameters, digest: str | None) -> str:
    name = request.document_id.removeprefix("sha256:") if request.document_id else digest
    if not name:
        raise BadRequest(400, "A request must have a 'query', a 'documentId' or the hash of a persisted query.")
    return name


def _digest(extensions: dict[str, Any]) -> str | None:
    """The hash in `extensions.persistedQuery`, or None without that. Raises MalformedRequest for another version."""
    persisted = extensions.get("persistedQuery")
    if persisted is None:
        return None
    if type(persisted) is not dict or persisted.get("version") != 1:
        raise BadRequest(400, "Unsupported persisted query version")
    digest = persisted.get("sha256Hash")
    if type(digest) is not str or not HASH.fullmatch(digest):
        raise BadRequest(400, "'sha256Hash' must be a SHA-256 in lower-case hexadecimal digits.")
    return digest


def _sha256(text: str) -> str:
    return sha256(text.encode()).hexdigest()
