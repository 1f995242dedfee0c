"""The first catalogue: three categories, and the actions every installation starts with.

Revision: 0002
Follows: 0001
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        INSERT INTO categories (id, name, description) VALUES
            ('global', 'Global', 'Everything that is not played in a category of its own.'),
            ('arcade', 'Arcade', 'Fast games.'),
            ('puzzle', 'Puzzle', 'Games of thought.')
        ON CONFLICT DO NOTHING
        """
    )
    op.execute(
        """
        INSERT INTO actions (id, name, description, category_id, points, difficulties, min_duration, daily_limit)
        VALUES
            ('COMPLETE_QUIZ', 'Quiz', 'Finish a quiz.', 'global', 10, '{}', 0, NULL),
            ('COMPLETE_LEVEL', 'Level', 'Clear a level.', 'global', 50, '{}', 0, NULL),
            ('DAILY_LOGIN', 'Daily login', 'Come back each day.', 'global', 5, '{}', 0, 1),
            ('COMPLETE_MISSION', 'Mission', 'Complete a mission.', 'global', 100,
                '{"easy": 25, "normal": 50, "hard": 100}', 0, NULL),
            ('ARCADE_RUN', 'Arcade run', 'Finish a run.', 'arcade', 20, '{}', 0, NULL),
            ('SOLVE_PUZZLE', 'Puzzle', 'Solve a puzzle.', 'puzzle', 30, '{"easy": 10, "hard": 30}', 0, NULL)
        ON CONFLICT DO NOTHING
        """
    )


def downgrade() -> None:
    # Categories and actions that operators made, or that scores refer to, go with their tables in 0001.
    op.execute("DELETE FROM actions")
