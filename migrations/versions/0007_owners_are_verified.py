"""Who owns a transaction or a token is seen to by the statement that writes it, and by `verify`.

Revision: 0007
Follows: 0006
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_constraint(op.f("fk_score_transactions_category_id"), "score_transactions", type_="foreignkey")
    op.drop_constraint(op.f("fk_score_transactions_user_id"), "score_transactions", type_="foreignkey")
    op.drop_constraint(op.f("fk_action_tokens_user_id"), "action_tokens", type_="foreignkey")


def downgrade() -> None:
    op.create_foreign_key(op.f("fk_action_tokens_user_id"), "action_tokens", "users", ["user_id"], ["id"])
    op.create_foreign_key(op.f("fk_score_transactions_user_id"), "score_transactions", "users", ["user_id"], ["id"])
    op.create_foreign_key(
        op.f("fk_score_transactions_category_id"), "score_transactions", "categories", ["category_id"], ["id"]
    )
