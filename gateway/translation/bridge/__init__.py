"""What knows litellm. Loaded by `translation.engine` when the first call needs it; nothing else may import it.

`channel` is the way to a provider, and hears what passes on it. `asking` says who is asked and with which of the
client's fields. `chat`, `messages`, `responses`, `embeddings` and `counting` each serve one dialect of clients. `bill`
puts the provider's own usage into the client's usage object. `failing` puts failures into its words.
"""

from __future__ import annotations

from gateway.translation.bridge.answering import answer

__all__ = ["answer"]
