"""What every section of the configuration is made of: the base struct, and the ranges of numbers."""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta

Port = Annotated[int, Meta(ge=0, le=65535)]
Positive = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]
NotNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]

SECRET_FIELDS = frozenset(
    {
        "api_key",
        "key",
        "headers",
        "client_secret",
        "google_credentials",
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws_session_token",
        "endpoint",
        "secret",
        "routing_key",
        "password",
    }
)
"""Settings whose values are never shown: not in a `repr`, not in a message."""

_URL_PASSWORD = re.compile(r"(://[^/@:]*):[^/@]*@")


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Unknown settings are refused: a typing error must not be silently ignored. Shows no secret."""

    def __repr__(self) -> str:
        shown = (f"{name}={_masked(name, getattr(self, name))}" for name in self.__struct_fields__)
        return f"{type(self).__name__}({', '.join(shown)})"


def _masked(name: str, value: Any) -> str:
    if value and name in SECRET_FIELDS:
        return "***"
    return _URL_PASSWORD.sub(r"\1:***@", repr(value))
