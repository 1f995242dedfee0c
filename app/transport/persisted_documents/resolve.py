"""The document that a request names: its own text, a trusted one by id, or one persisted under its hash (APQ)."""

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

SHA256_PATTERN = re.compile(r"[0-9a-f]{64}")

# Clients compare these strings.
NOT_FOUND = (ErrorCode.PERSISTED_QUERY_NOT_FOUND, "PersistedQueryNotFound")
NOT_IN_LIST = (ErrorCode.PERSISTED_QUERY_NOT_IN_LIST, "The persisted document is not in the list.")
NOT_SUPPORTED = (ErrorCode.PERSISTED_QUERY_NOT_SUPPORTED, "PersistedQueryNotSupported")


class DocumentStore(Protocol):
    """Stores documents by the SHA-256 of their text, for a while. It may lose them, and never raises."""

    async def get(self, digest: str) -> str | None:
        """Return the text stored under `digest`, or None."""

    async def put(self, digest: str, text: str) -> None:
        """Store a text. Afterwards `get` on any instance *may* find it."""


class Documents:
    """Resolves requests to document texts, for every transport.

    With `DocumentMode.ENFORCE` only trusted documents are allowed, whether named by id, by hash or by text; with LOG
    others are allowed and `on_untrusted` is called with the id or text of each. Without a `store` there are no
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
        """Return the text of the document to execute.

        Raises:
            DocumentRefused: With Apollo's codes: it is unknown, not trusted or does not match its hash.
            BadRequest: The request names no document, or names it wrongly.
        """
        digest = _digest(request.extensions) if request.extensions else None
        if not request.query:
            return await self._find_by_name(_name(request, digest), by_id=request.document_id is not None)
        if request.document_id is not None:
            raise BadRequest(400, "Send either 'query' or 'documentId'.")
        if digest is not None:
            if self._store is None and self._mode is DocumentMode.OFF:
                raise DocumentRefused(*NOT_SUPPORTED)
            if _sha256(request.query) != digest:
                raise DocumentRefused(ErrorCode.PERSISTED_QUERY_HASH_MISMATCH, "provided sha does not match query")
        self._check_trusted(request.query)
        return request.query

    def is_new(self, request: Parameters) -> bool:
        """Return whether `persist` would store the document of a request: it has both text and hash."""
        if self._store is None or not request.extensions or not request.query:
            return False
        return _digest(request.extensions) is not None

    async def persist(self, request: Parameters) -> None:
        """Store the document of a request that `is_new`. Call it only for valid documents that were admitted."""
        assert self._store is not None
        assert request.extensions
        assert request.query
        digest = _digest(request.extensions)
        assert digest is not None
        await self._store.put(digest, request.query)

    def _check_trusted(self, text: str) -> None:
        if self._mode is DocumentMode.OFF or self._trusted.approves(text):
            return
        if self._mode is DocumentMode.ENFORCE:
            raise DocumentRefused(ErrorCode.QUERY_NOT_IN_SAFELIST, "The document is not in the safelist.")
        self._on_untrusted(text)

    async def _find_by_name(self, name: str, *, by_id: bool) -> str:
        trusted = self._trusted.get(name)
        if trusted is not None:
            return trusted
        if self._mode is DocumentMode.ENFORCE:
            raise DocumentRefused(*NOT_IN_LIST)
        if self._store is None:
            raise DocumentRefused(*NOT_SUPPORTED)
        text = await self._store.get(name) if SHA256_PATTERN.fullmatch(name) else None
        # Write access to the store is not enough to make a hash name another document.
        if text is None or _sha256(text) != name:
            # "Not found" asks the client to send the text, which a client that names documents by id does not have.
            raise DocumentRefused(*(NOT_IN_LIST if by_id else NOT_FOUND))
        if self._mode is DocumentMode.LOG:
            self._on_untrusted(name)
        return text


def _name(request: Parameters, digest: str | None) -> str:
    name = request.document_id.removeprefix("sha256:") if request.document_id else digest
    if not name:
        raise BadRequest(400, "A request must have a 'query', a 'documentId' or the hash of a persisted query.")
    return name


def _digest(extensions: dict[str, Any]) -> str | None:
    """Return the hash in `extensions.persistedQuery`, or None without one. Raises BadRequest for another version."""
    persisted = extensions.get("persistedQuery")
    if persisted is None:
        return None
    if type(persisted) is not dict or persisted.get("version") != 1:
        raise BadRequest(400, "Unsupported persisted query version")
    digest = persisted.get("sha256Hash")
    if type(digest) is not str or not SHA256_PATTERN.fullmatch(digest):
        raise BadRequest(400, "'sha256Hash' must be a SHA-256 in lower-case hexadecimal digits.")
    return digest


def _sha256(text: str) -> str:
    return sha256(text.encode()).hexdigest()
