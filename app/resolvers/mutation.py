"""The root of all mutations."""

from __future__ import annotations

from typing import Annotated

import strawberry

from app.resolvers.arguments import Info
from app.resolvers.catalogue import CatalogueMutations
from app.resolvers.moderation import ModerationMutations
from app.resolvers.reports import ReportMutations
from app.schema.catalogue import Action
from app.schema.mutations import (
    ActionTokenIssued,
    IssueActionTokenInput,
    IssueActionTokenResult,
    SubmitScoreInput,
    SubmitScoreResult,
)
from app.schema.receipts import ScoreAccepted


@strawberry.type(
    description="Writing. What is acknowledged is committed; what a client should act on is a type of the result."
)
class Mutation(ReportMutations, ModerationMutations, CatalogueMutations):
    @strawberry.mutation(description="Ask for permission before an action starts. Needs an access token.")
    async def issue_action_token(
        self,
        info: Info,
        input: Annotated[IssueActionTokenInput, strawberry.argument(description="Which action is about to start.")],
    ) -> IssueActionTokenResult:
        app, caller = info.context.app, info.context.require_caller()
        issued = await app.issue_token(caller, input.action_type, input.difficulty, input.metadata)
        return ActionTokenIssued(
            action_token=issued.token,
            score_value=issued.points,
            issued_at=issued.issued_at,
            expires_at=issued.expires_at,
            action=Action.of(issued.action, app.catalogue.current.category(issued.action.category)),
        )

    @strawberry.mutation(
        description=(
            "Turn an action token into points, once. Repeating it is safe: the answer then carries the first receipt. "
            "Needs the access token of the user to whom the action token was issued."
        )
    )
    async def submit_score(
        self,
        info: Info,
        input: Annotated[SubmitScoreInput, strawberry.argument(description="Which action is complete.")],
    ) -> SubmitScoreResult:
        context = info.context
        receipt = await context.app.submit_score(
            context.require_caller(),
            input.action_token,
            input.data,
            address=context.address,
            user_agent=context.user_agent,
        )
        return ScoreAccepted.of(receipt)
