"""The body of a request that must be read: held up to a size, decoded, counted as it comes."""

from __future__ import annotations

import io
import zlib

import zstandard

from gateway.errors import CallError

_ENCODINGS = (b"gzip", b"x-gzip", b"deflate", b"zstd")


def too_large(limit: int) -> CallError:
    return CallError(
        413,
        "request_too_large",
        f"The request body is larger than {limit / 1024 / 1024:g} MB, counted decoded. Send less, or raise "
        "server.max_body_mb.",
        error_type="invalid_request",
    )


class HeldBody:
    """Collects a body and gives it decoded. Raises CallError 413 as soon as it is over `limit` bytes, counted decoded,
    and 400 where it cannot be decoded."""

    __slots__ = ("_encoding", "_inflate", "_limit", "_parts", "_size")

    def __init__(self, limit: int, encoding: bytes | None, declared: int | None) -> None:
        self._limit = limit
        self._size = 0
        self._parts: list[bytes] = []
        self._encoding = None if encoding in (None, b"", b"identity") else encoding
        if self._encoding is not None and self._encoding not in _ENCODINGS:
            raise CallError(
                400,
                "unsupported_encoding",
                f"The content-encoding {self._encoding.decode('latin-1')!r} is not understood; send gzip, deflate, "
                "zstd or none.",
                error_type="invalid_request",
            )
        self._inflate = zlib.decompressobj(47) if self._encoding in (b"gzip", b"x-gzip", b"deflate") else None
        if declared is not None and declared > limit:
            raise too_large(limit)

    def feed(self, data: bytes) -> None:
        if self._inflate is not None:
            try:
                data = self._inflate.decompress(data, self._limit - self._size + 1)
            except zlib.error as exc:
                raise _undecodable(self._encoding) from exc
            if self._inflate.unused_data:  # it would be kept without being counted
                raise _undecodable(self._encoding)
        self._size += len(data)
        if self._size > self._limit:
            raise too_large(self._limit)
        self._parts.append(data)

    def finish(self) -> bytes:
        """The whole body, decoded."""
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        if self._inflate is not None and not self._inflate.eof:
            raise _undecodable(self._encoding)
        if self._encoding == b"zstd":
            return self._unzstd(body)
        return body

    def _unzstd(self, body: bytes) -> bytes:
        reader = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(
            io.BytesIO(body), read_across_frames=True
        )
        try:
            decoded = reader.read(self._limit + 1)
        except zstandard.ZstdError as exc:
            raise _undecodable(self._encoding) from exc
        if len(decoded) > self._limit:
            raise too_large(self._limit)
        return decoded


def _undecodable(encoding: bytes | None) -> CallError:
    return CallError(
        400,
        "invalid_request_error",
        f"The body is not valid {(encoding or b'').decode('latin-1')}, though content-encoding says so.",
        error_type="invalid_request",
    )
