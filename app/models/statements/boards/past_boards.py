"""The statements that read all-time boards as they were at an instant, and the one that stores a checkpoint of them.

The state of a board is the last checkpoint by then, and what changed between that and the instant: a bounded number of
transactions. Users who are hidden today are hidden in the past as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.boards.assign_ranks import BoardRow, BoardSlice
from app.domain.boards.board import Board
from app.domain.boards.views import Position
from app.models.advisory_locks import AdvisoryLock

LAST_USER = UUID(int=2**128 - 1)
_FIRST_USER = UUID(int=0)
_BEFORE_ALL = datetime(1, 1, 1, tzinfo=UTC)
_AFTER_ALL = datetime(9999, 12, 31, tzinfo=UTC)

_HIDDEN = "SELECT id AS user_id FROM users WHERE hidden_at IS NOT NULL"
_NO_USER = "SELECT CAST(NULL AS uuid) AS user_id WHERE false"

# A user's state is the last transaction that changed the score. The score may be 0: not all boards rank that. Of months
# that were moved to files there is the total, which counts as one transaction before all others; it is older than all
# checkpoints.
#
# The users who changed since the checkpoint, and those who are hidden, leave it with the state that they had there.
# That state is known without a look-up in the ledger for each of them: the following checkpoint contains it for the
# former, and `hidden_user_scores` for the latter. Only the last minutes, and users who were just hidden, need look-ups.
# `OFFSET 0` keeps PostgreSQL from looking up each hidden user there; it is to read the category at once.
#
# Positions are assigned to the last chunk whose first position is not after them, or to the first chunk.
#
# The times are compared twice, alone and with the users: by the first PostgreSQL estimates that few rows qualify, and
# by the second it finds exactly those. `LIMIT 1` makes it look chunks up by their id instead of reading all of them.
_PLACED = """
    checkpoint AS MATERIALIZED (
        SELECT as_of, through_user, number, chunks, users, moves, first_keys, first_times, first_users
        FROM checkpoints
        WHERE category_id = CAST(:category AS varchar) AND as_of <= CAST(:as_of AS timestamptz)
        ORDER BY as_of DESC, through_user DESC LIMIT 1
    ), rules AS MATERIALIZED (
        SELECT CASE sort_order WHEN 'HIGH_FIRST' THEN -1 ELSE 1 END AS sign,
               operator = 'SUM' AND sort_order = 'HIGH_FIRST' AS ranks_zero
        FROM categories WHERE id = :category
    ), hidden AS MATERIALIZED (
        {hidden}
    ), changed AS MATERIALIZED (
        SELECT DISTINCT ON (user_id) user_id, score, reached_at
        FROM (
            SELECT user_id, score, created_at AS reached_at, seq
            FROM score_transactions
            WHERE category_id = :category AND delta <> 0
              AND created_at >= coalesce((SELECT as_of FROM checkpoint), '-infinity')
              AND created_at <= CAST(:as_of AS timestamptz)
              AND (created_at, user_id) > (
                  coalesce((SELECT as_of FROM checkpoint), '-infinity'),
                  coalesce((SELECT through_user FROM checkpoint), '00000000-0000-0000-0000-000000000000')
              )
              AND (created_at, user_id) <= (CAST(:as_of AS timestamptz), CAST(:through_user AS uuid))
            UNION ALL
            SELECT user_id, delta, reached_at, 0 FROM archived_totals
            WHERE category_id = :category AND reached_at IS NOT NULL AND NOT EXISTS (SELECT FROM checkpoint)
        ) states
        ORDER BY user_id, reached_at DESC, seq DESC
    ), known AS MATERIALIZED (
        SELECT k.user_id, k.score, k.reached_at
        FROM (
            SELECT changed_users, previous_scores, previous_times FROM checkpoints
            WHERE category_id = CAST(:category AS varchar) AND as_of > CAST(:as_of AS timestamptz)
            ORDER BY as_of, through_user LIMIT 1
        ) following
        CROSS JOIN LATERAL unnest(changed_users, previous_scores, previous_times) AS k(user_id, score, reached_at)
        WHERE k.user_id IN (SELECT user_id FROM changed) AND EXISTS (SELECT FROM checkpoint)
        UNION ALL
        SELECT user_id, scores[number], times[number]
        FROM (
            SELECT user_id, scores, times, width_bucket(
                       (SELECT as_of FROM checkpoint) - CASE
                           WHEN user_id <= (SELECT through_user FROM checkpoint) THEN interval '0'
                           ELSE interval '1 microsecond' END,
                       times
                   ) AS number
            FROM hidden_user_scores WHERE category_id = CAST(:category AS varchar) OFFSET 0
        ) h
        WHERE user_id IN (SELECT user_id FROM hidden) AND user_id NOT IN (SELECT user_id FROM changed)
    ), leaving AS MATERIALIZED (
        SELECT user_id, score, reached_at
        FROM (
            SELECT user_id, score, reached_at FROM known
            UNION ALL
            SELECT u.user_id, before.score, before.reached_at
            FROM (
                (SELECT user_id FROM changed UNION SELECT user_id FROM hidden) EXCEPT SELECT user_id FROM known
            ) u
            CROSS JOIN checkpoint c
            CROSS JOIN LATERAL (
                SELECT score, reached_at FROM (
                    (SELECT t.score, t.created_at AS reached_at FROM score_transactions t
                     WHERE t.user_id = u.user_id AND t.category_id = :category AND t.delta <> 0
                       AND t.created_at < c.as_of + CASE WHEN u.user_id <= c.through_user THEN interval '1 microsecond'
                                                         ELSE interval '0' END
                     ORDER BY t.created_at DESC, t.seq DESC LIMIT 1)
                    UNION ALL
                    (SELECT a.delta, a.reached_at FROM archived_totals a
                     WHERE a.user_id = u.user_id AND a.category_id = :category AND a.reached_at < c.as_of)
                ) states ORDER BY reached_at DESC LIMIT 1
            ) before
        ) states CROSS JOIN rules
        WHERE score > 0 OR (score = 0 AND ranks_zero)
    ), directory AS MATERIALIZED (
        SELECT d.* FROM checkpoint c
        CROSS JOIN LATERAL unnest(
            c.chunks, c.users, c.moves, c.first_keys, c.first_times, c.first_users
        ) WITH ORDINALITY AS d(chunk, users, moves, first_key, first_time, first_user, place)
    ), placed AS MATERIALIZED (
        SELECT kind, number, user_id, score, sort_key, reached_at,
               greatest(
                   1, count(*) FILTER (WHERE kind = 'chunk') OVER (ORDER BY sort_key, reached_at, user_id)
               ) AS place
        FROM (
            SELECT 'chunk' AS kind, 0 AS number, first_user AS user_id, 0 AS score, first_key AS sort_key,
                   first_time AS reached_at
            FROM directory
            UNION ALL
            SELECT 'leaving', 0, user_id, score, sign * score, reached_at FROM leaving CROSS JOIN rules
            UNION ALL
            SELECT 'arriving', 0, user_id, score, sign * score, reached_at FROM changed CROSS JOIN rules
            WHERE user_id NOT IN (SELECT user_id FROM hidden) AND (score > 0 OR ranks_zero)
            {asked}
        ) positions
    ), counted AS MATERIALIZED (
        SELECT place, chunk, users, moves, sum(users) OVER (ORDER BY place) - users AS before
        FROM (
            SELECT d.place, d.chunk, CAST(d.users + coalesce(p.change, 0) AS int) AS users,
                   d.moves + coalesce(p.moves, 0) AS moves
            FROM (
                SELECT place, chunk, users, moves FROM directory
                UNION ALL SELECT 1, NULL, 0, 0 WHERE NOT EXISTS (SELECT FROM directory)
            ) d
            LEFT JOIN (
                SELECT place, sum(CASE kind WHEN 'arriving' THEN 1 ELSE -1 END) AS change, count(*) AS moves
                FROM placed WHERE kind IN ('arriving', 'leaving') GROUP BY place
            ) p USING (place)
        ) counts
    )
"""

# A chunk is stored as it was at the checkpoint: the users who are leaving left it afterwards.
_MEMBERS = """
    , member AS MATERIALIZED (
        SELECT place, user_id, score, sign * score AS sort_key, reached_at
        FROM (
            SELECT c.place, m.user_id, m.score, m.reached_at
            FROM chosen c
            CROSS JOIN LATERAL (SELECT user_ids, scores, times FROM checkpoint_chunks WHERE id = c.chunk LIMIT 1) k
            CROSS JOIN LATERAL unnest(k.user_ids, k.scores, k.times) AS m(user_id, score, reached_at)
            UNION ALL
            SELECT c.place, m.user_id, m.score, m.reached_at
            FROM chosen c JOIN checkpoint_moves m ON m.chunk_id = c.chunk
            WHERE m.arrived AND m.number <= (SELECT number FROM checkpoint)
        ) stored CROSS JOIN rules
        WHERE (user_id, reached_at) NOT IN (
            SELECT m.user_id, m.reached_at
            FROM chosen c JOIN checkpoint_moves m ON m.chunk_id = c.chunk
            WHERE NOT m.arrived AND m.number <= (SELECT number FROM checkpoint)
        ) AND NOT EXISTS (SELECT FROM leaving WHERE leaving.user_id = stored.user_id)
        UNION ALL
        SELECT place, user_id, score, sort_key, reached_at FROM placed
        WHERE kind = 'arriving' AND place IN (SELECT place FROM chosen)
    )
"""

_ASKED = """
            UNION ALL
            SELECT CASE WHEN a.through THEN 'through' ELSE 'before' END, a.number, a.user_id, 0, a.sort_key,
                   a.reached_at
            FROM unnest(
                CAST(:keys AS bigint[]), CAST(:times AS timestamptz[]), CAST(:users AS uuid[]),
                CAST(:through AS boolean[])
            ) WITH ORDINALITY AS a(sort_key, reached_at, user_id, through, number)
"""

PAST_COUNTS = text(
    f"""
    WITH {_PLACED.format(hidden=_HIDDEN, asked=_ASKED)}, chosen AS MATERIALIZED (
        SELECT place, chunk, before FROM counted
        WHERE place IN (SELECT place FROM placed WHERE kind IN ('before', 'through'))
    ) {_MEMBERS}, ordered AS (
        SELECT place, number, count(*) FILTER (WHERE kind = 'member') OVER (
            PARTITION BY place ORDER BY sort_key, reached_at, user_id,
            CASE kind WHEN 'before' THEN 1 WHEN 'member' THEN 2 ELSE 3 END ROWS UNBOUNDED PRECEDING
        ) AS members
        FROM (
            SELECT 'member' AS kind, place, 0 AS number, sort_key, reached_at, user_id FROM member
            UNION ALL
            SELECT kind, place, number, sort_key, reached_at, user_id FROM placed WHERE kind IN ('before', 'through')
        ) positions
    )
    SELECT o.number, c.before + o.members AS users, (SELECT sum(users) FROM counted) AS total
    FROM (SELECT 1) AS always LEFT JOIN ordered o ON o.number > 0 LEFT JOIN chosen c USING (place)
    ORDER BY o.number
    """  # noqa: S608 - the pieces are constants
)

# The users with the score of the first and the last row of a page may begin and end in other chunks than the page.
# Which ones these are follows from the first positions of the chunks, so they are read with it.
PAST_ROWS = text(
    f"""
    WITH {_PLACED.format(hidden=_HIDDEN, asked="")}, ranges AS MATERIALIZED (
        SELECT first, size FROM unnest(CAST(:offsets AS bigint[]), CAST(:limits AS bigint[])) AS r(first, size)
    ), paged AS MATERIALIZED (
        SELECT place FROM counted c
        WHERE EXISTS (SELECT FROM ranges WHERE c.before < first + size AND c.before + c.users > first)
    ), chosen AS MATERIALIZED (
        SELECT place, chunk, before FROM counted
        WHERE place IN (
            SELECT place FROM paged
            UNION ALL
            SELECT greatest(1, (SELECT max(place) FROM directory d WHERE d.first_key < f.first_key))
            FROM directory f WHERE place IN (SELECT place FROM paged) AND place - 1 NOT IN (SELECT place FROM paged)
            UNION ALL
            SELECT (SELECT max(place) FROM directory d WHERE d.first_key <= f.first_key)
            FROM directory f WHERE place - 1 IN (SELECT place FROM paged) AND place NOT IN (SELECT place FROM paged)
        )
    ) {_MEMBERS}, ranked AS MATERIALIZED (
        SELECT user_id, score, reached_at, sort_key, rank, rank = first + 1 AS is_first,
               rank = least(first + size, (SELECT sum(users) FROM counted)) AS is_last
        FROM (
            SELECT m.*, c.before + row_number() OVER (
                       PARTITION BY place ORDER BY sort_key, reached_at, user_id
                   ) AS rank
            FROM member m JOIN chosen c USING (place)
        ) ordered JOIN ranges ON rank > first AND rank <= first + size
    )
    SELECT user_id, score, reached_at, sort_key, rank, (SELECT sum(users) FROM counted) AS total,
           CASE WHEN is_first THEN (
               SELECT before + (SELECT count(*) FROM member m WHERE m.place = c.place AND m.sort_key < ranked.sort_key)
               FROM chosen c
               WHERE place = greatest(1, (SELECT max(place) FROM directory WHERE first_key < ranked.sort_key))
           ) END AS above,
           CASE WHEN is_last THEN (
               SELECT before + (SELECT count(*) FROM member m WHERE m.place = c.place AND m.sort_key <= ranked.sort_key)
               FROM chosen c
               WHERE place = greatest(1, (SELECT max(place) FROM directory WHERE first_key <= ranked.sort_key))
           ) END AS through
    FROM (SELECT 1) AS always LEFT JOIN ranked ON true
    """  # noqa: S608 - the pieces are constants
)

PAST_STATES = text(
    """
    SELECT i.user_id, s.score, CASE c.sort_order WHEN 'HIGH_FIRST' THEN -s.score ELSE s.score END AS sort_key,
           s.reached_at
    FROM unnest(CAST(:users AS uuid[])) AS i(user_id)
    JOIN users u ON u.id = i.user_id AND u.hidden_at IS NULL
    JOIN categories c ON c.id = :category
    CROSS JOIN LATERAL (
        SELECT score, reached_at FROM (
            (SELECT t.score, t.created_at AS reached_at FROM score_transactions t
             WHERE t.user_id = i.user_id AND t.category_id = :category AND t.delta <> 0 AND t.created_at <= :as_of
             ORDER BY t.created_at DESC, t.seq DESC LIMIT 1)
            UNION ALL
            (SELECT a.delta, a.reached_at FROM archived_totals a
             WHERE a.user_id = i.user_id AND a.category_id = :category AND a.reached_at <= :as_of)
        ) states ORDER BY reached_at DESC LIMIT 1
    ) s
    WHERE s.score > 0 OR (c.operator = 'SUM' AND c.sort_order = 'HIGH_FIRST')
    """
)

# The moves of chunks that are stored anew are part of the new chunks. Each run of neighbours is divided evenly.
STORE_CHECKPOINT = text(
    f"""
    WITH {_PLACED.format(hidden=_NO_USER, asked="")}, chosen AS MATERIALIZED (
        SELECT place, chunk, place - row_number() OVER (ORDER BY place) AS run
        FROM (
            SELECT place, chunk, users, moves,
                   users + coalesce(lag(users) OVER w, CAST(:max_size AS int)) AS with_previous,
                   users + coalesce(lead(users) OVER w, CAST(:max_size AS int)) AS with_next
            FROM counted WINDOW w AS (ORDER BY place)
        ) neighbours
        WHERE chunk IS NULL OR users = 0 OR users > CAST(:max_size AS int) OR moves > CAST(:max_moves AS int)
           OR with_previous < CAST(:min_neighbours AS int) OR with_next < CAST(:min_neighbours AS int)
    ) {_MEMBERS}, logged AS (
        INSERT INTO checkpoint_moves (chunk_id, number, user_id, arrived, score, reached_at)
        SELECT c.chunk, CAST(:number AS bigint), p.user_id, p.kind = 'arriving', p.score, p.reached_at
        FROM placed p JOIN counted c USING (place)
        WHERE p.kind IN ('arriving', 'leaving') AND p.place NOT IN (SELECT place FROM chosen)
    ), numbered AS (
        SELECT m.*, c.run, row_number() OVER (
                   PARTITION BY c.run ORDER BY m.sort_key, m.reached_at, m.user_id
               ) - 1 AS position, count(*) OVER (PARTITION BY c.run) AS size
        FROM member m JOIN chosen c USING (place)
    ), fresh AS (
        INSERT INTO checkpoint_chunks (category_id, number, user_ids, scores, times)
        SELECT CAST(:category AS varchar), CAST(:number AS bigint), array_agg(user_id ORDER BY position),
               array_agg(score ORDER BY position), array_agg(reached_at ORDER BY position)
        FROM numbered
        GROUP BY run, position * ((size + CAST(:size AS int) - 1) / CAST(:size AS int)) / size
        RETURNING id, scores[1] AS first_score, times[1] AS first_time, user_ids[1] AS first_user,
                  cardinality(user_ids) AS users
    ), appended AS (
        UPDATE hidden_user_scores h SET times = h.times || c.reached_at, scores = h.scores || CAST(c.score AS bigint)
        FROM changed c WHERE h.category_id = :category AND h.user_id = c.user_id
    ), next AS (
        SELECT c.chunk, c.users, c.moves, d.first_key, d.first_time, d.first_user
        FROM counted c JOIN directory d USING (place) WHERE place NOT IN (SELECT place FROM chosen)
        UNION ALL
        SELECT id, users, 0, sign * first_score, first_time, first_user FROM fresh CROSS JOIN rules
    ), previous AS (
        SELECT array_agg(c.user_id) AS users, array_agg(l.score) AS scores, array_agg(l.reached_at) AS times
        FROM changed c LEFT JOIN leaving l USING (user_id)
    )
    INSERT INTO checkpoints (
        category_id, as_of, through_user, number, transactions, chunks, users, moves, first_keys, first_times,
        first_users, changed_users, previous_scores, previous_times
    )
    SELECT CAST(:category AS varchar), CAST(:as_of AS timestamptz), CAST(:through_user AS uuid),
           CAST(:number AS bigint), :transactions,
           coalesce(array_agg(chunk ORDER BY first_key, first_time, first_user), CAST('{{}}' AS bigint[])),
           coalesce(array_agg(users ORDER BY first_key, first_time, first_user), CAST('{{}}' AS int[])),
           coalesce(array_agg(moves ORDER BY first_key, first_time, first_user), CAST('{{}}' AS int[])),
           coalesce(array_agg(first_key ORDER BY first_key, first_time, first_user), CAST('{{}}' AS bigint[])),
           coalesce(array_agg(first_time ORDER BY first_key, first_time, first_user), CAST('{{}}' AS timestamptz[])),
           coalesce(array_agg(first_user ORDER BY first_key, first_time, first_user), CAST('{{}}' AS uuid[])),
           (SELECT users FROM previous), (SELECT scores FROM previous), (SELECT times FROM previous)
    FROM next
    """  # noqa: S608 - the pieces are constants
)

LAST_CHECKPOINT = text(
    """
    SELECT as_of, through_user FROM checkpoints
    WHERE category_id = :category AND as_of < CAST(:before AS timestamptz)
    ORDER BY as_of DESC, through_user DESC LIMIT 1
    """
)
NEXT_END = text(
    """
    SELECT created_at, user_id FROM score_transactions
    WHERE category_id = :category AND delta <> 0 AND created_at <= CAST(:until AS timestamptz)
      AND (created_at, user_id) > (CAST(:as_of AS timestamptz), CAST(:through_user AS uuid))
    ORDER BY created_at, user_id OFFSET :step - 1 LIMIT 1
    """
)
COUNT_TRANSACTIONS = text(
    """
    SELECT count(*) FROM score_transactions
    WHERE category_id = :category AND delta <> 0
      AND created_at >= CAST(:after AS timestamptz) AND created_at <= CAST(:as_of AS timestamptz)
      AND (created_at, user_id) > (CAST(:after AS timestamptz), CAST(:after_user AS uuid))
      AND (created_at, user_id) <= (CAST(:as_of AS timestamptz), CAST(:through_user AS uuid))
    """
)
CHECKPOINT_ENDS = text(
    """
    SELECT as_of, through_user, transactions FROM checkpoints
    WHERE category_id = :category
      AND (as_of, through_user) > (CAST(:as_of AS timestamptz), CAST(:through_user AS uuid))
    ORDER BY as_of, through_user LIMIT :limit
    """
)
DISCARD_CHECKPOINTS = text(
    """
    DELETE FROM checkpoints
    WHERE category_id = :category
      AND (as_of, through_user) > (CAST(:as_of AS timestamptz), CAST(:through_user AS uuid))
    """
)
# Chunks of the checkpoints that are left may have moves of those that were discarded.
# The first checkpoint after the archived months stays: its chunks have what the archived transactions have led to.
DISCARD_ARCHIVED_CHECKPOINTS = text("DELETE FROM checkpoints WHERE as_of < CAST(:until AS timestamptz)")
COUNT_AGAIN = text(
    """
    UPDATE checkpoints c SET transactions = (
        SELECT count(*) FROM score_transactions t
        WHERE t.category_id = c.category_id AND t.delta <> 0 AND t.created_at <= c.as_of
          AND (t.created_at, t.user_id) <= (c.as_of, c.through_user)
    )
    WHERE (category_id, as_of, through_user) IN (
        SELECT DISTINCT ON (category_id) category_id, as_of, through_user FROM checkpoints
        ORDER BY category_id, as_of, through_user
    )
    """
)
DISCARD_MOVES = text(
    """
    DELETE FROM checkpoint_moves m
    USING (
        SELECT number, chunks FROM checkpoints WHERE category_id = :category
        ORDER BY as_of DESC, through_user DESC LIMIT 1
    ) last
    WHERE m.chunk_id = ANY(last.chunks) AND m.number > last.number
    """
)
# A new checkpoint has a higher number than a discarded one, and never the chunks of that.
DELETE_UNUSED_CHUNKS = text(
    """
    DELETE FROM checkpoint_chunks WHERE id IN (
        SELECT k.id FROM checkpoint_chunks k
        WHERE k.category_id = :category
          AND NOT EXISTS (SELECT FROM checkpoints c WHERE c.category_id = :category AND c.number = k.number)
        LIMIT :limit
    )
    """
)
# Complete up to the last checkpoint. Those that follow append to it.
STORE_HIDDEN_USERS = text(
    """
    INSERT INTO hidden_user_scores (category_id, user_id, times, scores)
    SELECT CAST(:category AS varchar), u.id, coalesce(s.times, '{}'), coalesce(s.scores, '{}')
    FROM (
        SELECT id FROM users u WHERE hidden_at IS NOT NULL AND NOT EXISTS (
            SELECT FROM hidden_user_scores h WHERE h.category_id = :category AND h.user_id = u.id
        ) LIMIT :limit
    ) u
    CROSS JOIN LATERAL (
        SELECT array_agg(reached_at ORDER BY reached_at, seq) AS times,
               array_agg(score ORDER BY reached_at, seq) AS scores
        FROM (
            SELECT t.created_at AS reached_at, t.seq, CAST(t.score AS bigint) AS score FROM score_transactions t
            WHERE t.user_id = u.id AND t.category_id = :category AND t.delta <> 0
              AND t.created_at <= CAST(:as_of AS timestamptz)
              AND (t.created_at < CAST(:as_of AS timestamptz) OR t.user_id <= CAST(:through_user AS uuid))
            UNION ALL
            SELECT a.reached_at, 0, a.delta FROM archived_totals a
            WHERE a.user_id = u.id AND a.category_id = :category AND a.reached_at IS NOT NULL
        ) states
    ) s
    """
)
DELETE_VISIBLE_USERS = text(
    """
    DELETE FROM hidden_user_scores h
    WHERE h.category_id = :category AND NOT EXISTS (
        SELECT FROM users u WHERE u.id = h.user_id AND u.hidden_at IS NOT NULL
    )
    """
)
DELETE_HIDDEN_USERS = text("DELETE FROM hidden_user_scores WHERE category_id = :category")
LOCK_CHECKPOINTS = text("SELECT pg_advisory_xact_lock(:lock, hashtext(:category))")
NEXT_NUMBER = text("SELECT nextval(pg_get_serial_sequence('checkpoints', 'number'))")


@dataclass(frozen=True, slots=True)
class ChunkLimits:
    """When chunks are stored anew. Two neighbours with fewer than half of `size` users in all are joined.

    Attributes:
        size: About how many users a new chunk has; one with more than twice as many is divided.
        max_moves: A chunk with more moves is stored anew.
    """

    size: int
    max_moves: int


@dataclass(frozen=True, slots=True)
class End:
    """The end of a checkpoint: all transactions before `at`, and those at it of users up to `user`."""

    at: datetime
    user: UUID


BEGINNING = End(_BEFORE_ALL, _FIRST_USER)
"""The end of a checkpoint without transactions."""


async def read_past_slices(
    connection: AsyncConnection, board: Board, ranges: Sequence[tuple[int, int]]
) -> tuple[list[BoardSlice], int]:
    """Read the slices with these offsets and limits of a past board, and the number of visible users."""
    wanted = {"offsets": [offset for offset, _ in ranges], "limits": [limit for _, limit in ranges]}
    rows = (await connection.execute(PAST_ROWS, _named(board) | wanted)).all()
    ranked = {row.rank: row for row in rows if row.rank is not None}
    above = {row.rank: int(row.above) for row in rows if row.above is not None}
    through = {row.rank: int(row.through) for row in rows if row.through is not None}
    slices = []
    for offset, limit in ranges:
        found = [ranked[rank] for rank in range(offset + 1, offset + limit + 1) if rank in ranked]
        tied = (above[found[0].rank], through[found[-1].rank]) if found else (0, 0)
        slices.append(BoardSlice(offset, *tied, [BoardRow(row.user_id, row.score, row.reached_at) for row in found]))
    return slices, int(rows[0].total)


async def read_past_standings(
    connection: AsyncConnection, board: Board, users: Sequence[UUID]
) -> tuple[list[BoardSlice | None], int]:
    """Read each user's row as a slice of one, None for a user who is not visible, and the number of visible users."""
    rows = await connection.execute(PAST_STATES, _named(board) | {"users": list(users)})
    states = {row.user_id: row for row in rows}
    positions = [
        position
        for state in states.values()
        for position in (
            _first(state.sort_key), Position(state.sort_key, state.reached_at, state.user_id), _last(state.sort_key)
        )
    ]  # fmt: skip
    counts, total = await count_before_past(connection, board, positions)
    slices = {
        state.user_id: BoardSlice(offset, above, through, [BoardRow(state.user_id, state.score, state.reached_at)])
        for state, above, offset, through in zip(
            states.values(), counts[::3], counts[1::3], counts[2::3], strict=True
        )
    }  # fmt: skip
    return [slices.get(user) for user in users], total


async def count_before_past(
    connection: AsyncConnection, board: Board, positions: Sequence[Position], *, through: bool = False
) -> tuple[list[int], int]:
    """Count the users before each position, with `through` also one at it; return also the number of visible users."""
    wanted = {
        "keys": [position.sort_key for position in positions],
        "times": [position.reached_at for position in positions],
        "users": [position.user_id for position in positions],
        "through": [through] * len(positions),
    }
    rows = (await connection.execute(PAST_COUNTS, _named(board) | wanted)).all()
    return [int(row.users) for row in rows if row.users is not None], int(rows[0].total)


async def read_last_end(connection: AsyncConnection, category: str, before: datetime = _AFTER_ALL) -> End:
    """Return the end of the last checkpoint of a category that ends before `before`; BEGINNING if there is none."""
    row = (await connection.execute(LAST_CHECKPOINT, {"category": category, "before": before})).one_or_none()
    return BEGINNING if row is None else End(row.as_of, row.through_user)


async def find_next_end(
    connection: AsyncConnection, category: str, last: End, step: int, until: datetime
) -> End | None:  # fmt: skip
    """Return where the next checkpoint ends; None while there are fewer than `step` transactions before `until`."""
    named = {"category": category, "as_of": last.at, "through_user": last.user, "step": step, "until": until}
    row = (await connection.execute(NEXT_END, named)).one_or_none()
    return None if row is None else End(row.created_at, row.user_id)


async def count_transactions(connection: AsyncConnection, category: str, after: End, end: End) -> int:
    """Count the transactions between two ends that changed a score."""
    named = {
        "category": category, "after": after.at, "after_user": after.user, "as_of": end.at, "through_user": end.user
    }  # fmt: skip
    counted: int = (await connection.execute(COUNT_TRANSACTIONS, named)).scalar_one()
    return counted


async def store_checkpoint(
    connection: AsyncConnection, category: str, last: End, end: End, limits: ChunkLimits
) -> None:
    """Store the checkpoint that ends at `end`, which follows the one at `last`."""
    number = (await connection.execute(NEXT_NUMBER)).scalar_one()
    named = {
        "category": category,
        "as_of": end.at,
        "through_user": end.user,
        "number": number,
        "transactions": await count_transactions(connection, category, last, end),
        "size": limits.size,
        "max_size": 2 * limits.size,
        "max_moves": limits.max_moves,
        "min_neighbours": limits.size // 2,
    }
    await connection.execute(STORE_CHECKPOINT, named)


async def store_hidden_users(connection: AsyncConnection, category: str, last: End, limit: int) -> int:
    """Store the scores of up to `limit` users who were hidden, up to the last checkpoint, and delete those of others.

    Returns:
        How many users were stored.
    """
    await connection.execute(DELETE_VISIBLE_USERS, {"category": category})
    named = {"category": category, "as_of": last.at, "through_user": last.user, "limit": limit}
    return (await connection.execute(STORE_HIDDEN_USERS, named)).rowcount


async def lock_checkpoints(connection: AsyncConnection, category: str) -> None:
    """Wait until no other transaction changes the checkpoints of a category, and hold that until the end of this one.

    A transaction that adds to the ledger with times in the past holds it too, so that no checkpoint misses them.
    """
    lock = int(AdvisoryLock.CHECKPOINTS) % 2**31
    await connection.execute(LOCK_CHECKPOINTS, {"lock": lock, "category": category})


async def read_ends(
    connection: AsyncConnection, category: str, after: End, limit: int
) -> Sequence[tuple[End, int]]:  # fmt: skip
    """Read the first ends after `after`, each with the number of transactions since the one before."""
    named = {"category": category, "as_of": after.at, "through_user": after.user, "limit": limit}
    rows = await connection.execute(CHECKPOINT_ENDS, named)
    return [(End(row.as_of, row.through_user), row.transactions) for row in rows]


async def discard_checkpoints(connection: AsyncConnection, category: str, after: End) -> None:
    """Discard the checkpoints of a category that end after `after`: they are not what the ledger says."""
    named = {"category": category, "as_of": after.at, "through_user": after.user}
    discarded = await connection.execute(DISCARD_CHECKPOINTS, named)
    if discarded.rowcount:
        await connection.execute(DISCARD_MOVES, {"category": category})
        await connection.execute(DELETE_HIDDEN_USERS, {"category": category})


async def discard_checkpoints_from(connection: AsyncConnection, category: str, at: datetime) -> None:
    """Discard what transactions at `at` or later, which this database transaction adds, make out of date."""
    await lock_checkpoints(connection, category)
    last = await read_last_end(connection, category, before=at)
    await discard_checkpoints(connection, category, last)


async def keep_checkpoints_from(connection: AsyncConnection, until: datetime) -> None:
    """Discard the checkpoints before `until`, whose transactions are not in the database any more."""
    await connection.execute(DISCARD_ARCHIVED_CHECKPOINTS, {"until": until})
    await connection.execute(COUNT_AGAIN)


async def delete_unused_chunks(connection: AsyncConnection, category: str, limit: int) -> None:
    """Delete up to `limit` chunks that only discarded checkpoints had."""
    await connection.execute(DELETE_UNUSED_CHUNKS, {"category": category, "limit": limit})


def _first(sort_key: int) -> Position:
    return Position(sort_key, _BEFORE_ALL, _FIRST_USER)


def _last(sort_key: int) -> Position:
    return Position(sort_key, _AFTER_ALL, LAST_USER)


def _named(board: Board) -> dict[str, Any]:
    return {"category": board.category, "as_of": board.as_of, "through_user": LAST_USER}
