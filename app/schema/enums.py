"""The enums of the domain, with a description of every value."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

from app.domain.boards.board import Source, UpdateKind
from app.domain.boards.movement import Since
from app.domain.boards.periods import Period
from app.domain.catalogue.catalogue import ActionKind, Operator, SortOrder
from app.domain.catalogue.changes import CatalogueSubject
from app.domain.events.endpoint import EndpointState as EventEndpointState
from app.domain.ledger.activity import Verdict
from app.domain.ledger.transactions import Kind as TransactionKind
from app.domain.players.milestones import MilestoneKind
from app.domain.players.score_history import Step, Trend
from app.domain.rate_limits import Activity
from app.domain.rules.flags import FlagStatus
from app.domain.rules.fraud import FraudRule
from app.domain.scores import ScoreFormatKind
from app.domain.users import Role
from app.error_codes import ErrorCode

E = TypeVar("E", bound=Enum)


def _publish(enum: type[E], description: str, values: Mapping[E, str], name: str | None = None) -> None:
    """Make `enum` usable in the schema, as `name` there. Raises KeyError when a value has no description."""
    strawberry.enum(enum, name=name, description=description)
    definition: StrawberryEnumDefinition = enum.__strawberry_definition__  # type: ignore[attr-defined]
    for value in definition.values:
        value.description = values[enum[value.name]]


_publish(
    Period,
    "The time span over which a board collects scores. Days, weeks and months are in UTC and include their start, "
    "not their end.",
    {
        Period.ALL_TIME: "All time: the board never starts again.",
        Period.DAILY: "One day, from midnight to midnight UTC.",
        Period.WEEKLY: "One week, from Monday to Monday at midnight UTC.",
        Period.MONTHLY: "One calendar month, from its first day to the first day of the next at midnight UTC.",
    },
)
_publish(
    SortOrder,
    "Whether high or low scores are better.",
    {
        SortOrder.HIGH_FIRST: "The highest score is the best, as with points.",
        SortOrder.LOW_FIRST: "The lowest score is the best, as with times.",
    },
)
_publish(
    Operator,
    "How the points of a completed action change the score.",
    {
        Operator.SUM: "The points are added to the score.",
        Operator.BEST: "The points replace the score if they are better.",
        Operator.LATEST: "The points replace the score in any case.",
    },
)
_publish(
    ScoreFormatKind,
    "What the whole number of a score counts.",
    {
        ScoreFormatKind.INTEGER: "Whole units, such as points: 12345 is written `12,345`.",
        ScoreFormatKind.DECIMAL: "Fractions of a unit: 12345 is written `123.45` with two `digits`.",
        ScoreFormatKind.DURATION_MS: "Milliseconds: 83250 is written `1:23.250`, and 3723004 `1:02:03.004`.",
    },
)
_publish(
    ActionKind,
    "Who decides what a completion of an action is worth.",
    {
        ActionKind.FIXED: "The catalogue: the action pays its `points`, or those of a difficulty.",
        ActionKind.STATED: (
            "The game: its back end or its verifier states a value for each completion, for example a time or a high "
            "score. Players never do."
        ),
    },
)
_publish(
    CatalogueSubject,
    "The kind of object that a catalogue change is about.",
    {
        CatalogueSubject.CATEGORY: "A category was created or changed.",
        CatalogueSubject.ACTION: "An action was created or changed.",
    },
)
_publish(
    Role,
    "What a caller is allowed to do, taken from the access token.",
    {
        Role.PLAYER: "Can submit actions of their own. The default.",
        Role.SERVER: "A game's back end: can record actions for any user.",
        Role.MODERATOR: "Can correct scores, review flags, hide users and change the catalogue.",
    },
)
_publish(
    Source,
    "The data store that answered. The order of entries is the same for all.",
    {
        Source.MEMORY: "The memory of the answering process, which live updates keep current.",
        Source.REDIS: "Redis, which holds the boards of current and recent windows.",
        Source.POSTGRES: "PostgreSQL, which is used if Redis is unavailable or no longer holds the window.",
    },
)
_publish(
    Activity,
    "A kind of operation that has a rate limit of its own.",
    {
        Activity.ISSUE: "Requesting an action token or opening a signing session.",
        Activity.SUBMIT: "Submitting a completed action, with a token or a signature.",
        Activity.QUERY: "All other fields, including the start of a subscription.",
    },
)
_publish(
    UpdateKind,
    "The kind of a subscription message.",
    {
        UpdateKind.SNAPSHOT: "The current state. It replaces everything received before.",
        UpdateKind.UPDATE: "The state after a change, together with the changes.",
    },
)
_publish(
    MilestoneKind,
    "The kind of achievement. All refer to the all-time board of a category.",
    {
        MilestoneKind.SCORE: "The user reached a score of 100, 500, 1 000, 5 000 or 10 000.",
        MilestoneKind.TOP_TEN: "The user reached rank 10 or better.",
        MilestoneKind.FIRST_PLACE: "The user reached rank 1.",
    },
)
_publish(
    Since,
    "The end of which window ranks are compared with. Windows are in UTC.",
    {
        Since.PREVIOUS_DAY: "The end of yesterday.",
        Since.PREVIOUS_WEEK: "The end of the last week, which is Sunday at midnight.",
        Since.PREVIOUS_MONTH: "The end of the last calendar month.",
    },
)
_publish(
    TransactionKind,
    "What caused an entry in a user's ledger.",
    {
        TransactionKind.ACTION: "The user submitted an action token.",
        TransactionKind.SIGNED_ACTION: "The user submitted an action that was signed in a signing session.",
        TransactionKind.SERVER_ACTION: "The game's back end recorded an action for the user.",
        TransactionKind.HELD: "An action was held for review: `points` is set, `delta` is 0.",
        TransactionKind.RELEASE: "A moderator released a held action, and its points were added.",
        TransactionKind.REJECTION: "A moderator rejected a held action; no points were added.",
        TransactionKind.ADJUSTMENT: "A moderator adjusted the score.",
        TransactionKind.REVERSAL: "A moderator reversed another transaction.",
        TransactionKind.HIDING: "A moderator hid the user from all boards.",
        TransactionKind.UNHIDING: "A moderator made the user visible on the boards again.",
        TransactionKind.METADATA_REMOVAL: "A moderator removed the metadata of the user's entries in the category.",
        TransactionKind.OPENING: "The user's score was imported from another system.",
        TransactionKind.DELETION: "A moderator deleted the user.",
    },
    name="TransactionKind",
)
_publish(
    Step,
    "The length of the intervals of a history, in UTC.",
    {
        Step.HOUR: "One hour, beginning at the full hour.",
        Step.DAY: "One day, beginning at midnight UTC.",
        Step.WEEK: "One week, beginning on Monday at midnight UTC.",
    },
)
_publish(
    Trend,
    "How a score changed between the start and the end of a history.",
    {
        Trend.INCREASING: "The score is higher at the end than at the start.",
        Trend.FLAT: "The score is the same at the end as at the start.",
        Trend.DECREASING: "The score is lower at the end than at the start, for example after a correction.",
    },
)
_publish(
    ErrorCode,
    "A stable, machine-readable error code: `code` of a `UserError`, or `extensions.code` of a GraphQL error.",
    {
        ErrorCode.INVALID_ACTION_TOKEN: "The action token is malformed, has a wrong signature, or is unknown.",
        ErrorCode.ACTION_TOKEN_EXPIRED: "The action token has expired. Request a new one.",
        ErrorCode.ACTION_TOKEN_USED: "The action token was submitted before and has paid already.",
        ErrorCode.ACTION_TOKEN_NOT_YOURS: "The action token was issued to another user.",
        ErrorCode.INVALID_ACTION: "The action or difficulty does not exist, or the action is switched off.",
        ErrorCode.SERVER_ONLY_ACTION: "Only the game's back end can report the action, by `recordAction`.",
        ErrorCode.ALREADY_COMPLETED: "The action pays only once per user, and this user has completed it before.",
        ErrorCode.COOLDOWN_ACTIVE: "The user completed the action too recently. Wait `retryAfter` seconds.",
        ErrorCode.DAILY_LIMIT_REACHED: "The daily limit of the action is reached. Wait `retryAfter` seconds.",
        ErrorCode.TOO_EARLY: "The action takes longer than the time since the token. Wait `retryAfter` seconds.",
        ErrorCode.INVALID_SIGNATURE: "The signature does not match the action, or its key is not valid.",
        ErrorCode.STALE_TIMESTAMP: "The timestamp differs from the server's clock by more than five minutes.",
        ErrorCode.DUPLICATE_ACTION: "The `actionId` was submitted before and has paid already.",
        ErrorCode.SCORE_CAP_REACHED: "The user's score in the category is at its maximum.",
        ErrorCode.VERIFICATION_FAILED: "The game could not confirm that the action was completed.",
        ErrorCode.UNDER_REVIEW: "The completion was recorded but is held until a moderator has reviewed it.",
        ErrorCode.UNAUTHENTICATED: (
            "The access token is missing or not valid. `extensions.reason` is TOKEN_EXPIRED if it has expired: "
            "refresh it and repeat the request."
        ),
        ErrorCode.FORBIDDEN: "The caller's role does not allow the operation.",
        ErrorCode.USER_NOT_FOUND: "No user with this id exists.",
        ErrorCode.CATEGORY_NOT_FOUND: "No category with this id exists.",
        ErrorCode.RATE_LIMITED: "A rate limit was exceeded. Wait `extensions.retryAfter` seconds.",
        ErrorCode.BAD_USER_INPUT: "An argument is not valid. The message states what is required.",
        ErrorCode.SERVICE_UNAVAILABLE: (
            "A data store is temporarily unavailable. Nothing was changed; repeat the request after "
            "`extensions.retryAfter` seconds."
        ),
        ErrorCode.INTERNAL_SERVER_ERROR: "An unexpected error in the service. Report its `extensions.errorId`.",
        ErrorCode.GRAPHQL_PARSE_FAILED: "The document is not valid GraphQL syntax.",
        ErrorCode.GRAPHQL_VALIDATION_FAILED: "The document does not fit the schema.",
        ErrorCode.QUERY_TOO_COMPLEX: "The document exceeds a limit, which the message states.",
        ErrorCode.BAD_REQUEST: "The request is not a well-formed GraphQL request.",
        ErrorCode.PERSISTED_QUERY_NOT_FOUND: "No document is stored under this hash. Send the document with its hash.",
        ErrorCode.PERSISTED_QUERY_NOT_SUPPORTED: "Persisted documents are switched off. Send the document.",
        ErrorCode.PERSISTED_QUERY_HASH_MISMATCH: "The hash does not belong to the document.",
        ErrorCode.PERSISTED_QUERY_NOT_IN_LIST: "The document id is not in the list of trusted documents.",
        ErrorCode.QUERY_NOT_IN_SAFELIST: "The document is not in the list of trusted documents.",
    },
)

_publish(
    FlagStatus,
    "The state of the review of a flagged completion.",
    {
        FlagStatus.OPEN: "No moderator has decided yet.",
        FlagStatus.RELEASED: "A moderator found the completion legitimate. Held points were added.",
        FlagStatus.REJECTED: "A moderator rejected the completion. Held points were not added; paid points were taken "
        "back.",
    },
)
_publish(
    FraudRule,
    "A fraud rule: a kind of behaviour that people do not show.",
    {
        FraudRule.VELOCITY: "More completions per minute than people can make.",
        FraudRule.EVEN_SPACING: "Completions as evenly spaced as those of a program.",
        FraudRule.TOO_FAST: "Completions of one action at shorter intervals than it takes.",
        FraudRule.SUDDEN_SPIKE: "A player who is suddenly many times as fast as before.",
        FraudRule.CROWDED_ADDRESS: "Many accounts behind one network address.",
    },
)
_publish(
    Verdict,
    "How the fraud rules judged a completion.",
    {
        Verdict.ACCEPT: "The completion was not suspicious.",
        Verdict.FLAG: "The completion was suspicious but was paid. Further completions of the user are verified.",
        Verdict.HOLD: "The completion was so suspicious that its points are held until a moderator releases them.",
    },
)
_publish(
    EventEndpointState,
    "Whether deliveries are made to an endpoint of events.",
    {
        EventEndpointState.ACTIVE: "Events are delivered as they happen.",
        EventEndpointState.PAUSED: "Deliveries have failed one after the other. From time to time one is tried.",
        EventEndpointState.DISABLED: "Nothing is tried until a moderator resumes it. Events are kept meanwhile.",
    },
    "EventEndpointState",
)

__all__ = [
    "ActionKind",
    "Activity",
    "CatalogueSubject",
    "ErrorCode",
    "EventEndpointState",
    "FlagStatus",
    "FraudRule",
    "MilestoneKind",
    "Operator",
    "Period",
    "Role",
    "ScoreFormatKind",
    "Since",
    "SortOrder",
    "Source",
    "Step",
    "TransactionKind",
    "Trend",
    "UpdateKind",
    "Verdict",
]
