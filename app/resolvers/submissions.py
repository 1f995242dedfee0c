"""Submissions: action tokens, signed actions, and actions that a game's back end records."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import strawberry

from app.context import Context
from app.domain.errors import BadUserInput, InvalidSignature, Refusal
from app.domain.ids import parse_client_id, parse_id
from app.domain.ledger.receipts import Receipt
from app.domain.rate_limits import Activity
from app.domain.rules.signed_actions import SignedAction
from app.domain.users import MAX_SUBJECT_LENGTH, Role
from app.resolvers.arguments import Info
from app.resolvers.outcomes import outcome_of
from app.schema import lookups
from app.schema.catalogue.catalogue import Action
from app.schema.ledger.receipts import ScoreAccepted
from app.schema.submissions.action_tokens import (
    ActionTokenIssued,
    IssueActionTokenInput,
    IssueActionTokenResult,
    SubmitScoreInput,
    SubmitScoreResult,
)
from app.schema.submissions.signed_actions import (
    RecordActionInput,
    RecordActionResult,
    SigningSession,
    SubmitSignedActionInput,
    SubmitSignedActionResult,
)
from app.services.submissions.record_action import ActionReport


@strawberry.type
class SubmissionMutationFields:
    """Submissions of completed actions."""

    @strawberry.mutation(
        description=(
            "Request an action token. Call this before the action starts; submit the token with `submitScore` "
            "when the action is completed. Requires an access token."
        ),
        metadata={"activity": Activity.ISSUE},
    )
    async def issue_action_token(
        self,
        info: Info,
        input: Annotated[IssueActionTokenInput, strawberry.argument(description="The action that is about to start.")],
    ) -> IssueActionTokenResult:
        """Issue an action token."""
        services, caller = info.context.services, info.context.require_caller()
        issued = await services.issue_token(caller, input.action_type, input.difficulty, input.metadata)
        return ActionTokenIssued(
            action_token=issued.token,
            score_value=issued.points,
            issued_at=issued.issued_at,
            expires_at=issued.expires_at,
            action=Action.of(issued.action, services.catalogue.current.category(issued.action.category)),
        )

    @strawberry.mutation(
        description=(
            "Submit the action token of a completed action and receive its points. A token pays exactly once: "
            "submitting it again is safe and returns `ActionTokenUsed` with the first receipt. Requires the "
            "access token of the user to whom the action token was issued."
        ),
        metadata={"activity": Activity.SUBMIT},
    )
    async def submit_score(
        self,
        info: Info,
        input: Annotated[
            SubmitScoreInput,
            strawberry.argument(description="The action token and optional data about the completion."),
        ],
    ) -> SubmitScoreResult:
        """Submit an action token."""
        context = info.context
        receipt = await context.services.submit_score(
            context.require_caller(),
            input.action_token,
            input.data,
            address=context.address,
            user_agent=context.user_agent,
        )
        return ScoreAccepted.of(receipt, context.require_caller())

    @strawberry.mutation(
        description=(
            "Open a signing session, for clients that cannot request an action token before each action: the "
            "client signs its actions with the secret of the session. The number of sessions per user is "
            "limited; opening another one closes the oldest. Requires an access token."
        ),
        metadata={"activity": Activity.ISSUE},
    )
    async def open_signing_session(self, info: Info) -> SigningSession:
        """Open a signing session."""
        opened = await info.context.services.signing_sessions.open(info.context.require_caller())
        return SigningSession(
            key_id=strawberry.ID(str(opened.key_id)), secret=opened.secret, expires_at=opened.expires_at
        )

    @strawberry.mutation(
        description=(
            "Submit an action that was signed in a signing session and receive its points, exactly once per "
            "`actionId`. Requires the access token of the user who opened the session."
        ),
        metadata={"activity": Activity.SUBMIT},
    )
    async def submit_signed_action(
        self,
        info: Info,
        input: Annotated[
            SubmitSignedActionInput, strawberry.argument(description="The completed action and its signature.")
        ],
    ) -> SubmitSignedActionResult:
        """Submit a signed action."""
        context = info.context
        receipt = await context.services.submit_signed_action(
            context.require_caller(),
            _signed_action(input),
            input.signature,
            input.data,
            address=context.address,
            user_agent=context.user_agent,
        )
        return ScoreAccepted.of(receipt, context.require_caller())

    @strawberry.mutation(
        description=(
            "Record a completed action for a user, from a game's back end. A user who is new to the service "
            "needs a `username`. Requires an access token with the role `server`."
        ),
        metadata={"activity": Activity.QUERY},
    )
    async def record_action(
        self,
        info: Info,
        input: Annotated[
            RecordActionInput, strawberry.argument(description="The user, the action, and an idempotency key.")
        ],
    ) -> RecordActionResult:
        """Record an action."""
        context = info.context
        server = context.require_role(Role.SERVER)
        receipt = await context.services.record_actions.record(
            server, _report(context, input), address=context.address, user_agent=context.user_agent
        )
        return ScoreAccepted.of(receipt, server)

    @strawberry.mutation(
        description=(
            "Record up to 100 completed actions of any users, from a game's back end, in one commit where possible. "
            "Each is as with `recordAction` and does not affect the others: the results are in the order of the "
            "inputs, and an input that cannot be recorded has a null result and an error whose `path` ends with its "
            "index. Actions of the same user are recorded in the order of the inputs. Requires an access token with "
            "the role `server`."
        ),
        metadata={"activity": Activity.QUERY, "lookups": lookups.reports},
    )
    async def record_actions(
        self,
        info: Info,
        inputs: Annotated[
            list[RecordActionInput],
            strawberry.argument(description="The actions, each with an idempotency key of its own: at most 100."),
        ],
    ) -> list[RecordActionResult | None]:
        """Record many actions."""
        context = info.context
        server = context.require_role(Role.SERVER)
        outcomes = await context.services.record_actions.record_all(
            server,
            [_readable_report(context, input) for input in inputs],
            address=context.address,
            user_agent=context.user_agent,
        )
        # An exception as a member of a list becomes its error; refusals are results.
        results: list[Any] = [
            ScoreAccepted.of(outcome, server)
            if isinstance(outcome, Receipt)
            else outcome_of(outcome, server)
            if isinstance(outcome, Refusal)
            else outcome
            for outcome in outcomes
        ]
        return results


def _report(context: Context, input: RecordActionInput) -> ActionReport:
    """Read the report of a back end. Raises BadUserInput."""
    return ActionReport(
        user_id=_user_id(context, input),
        action_type=input.action_type,
        idempotency_key=input.idempotency_key,
        difficulty=input.difficulty,
        value=input.value,
        username=input.username,
        reason=input.reason,
        metadata=input.metadata,
    )


def _readable_report(context: Context, input: RecordActionInput) -> ActionReport | BadUserInput:
    """Return the report of a back end, or the error of one that cannot be read."""
    try:
        return _report(context, input)
    except BadUserInput as error:
        return error


def _signed_action(input: SubmitSignedActionInput) -> SignedAction:
    """Parse the signed fields. Raises BadUserInput, or InvalidSignature for a key that cannot exist."""
    if input.timestamp.tzinfo is None:
        raise BadUserInput("`timestamp` must have a time zone.")
    return SignedAction(
        parse_client_id("keyId", input.key_id, InvalidSignature()),
        parse_client_id("actionId", input.action_id),
        input.action_type,
        input.difficulty,
        input.timestamp,
        ids_as_sent=(str(input.key_id), str(input.action_id)),
    )


def _user_id(context: Context, input: RecordActionInput) -> UUID:
    if isinstance(input.user.id, str):
        return parse_id("id", input.user.id)
    subject = input.user.subject or ""
    if not 0 < len(subject) <= MAX_SUBJECT_LENGTH:
        raise BadUserInput(f"`subject` must have 1 to {MAX_SUBJECT_LENGTH} characters.")
    return context.services.subject_ids.user_id(subject)
