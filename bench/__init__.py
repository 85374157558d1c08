"""The benchmark: what Callgate costs beside nginx as a plain proxy, measured in one run on one machine.

`python -m bench` (or `make bench`) runs it. A *part* is one question, in a file of its own (`throughput`, `latency`,
`streams`, `recording`, `startup`, `memory`, `peers`). Each part asks the `Lab` (servers.py) for servers, loads them
(`wrk.py`, `openloop.py`, `streamload.py`), and answers with a `Section` (report.py): tables to read, and targets that
are met or missed. The gateway under test has core 0 to itself; its recorder, the upstream and the load share core 1.

Absolute figures say something about the machine; only ratios and differences within one run are claims.
"""
