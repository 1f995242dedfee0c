"""Series, in the notation of promtool, with which each alert fires, and with which none does.

`0+5x160` is a series that begins at 0 and grows by 5 with each of 160 further samples.
"""

from __future__ import annotations

from collections.abc import Mapping

Series = Mapping[str, str]

ALWAYS = "x160"
"""Samples for 80 minutes, one every 30 seconds."""

FIRING: Mapping[str, Series] = {
    "InstanceDown": {'up{job="leaderboard",instance="a"}': f"0{ALWAYS}"},
    "WorkerDown": {'leaderboard_worker_up{worker="1"}': f"0{ALWAYS}"},
    "EventLoopSlow": {
        'leaderboard_event_loop_lag_seconds_bucket{instance="a",le="0.25"}': f"0+1{ALWAYS}",
        'leaderboard_event_loop_lag_seconds_bucket{instance="a",le="0.5"}': f"0+10{ALWAYS}",
        'leaderboard_event_loop_lag_seconds_bucket{instance="a",le="+Inf"}': f"0+10{ALWAYS}",
    },
    "ClockSkewed": {'leaderboard_clock_skew_seconds{instance="a"}': f"-6{ALWAYS}"},
    "BackgroundWorkFails": {'leaderboard_background_failures_total{work="hub"}': f"0+1{ALWAYS}"},
    "ErrorRateHigh": {
        'leaderboard_operations_total{outcome="ok"}': f"0+98{ALWAYS}",
        'leaderboard_operations_total{outcome="failed"}': f"0+2{ALWAYS}",
    },
    "SubmitSlow": {
        'leaderboard_operation_duration_seconds_bucket{field="submitScore",le="0.5"}': f"0+90{ALWAYS}",
        'leaderboard_operation_duration_seconds_bucket{field="submitScore",le="1.0"}': f"0+100{ALWAYS}",
        'leaderboard_operation_duration_seconds_bucket{field="submitScore",le="+Inf"}': f"0+100{ALWAYS}",
    },
    "ActionTokensRefused": {
        'leaderboard_submissions_total{kind="action_token",outcome="ACCEPTED"}': f"0+90{ALWAYS}",
        'leaderboard_submissions_total{kind="action_token",outcome="ACTION_TOKEN_EXPIRED"}': f"0+10{ALWAYS}",
    },
    "AccessTokensRefused": {
        'leaderboard_access_token_checks_total{credential="access_token",result="accepted"}': f"0+90{ALWAYS}",
        'leaderboard_access_token_checks_total{credential="access_token",result="refused"}': f"0+10{ALWAYS}",
    },
    "SuspiciousSubmissions": {
        'leaderboard_fraud_verdicts_total{verdict="flag"}': f"0+0.05{ALWAYS}",
        'leaderboard_fraud_verdicts_total{verdict="hold"}': f"0+0.05{ALWAYS}",
    },
    "LimitsBreached": {'leaderboard_limit_refusals_total{limit="user-submit"}': f"0+200{ALWAYS}"},
    "CacheHitsLow": {
        'leaderboard_cache_requests_total{cache="board_heads",result="hit"}': f"0+70{ALWAYS}",
        'leaderboard_cache_requests_total{cache="board_heads",result="miss"}': f"0+30{ALWAYS}",
    },
    "SocketsNearLimit": {
        'leaderboard_sockets{instance="a"}': f"8500{ALWAYS}",
        'leaderboard_socket_limit{instance="a"}': f"10000{ALWAYS}",
    },
    "SocketsDropped": {'leaderboard_sockets_closed_total{code="1013"}': f"0+60{ALWAYS}"},
    "StoreUnavailable": {'leaderboard_store_circuit_open{store="postgres"}': f"1{ALWAYS}"},
    "PoolExhausted": {
        'leaderboard_postgres_failures_total{pool="postgres",kind="pool_timeout"}': f"0+1{ALWAYS}",
    },
    "ReplicaLagging": {'leaderboard_replica_usable{replica="b"}': f"0{ALWAYS}"},
    "RedisMemoryHigh": {
        "leaderboard_redis_memory_used_bytes": f"85{ALWAYS}",
        "leaderboard_redis_memory_max_bytes": f"100{ALWAYS}",
    },
    "WalArchiveFailing": {"leaderboard_postgres_wal_archive_failing": f"1{ALWAYS}"},
    "BackupFailed": {'leaderboard_backup_last_failure_timestamp_seconds{kind="dump"}': f"600{ALWAYS}"},
    "BackupOverdue": {'leaderboard_backup_last_success_timestamp_seconds{kind="base"}': f"-90000{ALWAYS}"},
    "BoardIndexIncomplete": {"leaderboard_board_index_incomplete": f"1{ALWAYS}"},
    "PostgresLostTransactions": {
        'leaderboard_board_index_rebuilds_total{reason="lost_transactions"}': "0x60 1x100",
    },
    "BoardsDiffered": {"leaderboard_reconcile_strays_removed_total": "0x60 1x100"},
    "JobsStopped": {'leaderboard_jobs_leader{instance="a"}': f"0{ALWAYS}"},
    "JobFails": {'leaderboard_job_failures_total{job_name="repair"}': f"0+1{ALWAYS}"},
    "EventsNotSequenced": {"leaderboard_events_unsequenced_age_seconds": f"90{ALWAYS}"},
    "EventsUndelivered": {'leaderboard_event_endpoint_undelivered{endpoint="a"}': f"1000001{ALWAYS}"},
    "EventStreamBehind": {'leaderboard_event_stream_undelivered{stream="nats"}': f"100001{ALWAYS}"},
    "EventEndpointFailing": {'leaderboard_event_endpoint_state{endpoint="a",state="paused"}': f"1{ALWAYS}"},
    "EventsGivenUp": {'leaderboard_event_endpoint_dead_letters{endpoint="a"}': f"1{ALWAYS}"},
}

LONG = "x2160"
"""Samples for three days, one every two minutes."""

OBJECTIVES: Mapping[str, Series] = {
    "SubmitAvailability": {
        # None succeeds: the series of those that do is absent.
        'leaderboard_operations_total{field="submitScore",outcome="failed"}': f"0+10{LONG}",
    },
    "SubmitLatency": {
        'leaderboard_operation_duration_seconds_bucket{field="submitScore",type="mutation",le="0.5"}': f"0+80{LONG}",
        'leaderboard_operation_duration_seconds_count{field="submitScore",type="mutation"}': f"0+100{LONG}",
    },
    "WatcherLag": {
        'leaderboard_watcher_lag_seconds_bucket{le="1.0"}': f"0+80{LONG}",
        "leaderboard_watcher_lag_seconds_count": f"0+100{LONG}",
    },
    "ReadLatency": {
        'leaderboard_operation_duration_seconds_bucket{field="leaderboard",type="query",le="0.05"}': f"0+10{LONG}",
        'leaderboard_operation_duration_seconds_count{field="leaderboard",type="query"}': f"0+100{LONG}",
    },
}

QUIET: Series = {
    'up{job="leaderboard",instance="a"}': f"1{ALWAYS}",
    'leaderboard_worker_up{worker="1"}': f"1{ALWAYS}",
    'leaderboard_event_loop_lag_seconds_bucket{instance="a",le="0.25"}': f"0+10{ALWAYS}",
    'leaderboard_event_loop_lag_seconds_bucket{instance="a",le="+Inf"}': f"0+10{ALWAYS}",
    'leaderboard_clock_skew_seconds{instance="a"}': f"0.1{ALWAYS}",
    'leaderboard_background_failures_total{work="hub"}': f"1{ALWAYS}",
    'leaderboard_operations_total{field="submitScore",outcome="ok"}': f"0+100000{ALWAYS}",
    'leaderboard_operations_total{field="submitScore",outcome="failed"}': f"0+1{ALWAYS}",
    'leaderboard_operation_duration_seconds_bucket{field="submitScore",type="mutation",le="0.5"}': f"0+999{ALWAYS}",
    'leaderboard_operation_duration_seconds_bucket{field="submitScore",type="mutation",le="+Inf"}': f"0+1000{ALWAYS}",
    'leaderboard_operation_duration_seconds_count{field="submitScore",type="mutation"}': f"0+1000{ALWAYS}",
    'leaderboard_operation_duration_seconds_bucket{field="leaderboard",type="query",le="0.05"}': f"0+990{ALWAYS}",
    'leaderboard_operation_duration_seconds_count{field="leaderboard",type="query"}': f"0+1000{ALWAYS}",
    'leaderboard_watcher_lag_seconds_bucket{le="1.0"}': f"0+999{ALWAYS}",
    "leaderboard_watcher_lag_seconds_count": f"0+1000{ALWAYS}",
    'leaderboard_submissions_total{kind="action_token",outcome="ACCEPTED"}': f"0+99{ALWAYS}",
    'leaderboard_submissions_total{kind="action_token",outcome="ACTION_TOKEN_EXPIRED"}': f"0+1{ALWAYS}",
    'leaderboard_access_token_checks_total{result="accepted"}': f"0+99{ALWAYS}",
    'leaderboard_access_token_checks_total{result="refused"}': f"0+1{ALWAYS}",
    'leaderboard_fraud_verdicts_total{verdict="flag"}': f"0+0.05{ALWAYS}",
    'leaderboard_limit_refusals_total{limit="user-submit"}': f"0+10{ALWAYS}",
    'leaderboard_cache_requests_total{cache="board_heads",result="hit"}': f"0+95{ALWAYS}",
    'leaderboard_cache_requests_total{cache="board_heads",result="miss"}': f"0+5{ALWAYS}",
    'leaderboard_sockets{instance="a"}': f"5000{ALWAYS}",
    'leaderboard_socket_limit{instance="a"}': f"10000{ALWAYS}",
    'leaderboard_sockets_closed_total{code="1013"}': f"0+1{ALWAYS}",
    'leaderboard_store_circuit_open{store="postgres"}': f"0{ALWAYS}",
    'leaderboard_postgres_failures_total{pool="postgres",kind="pool_timeout"}': f"3{ALWAYS}",
    'leaderboard_replica_usable{replica="b"}': f"1{ALWAYS}",
    "leaderboard_redis_memory_used_bytes": f"50{ALWAYS}",
    "leaderboard_redis_memory_max_bytes": f"100{ALWAYS}",
    "leaderboard_postgres_wal_archive_failing": f"0{ALWAYS}",
    'leaderboard_backup_last_success_timestamp_seconds{kind="base"}': f"600{ALWAYS}",
    'leaderboard_backup_last_failure_timestamp_seconds{kind="base"}': f"300{ALWAYS}",
    'leaderboard_backup_last_success_timestamp_seconds{kind="dump"}': f"600{ALWAYS}",
    "leaderboard_board_index_incomplete": f"0{ALWAYS}",
    'leaderboard_board_index_rebuilds_total{reason="missing"}': "0x60 1x100",
    "leaderboard_reconcile_rows_corrected_total": f"2{ALWAYS}",
    'leaderboard_jobs_leader{instance="a"}': f"1{ALWAYS}",
    'leaderboard_jobs_leader{instance="b"}': f"0{ALWAYS}",
    'leaderboard_job_failures_total{job_name="repair"}': f"1{ALWAYS}",
}
