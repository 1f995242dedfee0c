"""What the service costs, measured beside what people would otherwise pick.

`python -m bench.requests` measures requests, `python -m bench.fanout` subscriptions. Both start private stores, the
service and its peers on this machine, put the same load on each in turn, and print one page. Ratios within one run
count: servers, stores and load share the machine.
"""
