"""usage → money. Imports nothing of the gateway and nothing heavy."""

from pricing.usage import Usage

__all__ = ["Usage"]
