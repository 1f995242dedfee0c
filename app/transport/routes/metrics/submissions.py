"""Metrics of submissions: action tokens, outcomes, phases, fraud detection, and what happens after the commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.services.submissions.outcome_counts import REPLAYS
from app.telemetry.metrics.registry import Labels, Metric, counter, gauge, histogram
from app.wiring import App


def submission_metrics(app: App) -> Sequence[Metric]:
    """Return the metrics of submissions."""
    outcomes = {
        "action_token": app.submit_score.outcomes,
        "signed_action": app.submit_signed_action.outcomes,
        "server": app.record_actions.outcomes,
    }
    phases = app.ledger.phases | app.after_commit.phases
    award = app.award_service

    def replays() -> Mapping[Labels, float]:
        return {(kind,): sum(counts[outcome] for outcome in REPLAYS) for kind, counts in outcomes.items()}

    return [
        counter(
            "action_token_requests",
            "Requests for action tokens, by outcome: ACCEPTED, or the code of the refusal.",
            lambda: {(outcome,): count for outcome, count in app.issue_token.outcomes.items()},
            "outcome",
        ),
        counter(
            "submissions",
            "Submissions by kind (`action_token`, `signed_action`, or `server` for those of back ends) and outcome: "
            "ACCEPTED, REPEATED for a back end that got its first receipt again, or the code of the refusal.",
            lambda: {(kind, outcome): count for kind, counts in outcomes.items() for outcome, count in counts.items()},
            "kind",
            "outcome",
        ),
        counter(
            "replays", "Submissions of what had been submitted before; none of them is paid again.", replays, "kind"
        ),
        histogram(
            "submission_phase_duration_seconds",
            "Time that a submission spends in each phase, once for each submission: `queue` until its batch starts, "
            "`load` of the accounts, `judge`, `store` with the commit, `put_queue` until its update of Redis starts, "
            "and `put` of that update.",
            lambda: {(phase,): seconds for phase, seconds in phases.items()},
            "phase",
        ),
        histogram("submission_batch_size", "Submissions that share a commit.", lambda: app.ledger.batch_sizes),
        counter(
            "fraud_verdicts",
            "Submissions by the verdict of fraud detection: `accept`, `flag` (paid, and marked for review) or `hold`.",
            lambda: {(verdict,): award.verdicts[verdict] for verdict in ("accept", "flag", "hold")},
            "verdict",
        ),
        counter(
            "fraud_objections",
            "Submissions that a rule of fraud detection objected to.",
            lambda: {(rule,): count for rule, count in award.objections.items()},
            "rule",
        ),
        counter(
            "verifications",
            "Completions that a verifier has `confirmed` or `denied`.",
            lambda: {(result,): award.verifications[result] for result in ("confirmed", "denied")},
            "result",
        ),
        counter(
            "board_index_writes_missed",
            "Postings whose update of Redis failed and was repaired later.",
            lambda: app.after_commit.missed,
        ),
        gauge(
            "board_index_incomplete",
            "Categories that Redis lacks something of, so that their boards are read from PostgreSQL.",
            lambda: len(app.missed_writes.incomplete),
        ),
        counter(
            "board_index_rebuilds",
            "Categories that this process loaded into Redis, by the reason. other_postgresql and lost_transactions: "
            "PostgreSQL lacks what Redis had.",
            lambda: {(reason,): count for reason, count in app.rebuild.rebuilds.items()},
            "reason",
        ),
        counter(
            "reconcile_rows_corrected",
            "Rows that reconciliation wrote to Redis again, because their digests differed.",
            lambda: app.reconcile.rows_corrected,
        ),
        counter(
            "reconcile_strays_removed",
            "Users that reconciliation removed from boards in Redis, because PostgreSQL does not have them.",
            lambda: app.reconcile.strays_removed,
        ),
        counter(
            "reconcile_boards_reloaded",
            "Boards that still differed after all corrections, so that their category was loaded again.",
            lambda: app.reconcile.uncorrected,
        ),
        counter(
            "milestones_dropped",
            "Milestones that were not awarded at once or not announced because the queue was full.",
            lambda: app.milestones.dropped,
        ),
    ]
