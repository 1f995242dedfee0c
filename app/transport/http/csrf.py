"""Protection against cross-site request forgery, by the rule of Apollo Server.

A browser sends some requests to other sites without a preflight ("simple" requests). An operation is executed only when
the request cannot be one of those, so that the CORS policy always applies: it has a content type that is not simple, or
one of two headers that only a script can set.
"""

from __future__ import annotations

from collections.abc import Mapping

SIMPLE_CONTENT_TYPES = frozenset({b"application/x-www-form-urlencoded", b"multipart/form-data", b"text/plain"})

SCRIPT_HEADERS = (b"x-apollo-operation-name", b"apollo-require-preflight")

CSRF_MESSAGE = (
    "This operation has been blocked as a potential Cross-Site Request Forgery (CSRF). "
    "Please either specify a 'content-type' header (with a type that is not one of "
    "application/x-www-form-urlencoded, multipart/form-data, text/plain) or provide a non-empty value "
    "for one of the following headers: x-apollo-operation-name, apollo-require-preflight"
)


def may_be_forged(method: str, headers: Mapping[bytes, bytes]) -> bool:
    """Return whether another site could have made a browser send this request without a preflight."""
    content_type = headers.get(b"content-type")
    if content_type is not None and _essence(content_type) not in SIMPLE_CONTENT_TYPES:
        return False
    if any(headers.get(name) for name in SCRIPT_HEADERS):
        return False
    return not (method in ("GET", "HEAD") and _same_origin_script(headers))


def _same_origin_script(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether a script of our own origin sent this GET, or a client that is not a browser.

    Scripts cannot set `Sec-Fetch-*`. In mode "cors" a browser sends the `Origin` of every request that crosses origins,
    so a request in this mode without an `Origin` does not. This lets `fetch` and `EventSource` read by plain GET from
    our own pages; images, forms, frames and links have other modes.
    """
    return headers.get(b"sec-fetch-mode") == b"cors" and b"origin" not in headers


def _essence(content_type: bytes) -> bytes:
    return content_type.partition(b";")[0].strip().lower()
