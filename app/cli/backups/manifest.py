"""Check the files of a base backup against its manifest, and write them.

The format: https://www.postgresql.org/docs/current/backup-manifest-format.html. PostgreSQL's own pg_verifybackup checks
the same, but reads archives of tar from version 18 on only, and a restore would read everything twice.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from app.cli.terminal.errors import CommandError

CHUNK = 2**20
WAL = "pg_wal"


@dataclass(frozen=True, slots=True)
class _File:
    size: int
    sha256: str


def check_and_extract(cluster: Path, target: Path | None = None) -> bytes:
    """Read all files of a base backup, compare them with its manifest, and write them to `target`.

    `PG_VERSION` is not written: PostgreSQL does not start from a cluster without it, so that the caller writes it when
    the cluster is complete.

    Args:
        cluster: The folder with `base.tar.gz`, `pg_wal.tar.gz` and `backup_manifest`.
        target: An empty folder, or None to write nothing.

    Returns:
        The content of `PG_VERSION`.

    Raises:
        CommandError: A file is missing, damaged, or cannot be read or written.
    """
    expected = _read_manifest(cluster / "backup_manifest")
    version: list[bytes] = []
    try:
        with _open(cluster / "base.tar.gz") as archive:
            for member in archive:
                name = member.name.removeprefix("./")
                if member.isfile():
                    is_version = name == "PG_VERSION"
                    path = None if target is None or is_version else _inside(target, name)
                    _copy(archive, member, path, expected.pop(name, None), version if is_version else None)
                elif target is not None and member.isdir():
                    _inside(target, name).mkdir(mode=0o700, exist_ok=True)
        if expected:
            raise CommandError(f"the base backup {cluster.parent} is damaged: it has no {min(expected)}")
        with _open(cluster / "pg_wal.tar.gz") as archive:
            for member in archive:
                if member.isfile():
                    path = None if target is None else _inside(target, f"{WAL}/{member.name.removeprefix('./')}")
                    _copy(archive, member, path, _File(member.size, ""), None)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CommandError(f"the base backup {cluster.parent} is damaged: {error}") from error
    except OSError as error:
        raise CommandError(f"{error.filename or target or cluster}: {error.strerror or error}") from error
    return b"".join(version)


def read_histories(cluster: Path) -> dict[str, bytes]:
    """Return the histories of timelines that came with the write-ahead log of a base backup, by the names of the files.

    Raises:
        CommandError: The backup cannot be read.
    """
    try:
        with _open(cluster / "pg_wal.tar.gz") as archive:
            return {
                member.name: content.read()
                for member in archive
                if member.name.endswith(".history") and (content := archive.extractfile(member)) is not None
            }
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise CommandError(f"{cluster / 'pg_wal.tar.gz'} cannot be read: {error}") from error


def _read_manifest(path: Path) -> dict[str, _File]:
    """Return what the manifest says of each file, once its own checksum was checked."""
    try:
        text = path.read_bytes()
        covered, _, _ = text.partition(b'"Manifest-Checksum"')
        manifest = json.loads(text)
        is_whole = hashlib.sha256(covered).hexdigest() == manifest["Manifest-Checksum"]
        files = {
            each["Path"]
            if "Path" in each
            else bytes.fromhex(each["Encoded-Path"]).decode("utf-8", "surrogateescape"): (
                _File(each["Size"], each["Checksum"] if each["Checksum-Algorithm"] == "SHA256" else "")
            )
            for each in manifest["Files"]
        }
    except (ValueError, KeyError, TypeError):
        is_whole, files = False, {}
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from error
    if not is_whole:
        raise CommandError(f"{path} is damaged: its checksum is wrong")
    return files


@contextmanager
def _open(path: Path) -> Iterator[tarfile.TarFile]:
    """Open an archive to read it from beginning to end. It may be several gzip members, some of them empty."""
    with gzip.open(path) as content, tarfile.open(fileobj=content, mode="r|") as archive:
        yield archive


def _copy(
    archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path | None, file: _File | None, kept: list[bytes] | None
) -> None:
    """Read one file, write it to `path` or append it to `kept`, and compare it with the manifest."""
    source = archive.extractfile(member)
    assert source is not None
    digest, size = hashlib.sha256(), 0
    out = None
    try:
        if path is not None:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            out = path.open("xb")
            path.chmod(0o600)
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            if kept is not None:
                kept.append(chunk)
            if out is not None:
                out.write(chunk)
    finally:
        if out is not None:
            out.close()
    if file is None:
        raise CommandError(f"the base backup is damaged: {member.name} is not in its manifest")
    if size != file.size or file.sha256 not in ("", digest.hexdigest()):
        raise CommandError(f"the base backup is damaged: {member.name} differs from its manifest")


def _inside(target: Path, name: str) -> Path:
    """Return the path of a file of the backup. Raises CommandError for one that would be outside of the target."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise CommandError(f"the base backup is damaged: {name} is not a path within a cluster")
    return target / path
