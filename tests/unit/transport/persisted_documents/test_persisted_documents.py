import hashlib
import json
from pathlib import Path

import pytest

from app.config import DocumentMode
from app.transport.errors import BadRequest, DocumentRefused
from app.transport.parameters import Parameters
from app.transport.persisted_documents.resolve import Documents
from app.transport.persisted_documents.store import RecentDocuments
from app.transport.persisted_documents.trusted import ManifestError, TrustedDocuments, load_manifest

QUERY = "{hello}"
TRUSTED = TrustedDocuments({"board": QUERY})


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def apq(text: str | None = None, *, digest: str = sha256(QUERY), version: object = 1) -> Parameters:
    return Parameters(text, extensions={"persistedQuery": {"version": version, "sha256Hash": digest}})


class Shelf:
    """A store in a dictionary."""

    def __init__(self, **texts: str) -> None:
        self.texts = texts
        self.asked = 0

    async def get(self, digest: str) -> str | None:
        self.asked += 1
        return self.texts.get(digest)

    async def put(self, digest: str, text: str) -> None:
        self.texts[digest] = text


async def refusal(documents: Documents, request: Parameters) -> tuple[str, str]:
    with pytest.raises(DocumentRefused) as caught:
        await documents.resolve(request)
    return caught.value.code, caught.value.message


async def test_a_text_is_its_own_document():
    assert await Documents().resolve(Parameters(QUERY)) == QUERY


async def test_a_hash_is_unknown_until_its_text_came_with_it():
    documents = Documents(store=Shelf())
    assert await refusal(documents, apq()) == ("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound")
    registration = apq(QUERY)
    assert await documents.resolve(registration) == QUERY
    assert await refusal(documents, apq()) == ("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound")
    await documents.persist(registration)  # once it proved to be valid
    assert await documents.resolve(apq()) == QUERY
    assert await documents.resolve(Parameters(document_id=f"sha256:{sha256(QUERY)}")) == QUERY


async def test_a_text_must_match_its_hash():
    code, message = await refusal(Documents(store=Shelf()), apq("{other}"))
    assert (code, message) == ("PERSISTED_QUERY_HASH_MISMATCH", "provided sha does not match query")


async def test_a_store_cannot_make_a_hash_stand_for_another_document():
    documents = Documents(store=Shelf(**{sha256(QUERY): "mutation{drop}"}))
    assert (await refusal(documents, apq()))[0] == "PERSISTED_QUERY_NOT_FOUND"


async def test_without_a_store_persisted_queries_are_not_supported():
    for request in (apq(), apq(QUERY)):
        assert await refusal(Documents(), request) == (
            "PERSISTED_QUERY_NOT_SUPPORTED",
            "PersistedQueryNotSupported",
        )


@pytest.mark.parametrize(
    "request_",
    [
        Parameters(),
        Parameters(""),
        Parameters(document_id=""),
        Parameters(extensions={}),
        Parameters(QUERY, document_id="board"),
        Parameters(extensions={"persistedQuery": "x"}),
        apq(version=2),
        apq(version="1"),
        apq(digest="x"),
        apq(digest=sha256(QUERY).upper()),
        apq(digest="0" * 63 + "\n"),
    ],
)
async def test_a_request_that_names_its_document_wrongly_is_malformed(request_: Parameters):
    with pytest.raises(BadRequest):
        await Documents(store=Shelf(), trusted=TRUSTED).resolve(request_)


@pytest.mark.parametrize("mode", list(DocumentMode))
async def test_a_trusted_document_is_found_by_its_id(mode: DocumentMode):
    assert await Documents(trusted=TRUSTED, mode=mode).resolve(Parameters(document_id="board")) == QUERY


@pytest.mark.parametrize("name", ["board", "", "sha256:"])
async def test_a_client_that_sent_an_id_is_not_asked_for_the_text(name: str):
    unknown = Parameters(document_id=name + sha256("{unknown}"))
    assert (await refusal(Documents(store=Shelf()), unknown))[0] == "PERSISTED_QUERY_NOT_IN_LIST"


async def test_an_enforced_manifest_lets_nothing_else_pass():
    store = Shelf(**{sha256("{other}"): "{other}"})
    documents = Documents(store=store, trusted=TRUSTED, mode=DocumentMode.ENFORCE)
    assert await documents.resolve(Parameters(QUERY)) == QUERY
    assert await documents.resolve(apq(QUERY)) == QUERY
    assert (await refusal(documents, Parameters(QUERY + " ")))[0] == "QUERY_NOT_IN_SAFELIST"
    assert (await refusal(documents, Parameters(document_id="other")))[0] == "PERSISTED_QUERY_NOT_IN_LIST"
    assert (await refusal(documents, apq(digest=sha256("{other}"))))[0] == "PERSISTED_QUERY_NOT_IN_LIST"
    assert store.asked == 0


async def test_a_logged_manifest_lets_others_pass_and_tells_of_them():
    told: list[str] = []
    store = Shelf(**{sha256("{other}"): "{other}"})
    documents = Documents(store=store, trusted=TRUSTED, mode=DocumentMode.LOG, on_untrusted=told.append)
    await documents.resolve(Parameters(QUERY))
    await documents.resolve(Parameters("{another}"))
    await documents.resolve(apq(digest=sha256("{other}")))
    assert told == ["{another}", sha256("{other}")]


def test_manifests_of_apollo_and_relay_are_read(tmp_path: Path):
    apollo = {
        "format": "apollo-persisted-query-manifest",
        "version": 1,
        "operations": [{"id": "board", "name": "Board", "type": "query", "body": QUERY}],
    }
    for content in (apollo, {"board": QUERY}):
        path = tmp_path / "manifest.json"
        path.write_text(json.dumps(content))
        trusted = load_manifest(path)
        assert (len(trusted), trusted.get("board"), trusted.approves(QUERY)) == (1, QUERY, True)
        assert trusted.get("other") is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"board": 1}',
        '{"format": "apollo-persisted-query-manifest"}',
        '{"format": "apollo-persisted-query-manifest", "operations": [{"id": "board"}]}',
        '{"format": "apollo-persisted-query-manifest", "operations": ["board"]}',
    ],
)
def test_a_manifest_that_cannot_be_used_is_named(tmp_path: Path, content: str):
    path = tmp_path / "manifest.json"
    path.write_text(content)
    with pytest.raises(ManifestError, match=r"manifest\.json"):
        load_manifest(path)
    with pytest.raises(ManifestError, match="missing"):
        load_manifest(tmp_path / "missing.json")


async def test_recent_documents_are_found_without_asking_the_store_again():
    shelf = Shelf(**{sha256(QUERY): QUERY})
    recent = RecentDocuments(shelf)
    assert [await recent.get(sha256(QUERY)) for _ in range(3)] == [QUERY] * 3
    assert shelf.asked == 1
    await recent.put(sha256("{b}"), "{b}")
    assert shelf.texts[sha256("{b}")] == await recent.get(sha256("{b}"))
    assert shelf.asked == 1
