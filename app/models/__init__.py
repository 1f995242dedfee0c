"""Tables and SQL statements. Importing this package registers every table on `Base.metadata`."""

from app.models.tables.action_tokens import ActionToken
from app.models.tables.anchors import AnchoredHead, LedgerAnchor
from app.models.tables.api_keys import ApiKeyRow
from app.models.tables.archived_ledger import ArchivedAction, ArchivedMonth, ArchivedSegment, ArchivedTotal
from app.models.tables.backups import BackupRow
from app.models.tables.base import Base
from app.models.tables.catalogue import Action, Category
from app.models.tables.catalogue_changes import CatalogueChange
from app.models.tables.checkpoints import Checkpoint, CheckpointChunk, CheckpointMove, HiddenUserScores
from app.models.tables.closed_windows import ClosedWindow, ScoreHistogramRow
from app.models.tables.copies import CacheGeneration, MissedWrite
from app.models.tables.entry_metadata import EntryMetadata
from app.models.tables.event_endpoints import EventDelivery, EventEndpoint
from app.models.tables.events import BoardHead, CommittedEvent, EventConsumer, EventSequence, RecordedEvent
from app.models.tables.flags import Flag
from app.models.tables.leases import LeaseRow
from app.models.tables.milestones import ReachedMilestone
from app.models.tables.schema_revisions import SchemaRevision
from app.models.tables.scores import Score
from app.models.tables.signing_sessions import SigningSession
from app.models.tables.transactions import RequestKey, ScoreTransaction, TransactionOrigin
from app.models.tables.users import User

__all__ = [
    "Action",
    "ActionToken",
    "AnchoredHead",
    "ApiKeyRow",
    "ArchivedAction",
    "ArchivedMonth",
    "ArchivedSegment",
    "ArchivedTotal",
    "BackupRow",
    "Base",
    "BoardHead",
    "CacheGeneration",
    "CatalogueChange",
    "Category",
    "Checkpoint",
    "CheckpointChunk",
    "CheckpointMove",
    "ClosedWindow",
    "CommittedEvent",
    "EntryMetadata",
    "EventConsumer",
    "EventDelivery",
    "EventEndpoint",
    "EventSequence",
    "Flag",
    "HiddenUserScores",
    "LeaseRow",
    "LedgerAnchor",
    "MissedWrite",
    "ReachedMilestone",
    "RecordedEvent",
    "RequestKey",
    "SchemaRevision",
    "Score",
    "ScoreHistogramRow",
    "ScoreTransaction",
    "SigningSession",
    "TransactionOrigin",
    "User",
]
