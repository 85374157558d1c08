"""The pages: server-rendered, with htmx for parts.

Nouns: a *page* is a dataclass that names its template (`render`); a *view* is who asks, for which period and filters
(`view`); the *shell* is the frame around every page; a *figure* is a number as it is shown (`format`); a *chart* is a
table first (`charts`). `urls` owns every address, `assets` every static file. How it looks: docs/dashboard.md.
"""

from __future__ import annotations

from gateway.dashboard.errors import exception_handlers, not_found
from gateway.dashboard.routes import RULES, routes

__all__ = ["RULES", "exception_handlers", "not_found", "routes"]
