"""How a live board looks in a terminal, and as plain text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from app.cli.simulation.board_subscription import Lost


class BoardView:
    """The newest state of one board, and of the connection to it."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._update: Mapping[str, Any] | None = None
        self._lost: Lost | None = None

    def show(self, update: Mapping[str, Any]) -> None:
        """Take a message of the subscription."""
        self._update, self._lost = update, None

    def lose(self, loss: Lost) -> None:
        """Take the news that the connection is gone: what was seen last stays."""
        self._lost = loss

    def __rich__(self) -> RenderableType:
        heading = Text.assemble((self._title, "bold"), "   ", self._connection())
        if self._update is None:
            return heading
        table = Table("#", "", "Player", "Score", "", box=None, padding=(0, 1))
        for column in (0, 3, 4):
            table.columns[column].justify = "right"
        for entry, move, gain in self._lines():
            style = "bold" if gain else ""
            colour = {"▲": "green", "▼": "red", "★": "yellow"}.get(move[:1], "")
            # Names are what users wrote, never markup.
            name = Text(entry["user"]["username"], style=style)
            table.add_row(
                str(entry["rank"]), Text(move, colour), name, Text(f"{entry['score']:,}", style), Text(gain, "green")
            )
        return Group(heading, "", table, Text(self._footer(), style="dim"))

    def plain(self) -> str:
        """The board as lines of text."""
        lines = [
            f"{entry['rank']:>3}  {move:<4} {entry['user']['username']:<32} {entry['score']:>10,} {gain:>6}".rstrip()
            for entry, move, gain in self._lines()
        ]
        return "\n".join([f"{self._title}   {self._footer()}", *lines, ""])

    def _connection(self) -> Text:
        if self._lost is not None:
            return Text(f"○ lost ({self._lost.reason}); again in {self._lost.pause:.1f} s", style="yellow")
        if self._update is None:
            return Text("○ connecting", style="dim")
        if self._update["leaderboard"]["stale"]:
            return Text("● live, but the stores are away: newer scores may exist", style="yellow")
        return Text("● live", style="green")

    def _lines(self) -> Iterator[tuple[Mapping[str, Any], str, str]]:
        """Each entry with how it moved and what it gained with the last message."""
        assert self._update is not None
        changes = {change["user"]["id"]: change for change in self._update["changes"]}
        for entry in self._update["leaderboard"]["entries"]:
            change = changes.get(entry["user"]["id"])
            gain = f"{change['scoreDelta']:+,}" if change and change["scoreDelta"] else ""
            yield entry, _arrow(change), gain

    def _footer(self) -> str:
        assert self._update is not None
        board = self._update["leaderboard"]
        return (
            f"{board['totalUsers']:,} players · version {self._update['version']} "
            f"· {self._update['asOf'][11:19]} UTC · {board['source']}"
        )


def _arrow(change: Mapping[str, Any] | None) -> str:
    if change is None:
        return ""
    old, new = change["oldRank"], change["newRank"]
    if old is None:
        return "★"
    if old == new:
        return ""
    return f"▲{old - new}" if new < old else f"▼{new - old}"
