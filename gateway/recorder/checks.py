"""What tells a secret from text of the same shape. Every check is given the text and the span of the candidate."""

from __future__ import annotations

import base64
import binascii
import re
from ipaddress import IPv4Address, IPv6Address

IBAN_COUNTRIES = {
    15: "NO",
    16: "BE",
    18: "DK FI FK FO GL NL SD",
    19: "MK SI",
    20: "AT BA EE KZ LT LU MN XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ OM SO TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST",
    26: "IS TR",
    27: "BI DJ FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HU LB NI PL SV",
    29: "BR EG PS QA UA",
    30: "JO KW MU",
    31: "MT SC",
    32: "LC",
    33: "RU",
}
"""Countries by the length of their account numbers; the registry is SWIFT's, ISO 13616."""

PLACEHOLDER = re.compile(
    rb"(?i)\$\{.*|\{\{.*|%\(.*|<.*|\*+|x{4,}|\.{3,}.*|your[_ -].*|(?:my|the|some|example|test|dummy|fake)[_ -]?"
    rb"(?:api[_-]?key|key|token|secret|password)|string|str|null|none|nil|true|false|undefined|required|optional|text|"
    rb"secret|password|passwd|token|changeme|bytes|varchar.*|os\.|process\.|self\.|env\.|settings\.|config\..*|\[redacted.*"
)
VERSION_BEFORE = re.compile(rb"(?i)(?:\bv|ver\.?|version|release|section|chapter|build|[A-Za-z]/)[\s\"':=]*$")
URL_BEFORE = re.compile(rb"://[^\s/@\"'<>]*:$")
CARD_GROUPS = {(4, 4, 4, 4), (4, 4, 4, 4, 3), (4, 6, 5), (4, 6, 4)}
DIGITS = re.compile(rb"\d+")
DOTTED = re.compile(rb"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
BASE64_RUN = re.compile(rb"[A-Za-z0-9+/]{64}")
LETTERS = re.compile(rb"[a-z]+|[A-Z]+")
UUID = re.compile(rb"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def with_digit_and_letter(text: bytes, start: int, end: int) -> bool:
    """A secret of at least eight characters is drawn from letters and digits; a word, a name or a number is not."""
    value = text[start:end]
    if len(value) < 8 or PLACEHOLDER.fullmatch(value):
        return False
    return any(48 <= byte <= 57 for byte in value) and any(byte >= 65 for byte in value) and b"(" not in value


def not_a_placeholder(text: bytes, start: int, end: int) -> bool:
    """A password can be any word, but not a type, a variable of the same name or a template. Without quotes, a word
    of letters only is taken for code or prose."""
    value = text[start:end]
    if PLACEHOLDER.fullmatch(value) or b"(" in value:
        return False
    quoted = text[start - 1 : start] in (b'"', b"'")
    return quoted or not re.fullmatch(rb"[A-Za-z_.]+", value)


def is_basic_credentials(text: bytes, start: int, end: int) -> bool:
    try:
        return b":" in base64.b64decode(text[start:end], validate=True)
    except binascii.Error:
        return False


def email_address(text: bytes, start: int, end: int) -> bool:
    """Not a file for dense screens (`icon@2x.png`), a remote (`git@github.com:…`), or the password of a URL."""
    local, _, domain = text[start:end].partition(b"@")
    if re.match(rb"\dx\.", domain) or local == b"git" or not local.strip(b".-_+"):
        return False
    return URL_BEFORE.search(text, max(0, start - 200), start) is None


def card_number(text: bytes, start: int, end: int) -> bool:
    """By issuer prefix, length, grouping and Luhn's checksum (ISO/IEC 7812)."""
    groups = DIGITS.findall(text, start, end)
    if len(groups) > 1 and tuple(map(len, groups)) not in CARD_GROUPS:
        return False
    number = b"".join(groups).decode()
    if len(number) not in _card_lengths(number):
        return False
    doubled = (int(digit) * 2 for digit in number[-2::-2])
    total = sum(int(digit) for digit in number[::-2]) + sum(digit - 9 if digit > 9 else digit for digit in doubled)
    return total % 10 == 0


def _card_lengths(number: str) -> tuple[int, ...]:
    two, four = int(number[:2]), int(number[:4])
    if number[0] == "4":
        return (16, 19)
    if two in (34, 37):
        return (15,)
    if two in (30, 36, 38, 39):
        return (14, 16)
    if two == 62:
        return (16, 17, 18, 19)
    if 51 <= two <= 55 or 2221 <= four <= 2720 or 3528 <= four <= 3589 or four == 6011 or two in (64, 65):
        return (16,)
    return ()


def iban(text: bytes, start: int, end: int) -> bool:
    """By the country's length and the checksum modulo 97 (ISO 13616)."""
    account = text[start:end].replace(b" ", b"").decode()
    if account[:2] not in IBAN_COUNTRIES.get(len(account), "").split():
        return False
    return int("".join(str(int(character, 36)) for character in account[4:] + account[:4])) % 97 == 1


def social_security_number(text: bytes, start: int, end: int) -> bool:
    """A number the US administration could have given, and not a part of a longer one."""
    area, group, serial = text[start:end].split(b"-")
    if area in (b"000", b"666") or area >= b"900" or group == b"00" or serial == b"0000":
        return False
    return not (text[end : end + 1] in (b"-", b".") and text[end + 1 : end + 2].isdigit())


def phone_number(text: bytes, start: int, end: int) -> bool:
    """International with `+` (E.164: 8 to 15 digits, at least 9 where nothing separates them), or North American."""
    digits = len(b"".join(DIGITS.findall(text, start, end)))
    if text[end : end + 1] in (b"-", b".", b":") and text[end + 1 : end + 2].isdigit():
        return False
    if text[start : start + 1] != b"+":
        return digits in (10, 11)
    return 9 - (digits < end - start - 1) <= digits <= 15


def ip_address(text: bytes, start: int, end: int) -> bool:
    """A public or private address; not loopback or a wildcard, a version of four numbers, a time or a C++ name."""
    value = text[start:end].decode("latin-1")
    if text[end : end + 2] != b".." and text[end : end + 1] == b"." and text[end + 1 : end + 2].isalnum():
        return False
    try:
        if "." in value:
            four = IPv4Address(value)
            is_version = VERSION_BEFORE.search(text, max(0, start - 20), start) is not None
            return not (is_version or four.is_loopback or four.is_unspecified or value == "255.255.255.255")
        six = IPv6Address(value)
    except ValueError:
        return False
    groups = [group for group in value.split(":") if group]
    is_short = len(groups) < 8
    return not six.is_loopback and (not is_short or (len(groups) >= 3 and value[0] in "2fF"))


def secret_value(text: bytes, start: int, end: int) -> bool:
    """As `with_digit_and_letter`, and without quotes no dotted name of code (`ed25519.Ed25519PublicKey`)."""
    quoted = text[start - 1 : start] in (b'"', b"'")
    return with_digit_and_letter(text, start, end) and (quoted or DOTTED.fullmatch(text, start, end) is None)


def not_within_base64(text: bytes, start: int, end: int) -> bool:
    """An image of megabytes holds every short prefix somewhere."""
    return BASE64_RUN.fullmatch(text, start - 64, start) is None if start >= 64 else True


def random_looking(text: bytes, start: int, end: int) -> bool:
    """What stands behind a name that only may be a secret's (`routing_key`): long, without words, drawn from letters
    and digits; not an address, a path, a name with underscores or a UUID."""
    value = text[start:end]
    if len(value) < 20 or not secret_value(text, start, end) or UUID.fullmatch(value):
        return False
    if not re.fullmatch(rb"[A-Za-z0-9+/=_.~!@#$%^&*-]+", value) or value.count(b"/") > len(value) // 12:
        return False
    return len(set(value)) >= 10 and max(map(len, LETTERS.findall(value)), default=0) <= 14


def phone_after_its_name(text: bytes, start: int, end: int) -> bool:
    """Seven to fifteen digits after a word for telephone, not one run of more digits than numbers have."""
    digits = b"".join(DIGITS.findall(text, start, end))
    if text[end : end + 1] in (b"-", b".", b":") and text[end + 1 : end + 2].isdigit():
        return False
    is_a_day = len(digits) == 8 and digits[:2] in (b"19", b"20")
    return 7 <= len(digits) <= 15 and not is_a_day
