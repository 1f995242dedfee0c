"""Render a live board for a terminal and as plain text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from app.domain.scores import ScoreFormat

if TYPE_CHECKING:
    from rich.console import RenderableType

    from app.cli.simulation.board_subscription import ConnectionLost


class BoardView:
    """The latest state of one board and of the connection to the server."""

    def __init__(self, title: str, since: str) -> None:
        """Create a view without entries; `since` names what ranks are compared with."""
        self._title = title
        self._since = since
        self._update: Mapping[str, Any] | None = None
        self._connection_lost: ConnectionLost | None = None

    def show(self, update: Mapping[str, Any]) -> None:
        """Display a message of the subscription."""
        self._update, self._connection_lost = update, None

    def show_connection_lost(self, loss: ConnectionLost) -> None:
        """Display that the connection was lost, and keep the last board."""
        self._connection_lost = loss

    def __rich__(self) -> RenderableType:
        heading = Text.assemble((self._title, "bold"), "   ", self._connection_status())
        if self._update is None:
            return heading
        table = Table("#", "", "Player", "Score", "", self._since, box=None, padding=(0, 1))
        for column in (0, 3, 4, 5):
            table.columns[column].justify = "right"
        for entry, rank_change, gain in self._rows():
            style = "bold" if gain else ""
            colour = {"▲": "green", "▼": "red", "★": "yellow"}.get(rank_change[:1], "")
            # Names are text that users entered, not markup.
            name = Text(entry["user"]["username"], style=style)
            table.add_row(
                str(entry["rank"]),
                Text(rank_change, colour),
                name,
                Text(entry["formattedScore"], style),
                Text(gain, "green"),
                Text(_arrow(entry["movement"] or 0), "dim"),
            )
        return Group(heading, "", table, Text(self._footer(), style="dim"))

    def plain_text(self) -> str:
        """Return the board as lines of text."""
        rows = list(self._rows())
        width = max([10, *(len(entry["formattedScore"]) for entry, _, _ in rows)])
        lines = [
            f"{entry['rank']:>3}  {change:<4} {entry['user']['username']:<32} "
            f"{entry['formattedScore']:>{width}} {gain:>6} {_since(entry['movement'], self._since)}".rstrip()
            for entry, change, gain in rows
        ]
        return "\n".join([f"{self._title}   {self._footer()}", *lines, ""])

    def _connection_status(self) -> Text:
        if self._connection_lost is not None:
            lost = self._connection_lost
            return Text(f"○ connection lost ({lost.reason}); retry in {lost.retry_delay:.1f} s", style="yellow")
        if self._update is None:
            return Text("○ connecting", style="dim")
        if self._update["leaderboard"]["stale"]:
            return Text("● live, but the data stores are unavailable: newer scores may exist", style="yellow")
        return Text("● live", style="green")

    def _rows(self) -> Iterator[tuple[Mapping[str, Any], str, str]]:
        """Yield each entry with the changes of its rank and its score in the last message."""
        assert self._update is not None
        board = self._update["leaderboard"]
        score_format = ScoreFormat.of_document(board["category"]["scoreFormat"])
        changes = {change["user"]["id"]: change for change in self._update["changes"]}
        for entry in board["entries"]:
            change = changes.get(entry["user"]["id"])
            gain = score_format.change_text(change["scoreDelta"]) if change and change["scoreDelta"] else ""
            yield entry, _rank_change(change), gain

    def _footer(self) -> str:
        assert self._update is not None
        board = self._update["leaderboard"]
        return (
            f"{board['totalUsers']:,} players · version {self._update['version']} "
            f"· {self._update['asOf'][11:19]} UTC · {board['source']}"
        )


def _rank_change(change: Mapping[str, Any] | None) -> str:
    if change is None:
        return ""
    old, new = change["oldRank"], change["newRank"]
    if old is None:
        return "★"
    return _arrow(old - new) if new is not None else ""


def _arrow(places: int) -> str:
    if places == 0:
        return ""
    return f"▲{places}" if places > 0 else f"▼{-places}"


def _since(movement: int | None, since: str) -> str:
    return f"{_arrow(movement)} {since}" if movement else ""
