"""How a command chooses the server that it connects to."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from app.cli.process.data_folder import DATA_FOLDER, publish_url, published_url
from app.cli.process.server_url import server_url

URL = "http://127.0.0.1:8104"


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the test in an empty folder, without HOST and PORT in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("HOST", "PORT"):
        monkeypatch.delenv(name, raising=False)


def test_the_development_server_of_the_folder_is_found_while_it_runs():
    with publish_url(URL) as is_published:
        assert is_published
        assert server_url(None) == URL
    assert server_url(None) == "http://127.0.0.1:8000"


def test_a_url_that_is_given_comes_first(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PORT", "8002")
    with publish_url(URL):
        assert server_url("http://127.0.0.1:8001/graphql") == "http://127.0.0.1:8001"


def test_a_port_in_the_environment_comes_before_the_server_of_the_folder(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PORT", "8002")
    with publish_url(URL):
        assert server_url(None) == "http://127.0.0.1:8002"


def test_the_server_of_the_folder_comes_before_the_port_in_the_settings_file(tmp_path: Path):
    (tmp_path / ".env").write_text("PORT=8003\n")
    with publish_url(URL):
        assert server_url(None) == URL
    assert server_url(None) == "http://127.0.0.1:8003"


def test_what_a_killed_server_left_is_ignored():
    DATA_FOLDER.mkdir()
    (DATA_FOLDER / "server.lock").touch()
    (DATA_FOLDER / "server.url").write_text(URL)
    assert published_url() is None
    with publish_url("http://127.0.0.1:8105"):
        assert published_url() == "http://127.0.0.1:8105"


def test_a_second_server_of_the_folder_does_not_replace_the_first():
    with publish_url(URL), publish_url("http://127.0.0.1:8105") as is_published:
        assert not is_published
        assert published_url() == URL


def test_a_data_folder_that_cannot_be_used_is_no_error():
    DATA_FOLDER.write_text("this is not a folder")
    with publish_url(URL) as is_published:
        assert not is_published
    assert published_url() is None


@pytest.mark.parametrize("url", ["nowhere", "ftp://127.0.0.1", "http://"])
def test_a_url_of_another_kind_is_refused(url: str):
    with pytest.raises(typer.BadParameter):
        server_url(url)
