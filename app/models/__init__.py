"""Tables, and the SQL statements about them. Importing this package registers every table on `Base.metadata`."""

from app.models.action_tokens import ActionToken
from app.models.anchors import AnchoredHead, LedgerAnchor
from app.models.base import Base
from app.models.catalogue import Action, Category
from app.models.catalogue_changes import CatalogueChange
from app.models.closings import ClosingScore, WindowClosing
from app.models.flags import Flag
from app.models.milestones import ReachedMilestone
from app.models.scores import Score
from app.models.signing_sessions import SigningSession
from app.models.transactions import ScoreTransaction
from app.models.users import User

__all__ = [
    "Action",
    "ActionToken",
    "AnchoredHead",
    "Base",
    "CatalogueChange",
    "Category",
    "ClosingScore",
    "Flag",
    "LedgerAnchor",
    "ReachedMilestone",
    "Score",
    "ScoreTransaction",
    "SigningSession",
    "User",
    "WindowClosing",
]
