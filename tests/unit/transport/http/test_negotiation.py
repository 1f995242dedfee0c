import pytest

from app.transport.http.negotiation import (
    EVENT_STREAM,
    GRAPHQL_RESPONSE,
    JSON,
    MULTIPART,
    AcceptedMediaTypes,
    negotiate,
)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, AcceptedMediaTypes(JSON, None)),
        (b"", AcceptedMediaTypes(JSON, None)),
        (b"*/*", AcceptedMediaTypes(JSON, None)),
        (b"application/*", AcceptedMediaTypes(JSON, None)),
        (b"application/json", AcceptedMediaTypes(JSON, None)),
        (b"APPLICATION/JSON; charset=utf-8", AcceptedMediaTypes(JSON, None)),
        (b"application/graphql-response+json", AcceptedMediaTypes(GRAPHQL_RESPONSE, None)),
        (b"application/graphql-response+json, application/json;q=0.9", AcceptedMediaTypes(GRAPHQL_RESPONSE, None)),
        (b"application/json;q=0.9, application/graphql-response+json", AcceptedMediaTypes(GRAPHQL_RESPONSE, None)),
        (b"application/graphql-response+json;q=0.5, application/json", AcceptedMediaTypes(JSON, None)),
        (b"application/json, application/graphql-response+json", AcceptedMediaTypes(JSON, None)),  # the first of equals
        (b"text/html,application/xhtml+xml,*/*;q=0.8", AcceptedMediaTypes(JSON, None)),
        (b"application/graphql-response+json;q=0, */*;q=0.1", AcceptedMediaTypes(JSON, None)),
        (b"application/json;q=0", AcceptedMediaTypes(None, None)),
        (b"application/json;q=nan", AcceptedMediaTypes(None, None)),
        (b"application/json;q=2", AcceptedMediaTypes(None, None)),
        (b"application/json;q=many", AcceptedMediaTypes(None, None)),
        (b"text/html", AcceptedMediaTypes(None, None)),
        (b";;,,/;q=", AcceptedMediaTypes(None, None)),
        (b"\xff\xfe", AcceptedMediaTypes(None, None)),
        (b"text/event-stream", AcceptedMediaTypes(None, EVENT_STREAM)),
        (b"multipart/mixed", AcceptedMediaTypes(None, None)),
        (b"multipart/mixed;deferSpec=20220824, application/json", AcceptedMediaTypes(JSON, None)),
        (b"multipart/mixed;subscriptionSpec=1.0, application/json", AcceptedMediaTypes(JSON, MULTIPART)),
        (
            b'multipart/mixed;boundary="graphql";subscriptionSpec="1.0",application/graphql-response+json',
            AcceptedMediaTypes(GRAPHQL_RESPONSE, MULTIPART),
        ),
        (
            b"application/graphql-response+json, application/json, text/event-stream, multipart/mixed",
            AcceptedMediaTypes(GRAPHQL_RESPONSE, EVENT_STREAM),
        ),
        (b"text/event-stream;q=0.1, multipart/mixed;subscriptionSpec=1.0", AcceptedMediaTypes(None, MULTIPART)),
    ],
)
def test_a_client_gets_the_type_it_likes_best(accept: bytes | None, expected: AcceptedMediaTypes):
    assert negotiate(accept) == expected
