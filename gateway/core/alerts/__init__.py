"""Alerts without a clock, a store or a network: what may be watched, when it is too much, and what is said of it.

A **rule** (`gateway.settings.alerts.AlertRule`) watches a **metric**. A **watch** is what is remembered of a rule and
one of its values while it is not well: pending, then firing. A change of a watch is a **notice**; budgets and runaways
make notices of their own. A **silence** keeps notices from being sent, not from being kept.
"""
