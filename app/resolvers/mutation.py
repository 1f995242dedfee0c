"""The root of all mutations."""

from __future__ import annotations

from typing import Annotated

import strawberry

from app.domain.rate_limits import Activity
from app.resolvers.arguments import Info
from app.resolvers.catalogue import CatalogueMutations
from app.resolvers.moderation import ModerationMutations
from app.resolvers.signed_actions import ReportMutations
from app.schema.catalogue.catalogue import Action
from app.schema.ledger.receipts import ScoreAccepted
from app.schema.submissions.action_tokens import (
    ActionTokenIssued,
    IssueActionTokenInput,
    IssueActionTokenResult,
    SubmitScoreInput,
    SubmitScoreResult,
)


@strawberry.type(
    description=(
        "Operations that change data. A mutation that succeeds has been committed to the database. Outcomes "
        "that a client should handle are members of the result union; other failures are GraphQL errors with "
        "`extensions.code`."
    )
)
class Mutation(ReportMutations, ModerationMutations, CatalogueMutations):
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
        context = info.context
        receipt = await context.services.submit_score(
            context.require_caller(),
            input.action_token,
            input.data,
            address=context.address,
            user_agent=context.user_agent,
        )
        return ScoreAccepted.of(receipt)
