"""Callgate: an OpenAI-compatible LLM gateway with the log built in.

The straight line of a call: `proxy.protocol` takes the bytes, `proxy.exchange` admits, plans, forwards, relays and
settles, `journal` keeps it, `recorder` writes it to the `store`, `api` and `dashboard` show it.
"""

__version__ = "0.1.0"
