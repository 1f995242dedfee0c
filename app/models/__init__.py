"""Tables, and the SQL statements about them. Importing this package registers every table on `Base.metadata`."""

from app.models.action_tokens import ActionToken
from app.models.base import Base
from app.models.catalogue import Action, Category
from app.models.scores import Score
from app.models.transactions import ScoreTransaction
from app.models.users import User

__all__ = ["Action", "ActionToken", "Base", "Category", "Score", "ScoreTransaction", "User"]
