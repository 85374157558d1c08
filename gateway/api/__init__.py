"""The JSON API: thin handlers over the store's questions.

Nouns: a *record* is a span as JSON has it (`record`); a *filter* is the query string's language (`filters`), the
dashboard's as well; a *rule* says who may use a path (`access`); the *live tail* is one poll of the store for all who
listen (`live`). `routes` lists the endpoints.
"""

from __future__ import annotations

from gateway.api.access import RULES, AccessMiddleware
from gateway.api.live import live_tail
from gateway.api.others import answer_others
from gateway.api.routes import routes

__all__ = ["RULES", "AccessMiddleware", "answer_others", "live_tail", "routes"]
