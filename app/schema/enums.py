"""The enums of the domain, made known to the schema with a description of every value."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

from app.domain.boards import Source, UpdateKind
from app.domain.catalogue import Operator, SortOrder
from app.domain.catalogue_changes import CatalogueSubject
from app.domain.errors import ErrorCode
from app.domain.flags import FlagStatus
from app.domain.history import Verdict
from app.domain.limits import Activity
from app.domain.milestones import MilestoneKind
from app.domain.periods import Period
from app.domain.score_history import Step, Trend
from app.domain.transactions import Kind as TransactionKind
from app.domain.users import Role

E = TypeVar("E", bound=Enum)


def _publish(enum: type[E], description: str, values: Mapping[E, str], name: str | None = None) -> None:
    """Make `enum` usable in the schema, as `name` there. Raises KeyError when a value has no description."""
    strawberry.enum(enum, name=name, description=description)
    definition: StrawberryEnumDefinition = enum.__strawberry_definition__  # type: ignore[attr-defined]
    for value in definition.values:
        value.description = values[enum[value.name]]


_publish(
    Period,
    "How long scores add up before a board starts anew. Windows are in UTC and half-open.",
    {
        Period.ALL_TIME: "For ever.",
        Period.DAILY: "From midnight to midnight.",
        Period.WEEKLY: "From Monday to Monday.",
        Period.MONTHLY: "From the first of a month to the first of the next.",
    },
)
_publish(
    SortOrder,
    "Which score leads a board.",
    {SortOrder.HIGH_FIRST: "The highest, as for points.", SortOrder.LOW_FIRST: "The lowest, as for times."},
)
_publish(
    Operator,
    "How an award changes a score.",
    {
        Operator.SUM: "It is added.",
        Operator.BEST: "It replaces a worse score.",
        Operator.LATEST: "It replaces any score.",
    },
)
_publish(
    CatalogueSubject,
    "What a change of the catalogue is about.",
    {CatalogueSubject.CATEGORY: "A category.", CatalogueSubject.ACTION: "An action."},
)
_publish(
    Role,
    "What a caller may do.",
    {
        Role.PLAYER: "Play: claim actions of one's own.",
        Role.SERVER: "Record actions for any player, as a game's back-end.",
        Role.MODERATOR: "Correct, review and hide.",
    },
)
_publish(
    Source,
    "Where a reading of a board came from. All sources give the same order.",
    {
        Source.MEMORY: "The answering process, kept current by the feed of live updates.",
        Source.REDIS: "Redis.",
        Source.POSTGRES: "PostgreSQL: Redis is away, or no longer holds the window.",
    },
)
_publish(
    Activity,
    "What a field of an operation counts as, for rate limits.",
    {
        Activity.ISSUE: "Asking for an action token or a signing session.",
        Activity.SUBMIT: "Submitting an action.",
        Activity.QUERY: "Everything else, the start of a subscription among it.",
    },
)
_publish(
    UpdateKind,
    "What a message of a subscription is.",
    {
        UpdateKind.SNAPSHOT: "The state to begin with; replaces whatever was known.",
        UpdateKind.UPDATE: "The state after a change, with the changes.",
    },
)
_publish(
    MilestoneKind,
    "What a milestone stands for. All are about the all-time board of a category.",
    {
        MilestoneKind.SCORE: "A score of 100, 500, 1 000, 5 000 or 10 000.",
        MilestoneKind.TOP_TEN: "A place among the first ten.",
        MilestoneKind.FIRST_PLACE: "The first place.",
    },
)
_publish(
    TransactionKind,
    "Why there is an entry in a player's ledger.",
    {
        TransactionKind.ACTION: "The player submitted an action token.",
        TransactionKind.SIGNED_ACTION: "The player submitted an action signed within a signing session.",
        TransactionKind.SERVER_ACTION: "The game's back-end recorded an action.",
        TransactionKind.HELD: "An action that waits for a review: it has points and no delta.",
        TransactionKind.RELEASE: "A moderator let a held action count.",
        TransactionKind.REJECTION: "A moderator decided that a held action does not count.",
        TransactionKind.ADJUSTMENT: "A moderator changed the score.",
        TransactionKind.REVERSAL: "A moderator took back what another entry did.",
        TransactionKind.HIDING: "A moderator hid the player from every board.",
        TransactionKind.UNHIDING: "A moderator showed the player again.",
        TransactionKind.OPENING: "The score that the player brought along from another system.",
        TransactionKind.DELETION: "A moderator deleted the player.",
    },
    name="TransactionKind",
)
_publish(
    Step,
    "How far apart the points of a history are. Stretches are in UTC; weeks begin on Monday.",
    {Step.HOUR: "An hour.", Step.DAY: "A day.", Step.WEEK: "A week."},
)
_publish(
    Trend,
    "Where a score went from the beginning to the end of a history.",
    {
        Trend.INCREASING: "It is higher at the end.",
        Trend.FLAT: "It is the same.",
        Trend.DECREASING: "It is lower at the end: corrections, or a category in which the latest score counts.",
    },
)
_publish(
    ErrorCode,
    "The stable, machine-readable name of an error.",
    {
        ErrorCode.INVALID_ACTION_TOKEN: "The action token is malformed, forged or unknown.",
        ErrorCode.ACTION_TOKEN_EXPIRED: "The action token has expired: ask for a new one.",
        ErrorCode.ACTION_TOKEN_USED: "The action token has paid already.",
        ErrorCode.ACTION_TOKEN_NOT_YOURS: "The action token was issued to somebody else.",
        ErrorCode.INVALID_ACTION: "There is no such action or difficulty, or it is switched off.",
        ErrorCode.ALREADY_COMPLETED: "The action pays once, and has paid.",
        ErrorCode.COOLDOWN_ACTIVE: "The action needs a rest: wait `retryAfter` seconds.",
        ErrorCode.DAILY_LIMIT_REACHED: "Enough for today: wait `retryAfter` seconds.",
        ErrorCode.TOO_EARLY: "The action takes longer: wait `retryAfter` seconds.",
        ErrorCode.INVALID_SIGNATURE: "The signature does not match the action.",
        ErrorCode.STALE_TIMESTAMP: "The timestamp is too far from the server's clock.",
        ErrorCode.DUPLICATE_ACTION: "The client's action id was seen before.",
        ErrorCode.SCORE_CAP_REACHED: "The score is at its cap.",
        ErrorCode.VERIFICATION_FAILED: "The game did not confirm the action.",
        ErrorCode.UNDER_REVIEW: "Recorded, and held until a moderator decides.",
        ErrorCode.UNAUTHENTICATED: "No valid access token; `reason: TOKEN_EXPIRED` when it has expired.",
        ErrorCode.FORBIDDEN: "The caller's role does not allow it.",
        ErrorCode.USER_NOT_FOUND: "There is no such user.",
        ErrorCode.CATEGORY_NOT_FOUND: "There is no such category.",
        ErrorCode.RATE_LIMITED: "Over a limit: wait `retryAfter` seconds.",
        ErrorCode.BAD_USER_INPUT: "An argument is out of its range.",
        ErrorCode.SERVICE_UNAVAILABLE: "A store is away: repeat after `retryAfter` seconds.",
        ErrorCode.INTERNAL_SERVER_ERROR: "A fault of the service; quote the `errorId`.",
    },
)

_publish(
    FlagStatus,
    "What became of a flag.",
    {
        FlagStatus.OPEN: "It waits for a moderator.",
        FlagStatus.RELEASED: "Nothing was wrong: what was held counts.",
        FlagStatus.REJECTED: "It was not right: what was held never counts, what was paid is taken back.",
    },
)
_publish(
    Verdict,
    "What the rules against fraud think of a completion.",
    {
        Verdict.ACCEPT: "Nothing is wrong with it.",
        Verdict.FLAG: "It looks wrong, and was paid; the player's completions are verified from now on.",
        Verdict.HOLD: "It looks so wrong that it counts only when a moderator says so.",
    },
)

__all__ = [
    "Activity",
    "CatalogueSubject",
    "ErrorCode",
    "FlagStatus",
    "MilestoneKind",
    "Operator",
    "Period",
    "Role",
    "SortOrder",
    "Source",
    "Step",
    "TransactionKind",
    "Trend",
    "UpdateKind",
    "Verdict",
]
