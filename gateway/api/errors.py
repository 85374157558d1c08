"""Errors of the API: `{"error": {"message", "type", "param", "code"}}`, every type of which docs/api.md explains."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from gateway.errors import CallError, Conflict, ControlError, Missing

ERROR_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    409: "invalid_request_error",
    429: "rate_limit_error",
}
"""`type` by status; `api_error` for the rest, which are the gateway's own."""


def invalid(param: str, message: str, code: str = "invalid_parameter") -> CallError:
    return CallError(400, code, message, param=param)


def from_control(error: ControlError) -> CallError:
    """A change that cannot be made."""
    if isinstance(error, Missing):
        return CallError(404, "not_found", str(error))
    if isinstance(error, Conflict):
        return CallError(409, "conflict", str(error))
    return CallError(400, "not_possible", str(error))


def error_response(error: CallError) -> Response:
    body = {
        "error": {
            "message": error.message,
            "type": ERROR_KINDS.get(error.status, "api_error"),
            "param": error.param,
            "code": error.code,
        }
    }
    response = Response(msgspec.json.encode(body), error.status, media_type="application/json")
    for name, value in error.headers:
        response.raw_headers.append((name, value))
    return response
