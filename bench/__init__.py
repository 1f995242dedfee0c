"""Benchmarks of the service beside other servers, on private stores on this machine.

The commands, each with `--help` where it takes options:

    python -m bench.requests    requests: queries, submissions, token issues, ranks (`make bench`)
    python -m bench.fanout      subscriptions: how long a change takes to reach all subscribers (`make bench-fanout`)
    python -m bench.live_page   the live page in Chromium: size, first paint, dropped frames
    python -m bench.board_copies  CPU time of loading boards into Redis and of comparing them with PostgreSQL
    python -m bench.shards      reads and writes of a board in Redis, by the number of shards of its category
    python -m bench.attack      hostile requests: errors, stack traces and event loop lag

`--smoke` of `bench.requests` is a short run that checks that everything works. `--record` adds a run to
`bench/RESULTS.md`. Servers, stores and load share the machine, so compare ratios within one run, not runs.

The packages: `subjects` starts what is measured, `peers` are the other servers, `workloads` are the requests, `load`
sends them, `reporting` prints tables.
"""
