"""The root of all mutations."""

from __future__ import annotations

import strawberry

from app.resolvers.catalogue import CatalogueMutationFields
from app.resolvers.events import EventMutationFields
from app.resolvers.moderation import ModerationMutationFields
from app.resolvers.submissions import SubmissionMutationFields


@strawberry.type(
    description=(
        "Operations that change data. A mutation that succeeds has been committed to the database. Outcomes "
        "that a client should handle are members of the result union; other failures are GraphQL errors with "
        "`extensions.code`."
    )
)
class Mutation(SubmissionMutationFields, ModerationMutationFields, CatalogueMutationFields, EventMutationFields):
    """The fields of all mutations."""
