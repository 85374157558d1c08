"""The exception tree, and the wire errors of interface.md.

CallgateError
├── ConfigError          a setting is wrong; names file, path, value and the way out
├── JournalError         a frame could not be written (disk full, permissions)
├── StoreError           the store is unreachable or refuses
├── ControlError         a change to keys, tenants, users, … that cannot be made; says why and the way out
│   ├── Missing          there is nothing of that name
│   └── Conflict         somebody else changed it meanwhile
└── CallError            a call ends with an error of the gateway's own, in the dialect that was called
"""

from __future__ import annotations


class CallgateError(Exception):
    """The root of everything Callgate raises on purpose."""


class ConfigError(CallgateError):
    """`problems` is one line each, `path: message`; `str()` joins them with the file's name in front."""

    def __init__(self, source: str, problems: list[str]) -> None:
        self.source = source
        self.problems = problems
        super().__init__("\n".join(f"{source}:{problem}" for problem in problems))


class JournalError(CallgateError):
    """A frame could not be written; the call it belongs to must not succeed silently."""


class StoreError(CallgateError):
    """The store cannot be reached, or refused a statement. Retrying may help."""


class ControlError(CallgateError):
    """A change to what is controlled at run time that cannot be made. The message is for who asked for it."""


class Missing(ControlError):  # noqa: N818 - reads better where it is caught
    """There is nothing of that name."""


class Conflict(ControlError):  # noqa: N818 - reads better where it is caught
    """What was to be changed is not as it was when it was read."""


class CallError(CallgateError):
    """An error answered by the gateway itself.

    `status` is the HTTP status, `code` the machine-readable code (`model_not_found`, `upstream_timeout`, …),
    `error_type` the value for the log (one of `span.ERROR_TYPES`, None where no row is written), `param` the
    request field at fault, `headers` what goes with it (`retry-after`). The message names what was wrong and
    what to do about it, and never holds a secret.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        error_type: str | None = None,
        param: str | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.error_type = error_type
        self.param = param
        self.headers = headers
