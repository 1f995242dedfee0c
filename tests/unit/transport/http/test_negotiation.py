import pytest

from app.transport.http.negotiation import EVENT_STREAM, GRAPHQL_RESPONSE, JSON, MULTIPART, Accepted, negotiate


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, Accepted(JSON, None)),
        (b"", Accepted(JSON, None)),
        (b"*/*", Accepted(JSON, None)),
        (b"application/*", Accepted(JSON, None)),
        (b"application/json", Accepted(JSON, None)),
        (b"APPLICATION/JSON; charset=utf-8", Accepted(JSON, None)),
        (b"application/graphql-response+json", Accepted(GRAPHQL_RESPONSE, None)),
        (b"application/graphql-response+json, application/json;q=0.9", Accepted(GRAPHQL_RESPONSE, None)),
        (b"application/json;q=0.9, application/graphql-response+json", Accepted(GRAPHQL_RESPONSE, None)),
        (b"application/graphql-response+json;q=0.5, application/json", Accepted(JSON, None)),
        (b"application/json, application/graphql-response+json", Accepted(JSON, None)),  # the first of equals
        (b"text/html,application/xhtml+xml,*/*;q=0.8", Accepted(JSON, None)),
        (b"application/graphql-response+json;q=0, */*;q=0.1", Accepted(JSON, None)),
        (b"application/json;q=0", Accepted(None, None)),
        (b"application/json;q=nan", Accepted(None, None)),
        (b"application/json;q=2", Accepted(None, None)),
        (b"application/json;q=many", Accepted(None, None)),
        (b"text/html", Accepted(None, None)),
        (b";;,,/;q=", Accepted(None, None)),
        (b"\xff\xfe", Accepted(None, None)),
        (b"text/event-stream", Accepted(None, EVENT_STREAM)),
        (b"multipart/mixed", Accepted(None, None)),
        (b"multipart/mixed;deferSpec=20220824, application/json", Accepted(JSON, None)),
        (b"multipart/mixed;subscriptionSpec=1.0, application/json", Accepted(JSON, MULTIPART)),
        (
            b'multipart/mixed;boundary="graphql";subscriptionSpec="1.0",application/graphql-response+json',
            Accepted(GRAPHQL_RESPONSE, MULTIPART),
        ),
        (
            b"application/graphql-response+json, application/json, text/event-stream, multipart/mixed",
            Accepted(GRAPHQL_RESPONSE, EVENT_STREAM),
        ),
        (b"text/event-stream;q=0.1, multipart/mixed;subscriptionSpec=1.0", Accepted(None, MULTIPART)),
    ],
)
def test_a_client_gets_the_type_it_likes_best(accept: bytes | None, expected: Accepted):
    assert negotiate(accept) == expected
