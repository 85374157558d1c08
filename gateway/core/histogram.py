"""Histograms of durations with fixed logarithmic buckets: mergeable by addition, percentiles right to 2.5 %.

Bucket `i` holds the values in `[RATIO**i, RATIO**(i + 1))` µs; the first takes everything below 1 µs, the last
everything above 19 hours. A histogram is one integer, its *lanes*: 32 bits a bucket, bucket 0 in the lowest bits. So
merging is `a + b`, in C, whatever their length. As a blob only the occupied range is kept, with as many bytes a lane
as the largest count needs: a hundred calls take about a hundred bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import ceil, log

RATIO = 1.05
BUCKETS = 512
_LANE = 32
PER_LOG = 1 / log(RATIO)
"""A value's bucket is the whole part of its logarithm times this."""
_LAST = BUCKETS - 1
_MIDDLE = RATIO**0.5


def bucket_of(value_us: int) -> int:
    return min(_LAST, int(log(value_us) * PER_LOG)) if value_us > 1 else 0


def encode_buckets(buckets: Iterable[int]) -> bytes | None:
    """`encode` of the histogram with one value in each of the buckets; a bucket may come again."""
    counted = Counter(buckets)
    if not counted:
        return None
    first = min(counted)
    if max(counted.values()) > 255:
        return encode(sum(count << (_LANE * bucket) for bucket, count in counted.items()))
    packed = bytearray(max(counted) - first + 1)
    for bucket, count in counted.items():
        packed[bucket - first] = count
    return first.to_bytes(2, "little") + b"\x01" + packed


def lanes_of(buckets: str | None) -> int:
    """The histogram with one value in each of the buckets of a list as text, `93,93,120`; those beyond the last count
    in it. None is an empty list."""
    counted = Counter(buckets.split(",")) if buckets else {}
    return sum(count << (_LANE * min(_LAST, int(bucket))) for bucket, count in counted.items())


def encode(lanes: int) -> bytes | None:
    """First bucket (2 bytes), bytes a lane (1, 2 or 4), the lanes. None for an empty histogram."""
    if not lanes:
        return None
    raw = lanes.to_bytes((lanes.bit_length() + _LANE - 1) // _LANE * 4, "little")
    first = (len(raw) - len(raw.lstrip(b"\0"))) // 4
    raw = raw[first * 4 :]
    if any(raw[2::4]) or any(raw[3::4]):
        width, packed = 4, raw
    elif any(raw[1::4]):
        pairs = bytearray(len(raw) // 2)
        pairs[0::2], pairs[1::2] = raw[0::4], raw[1::4]
        width, packed = 2, bytes(pairs)
    else:
        width, packed = 1, raw[0::4]
    return first.to_bytes(2, "little") + bytes((width,)) + packed


def decode(blob: bytes | None) -> int:
    """The lanes of `encode`d bytes; 0 for None."""
    if blob is None:
        return 0
    width, packed = blob[2], blob[3:]
    if width == 4:
        raw: bytes | bytearray = packed
    elif width == 2:
        raw = bytearray(len(packed) * 2)
        raw[0::4], raw[1::4] = packed[0::2], packed[1::2]
    else:
        raw = bytearray(len(packed) * 4)
        raw[0::4] = packed
    return int.from_bytes(raw, "little") << (_LANE * (blob[0] | blob[1] << 8))


def merge(one: bytes | None, other: bytes | None) -> bytes | None:
    """The sum of two encoded histograms."""
    if one is None or other is None:
        return one if other is None else other
    if one[2] == other[2] == 1 and max(one[3:]) + max(other[3:]) <= 255:
        # Both fit lanes of one byte and so does their sum: no need to widen.
        at, to = one[0] | one[1] << 8, other[0] | other[1] << 8
        first, last = min(at, to), max(at + len(one), to + len(other)) - 3
        lanes = int.from_bytes(one[3:], "little") << 8 * (at - first)
        lanes += int.from_bytes(other[3:], "little") << 8 * (to - first)
        return first.to_bytes(2, "little") + b"\x01" + lanes.to_bytes(last - first, "little")
    return encode(decode(one) + decode(other))


def counts(lanes: int) -> list[int]:
    """Per bucket, up to the last occupied one."""
    raw = lanes.to_bytes((lanes.bit_length() + _LANE - 1) // _LANE * 4, "little")
    return list(memoryview(raw).cast("I"))


def percentiles(lanes: int, shares: Sequence[float]) -> list[int | None]:
    """The nearest-rank percentile (`shares` ascending, within 0..1) as its bucket's geometric middle; None if empty."""
    found: list[int | None] = []
    occupied = counts(lanes)
    ranks = [max(1, ceil(share * sum(occupied))) for share in shares]
    seen, bucket = 0, -1
    for rank in ranks:
        while seen < rank and bucket + 1 < len(occupied):
            bucket += 1
            seen += occupied[bucket]
        found.append(round(RATIO**bucket * _MIDDLE) if seen >= rank else None)
    return found
