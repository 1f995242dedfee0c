"""Which user of the operating system the servers run as, and what that user can reach."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from app.embedded.errors import EmbeddedError

# PostgreSQL refuses to run as root. `postgres` comes first because other services often share `nobody`.
_UNPRIVILEGED = ("postgres", "nobody")


class Identity(TypedDict, total=False):
    """Arguments of `subprocess.Popen` that make a child run as somebody else."""

    user: int
    group: int
    extra_groups: Iterable[int]


@dataclass(frozen=True)
class OsUser:
    """A user that may run the servers; never root."""

    name: str
    uid: int
    gid: int

    @classmethod
    def for_cluster(cls, cluster: Path) -> OsUser:
        """The user to run `cluster` as: ourselves, or when we are root an existing unprivileged user.

        Raises EmbeddedError when the cluster belongs to somebody whom we cannot become.
        """
        owner = cluster.stat().st_uid if cluster.is_dir() else None
        me = os.geteuid()
        if me != 0:
            if owner not in (None, me):
                raise EmbeddedError(
                    f"{cluster} belongs to another user (uid {owner}): run this as that user or as root"
                )
            return cls(str(me), me, os.getegid())
        known = {user.pw_uid: user for user in reversed(pwd.getpwall())}
        by_name = {user.pw_name: user for user in known.values()}
        wanted = [known.get(owner)] if owner else [by_name.get(name) for name in _UNPRIVILEGED]
        for user in wanted:
            if user is not None:
                return cls(user.pw_name, user.pw_uid, user.pw_gid)
        if owner:
            raise EmbeddedError(f"{cluster} belongs to uid {owner}, which does not exist here: change its owner")
        raise EmbeddedError(
            f"PostgreSQL refuses to run as root, and neither {' nor '.join(_UNPRIVILEGED)} exists here: "
            "run as an ordinary user, or set DATABASE_URL and REDIS_URL"
        )

    @property
    def identity(self) -> Identity:
        """How to start a child as this user; nothing when that is who we are."""
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": ()}

    def can_enter(self, path: Path) -> bool:
        """Whether this user may execute the file, or walk into the folder, at `path`."""
        return subprocess.run(["test", "-x", path], **self.identity, timeout=10, check=False).returncode == 0

    def give(self, path: Path) -> None:
        """Make `path` this user's own."""
        if self.identity:
            os.chown(path, self.uid, self.gid)
