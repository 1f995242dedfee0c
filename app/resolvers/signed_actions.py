"""Actions that are reported without a token: signed by a client, or by a game's back-end."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import strawberry

from app.context import Context
from app.domain.errors import BadUserInput, InvalidSignature
from app.domain.ids import parse_user_id
from app.domain.rate_limits import Activity
from app.domain.rules.signed_actions import SignedAction
from app.domain.users import Role, user_id_of
from app.resolvers.arguments import Info
from app.schema.ledger.receipts import ScoreAccepted
from app.schema.submissions.action_tokens import SubmitScoreResult
from app.schema.submissions.signed_actions import RecordActionInput, SigningSession, SubmitSignedActionInput
from app.services.submissions.record_action import Report


@strawberry.type
class ReportMutations:
    @strawberry.mutation(
        description=(
            "Open a signing session, for clients that cannot request an action token before each action: the "
            "client signs its actions with the secret of the session. The number of sessions per user is "
            "limited; opening another one closes the oldest. Requires an access token."
        ),
        metadata={"activity": Activity.ISSUE},
    )
    async def open_signing_session(self, info: Info) -> SigningSession:
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
    ) -> SubmitScoreResult:
        context = info.context
        receipt = await context.services.submit_signed_action(
            context.require_caller(),
            _signed(input),
            input.signature,
            input.data,
            address=context.address,
            user_agent=context.user_agent,
        )
        return ScoreAccepted.of(receipt)

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
    ) -> SubmitScoreResult:
        context = info.context
        server = context.require_role(Role.SERVER)
        report = Report(
            user_id=_player(context, input),
            action_type=input.action_type,
            idempotency_key=input.idempotency_key,
            difficulty=input.difficulty,
            username=input.username,
            reason=input.reason,
        )
        receipt = await context.services.record_action(
            server, report, address=context.address, user_agent=context.user_agent
        )
        return ScoreAccepted.of(receipt)


def _signed(input: SubmitSignedActionInput) -> SignedAction:
    """Raises BadUserInput for what cannot be signed at all, InvalidSignature for a key that cannot exist."""
    if input.timestamp.tzinfo is None:
        raise BadUserInput("`timestamp` must have a time zone.")
    try:
        key_id = UUID(input.key_id)
    except ValueError:
        raise InvalidSignature from None
    try:
        action_id = UUID(input.action_id)
    except ValueError:
        raise BadUserInput("`actionId` must be a UUID.") from None
    return SignedAction(key_id, action_id, input.action_type, input.difficulty, input.timestamp)


def _player(context: Context, input: RecordActionInput) -> UUID:
    if (input.user_id is None) == (input.subject is None):
        raise BadUserInput("Exactly one of `userId` and `subject` must be given.")
    if input.user_id is not None:
        return parse_user_id(input.user_id)
    return user_id_of(context.services.jwt_issuer, input.subject or "")
