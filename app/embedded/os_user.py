"""The user of the operating system that the servers run as, and the files that this user can access."""

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


class PopenUser(TypedDict, total=False):
    """Arguments of `subprocess.Popen` that start a child process as another user."""

    user: int
    group: int
    extra_groups: Iterable[int]


@dataclass(frozen=True)
class OsUser:
    """A user that runs the servers; never root."""

    name: str
    uid: int
    gid: int

    @classmethod
    def for_cluster(cls, cluster: Path) -> OsUser:
        """Return the user to run `cluster` as: the current user or, when that is root, an unprivileged user.

        Raises:
            EmbeddedError: The cluster belongs to a user that this process may not switch to.
        """
        owner = cluster.stat().st_uid if cluster.is_dir() else None
        current_uid = os.geteuid()
        if current_uid != 0:
            if owner not in (None, current_uid):
                raise EmbeddedError(
                    f"{cluster} belongs to another user (uid {owner}): run this as that user or as root"
                )
            return cls(str(current_uid), current_uid, os.getegid())
        by_uid = {user.pw_uid: user for user in reversed(pwd.getpwall())}
        by_name = {user.pw_name: user for user in by_uid.values()}
        candidates = [by_uid.get(owner)] if owner else [by_name.get(name) for name in _UNPRIVILEGED]
        for user in candidates:
            if user is not None:
                return cls(user.pw_name, user.pw_uid, user.pw_gid)
        if owner:
            raise EmbeddedError(f"{cluster} belongs to uid {owner}, which does not exist here: change its owner")
        raise EmbeddedError(
            f"PostgreSQL refuses to run as root, and neither {' nor '.join(_UNPRIVILEGED)} exists here: "
            "run as an ordinary user, or set DATABASE_URL and REDIS_URL"
        )

    @property
    def popen_arguments(self) -> PopenUser:
        """The arguments that start a child process as this user; empty if this is the current user."""
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": ()}

    def can_enter(self, path: Path) -> bool:
        """Return whether this user may execute the file, or enter the folder, at `path`."""
        return subprocess.run(["test", "-x", path], **self.popen_arguments, timeout=10, check=False).returncode == 0

    def take_ownership(self, path: Path) -> None:
        """Make this user the owner of `path`."""
        if self.popen_arguments:
            os.chown(path, self.uid, self.gid)
