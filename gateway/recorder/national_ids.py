"""Numbers that states give to people: `(pattern, check)`. Those that are nothing but digits count only by their
checksum, or where the text says what they are; what has no checksum and no form of its own is not claimed."""

from __future__ import annotations

import re
from collections.abc import Callable

Check = Callable[[bytes, int, int], bool]

DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_VERHOEFF_D = (
    "0123456789",
    "1234067895",
    "2340178956",
    "3401289567",
    "4012395678",
    "5987604321",
    "6598710432",
    "7659821043",
    "8765932104",
    "9876543210",
)
_VERHOEFF_P = (
    "0123456789",
    "1576283094",
    "5803796142",
    "8916043527",
    "9453126870",
    "4286573901",
    "2793806415",
    "7046913258",
)
_ODD_ITALIAN = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23]


def _bare(text: bytes, start: int, end: int) -> str:
    return re.sub(rb"[^0-9A-Za-z]", b"", text[start:end]).decode().upper()


def _weighted(digits: str, weights: tuple[int, ...]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def _is_day(month: str, day: str) -> bool:
    return 1 <= int(month) <= 12 and 1 <= int(day) <= 31


def dni(text: bytes, start: int, end: int) -> bool:
    """Spain's DNI and NIE: a letter that is the number modulo 23."""
    number = _bare(text, start, end)
    digits = number[:-1].translate(str.maketrans("XYZ", "012"))
    return number[-1] == DNI_LETTERS[int(digits) % 23]


def codice_fiscale(text: bytes, start: int, end: int) -> bool:
    """Italy: values by odd and even places, modulo 26."""
    code = _bare(text, start, end)
    values = [int(c) if c.isdigit() else ord(c) - 65 for c in code]
    total = sum(_ODD_ITALIAN[value] if place % 2 == 0 else value for place, value in enumerate(values[:15]))
    return total % 26 == values[15]


def nir(text: bytes, start: int, end: int) -> bool:
    """France: the key is 97 minus the number modulo 97; Corsica's departments count as 19 and 18."""
    number = _bare(text, start, end).replace("2A", "19").replace("2B", "18")
    return len(number) == 15 and number.isdigit() and 97 - int(number[:13]) % 97 == int(number[13:])


def pesel(text: bytes, start: int, end: int) -> bool:
    """Poland: a day, and a digit by weights."""
    number = _bare(text, start, end)
    month = int(number[2:4]) % 20
    total = _weighted(number, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3))
    return _is_day(str(month), number[4:6]) and (10 - total % 10) % 10 == int(number[10])


def personnummer(text: bytes, start: int, end: int) -> bool:
    """Sweden: a day, and Luhn over the last ten digits."""
    number = _bare(text, start, end)[-10:]
    doubled = [int(digit) * (2 - place % 2) for place, digit in enumerate(number)]
    return _is_day(number[2:4], number[4:6]) and sum(n - 9 if n > 9 else n for n in doubled) % 10 == 0


def cpf(text: bytes, start: int, end: int) -> bool:
    """Brazil: two digits modulo 11."""
    number = _bare(text, start, end)
    first = _weighted(number, tuple(range(10, 1, -1))) * 10 % 11 % 10
    second = _weighted(number, tuple(range(11, 1, -1))) * 10 % 11 % 10
    return len(set(number)) > 1 and number[9:] == f"{first}{second}"


def chinese_id(text: bytes, start: int, end: int) -> bool:
    """China's resident number: a day, and ISO 7064 MOD 11-2."""
    number = _bare(text, start, end)
    total = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(number[:17]))
    return _is_day(number[10:12], number[12:14]) and number[17] == "10X98765432"[total % 11]


def aadhaar(text: bytes, start: int, end: int) -> bool:
    """India: Verhoeff's checksum."""
    check = 0
    for place, digit in enumerate(reversed(_bare(text, start, end))):
        check = int(_VERHOEFF_D[check][int(_VERHOEFF_P[place % 8][int(digit)])])
    return check == 0


def rrn(text: bytes, start: int, end: int) -> bool:
    """Korea: a day, and a digit for sex and century."""
    number = _bare(text, start, end)
    return _is_day(number[2:4], number[4:6])


NATIONAL_IDS: tuple[tuple[bytes, Check | None], ...] = (
    (rb"(?:^|[^\w.-])((?:\d{8}|[XYZ]\d{7})-?[A-HJ-NP-TV-Z])\b", dni),
    (rb"(?i)\b([A-Z]{6}\d{2}[A-EHLMPR-T]\d{2}[A-Z]\d{3}[A-Z])\b", codice_fiscale),
    (rb"(?:^|[^\w.-])([12] ?\d{2} ?\d{2} ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2})\b", nir),
    (rb"(?i)(?:pesel)[^\d\n\"]{0,16}(\d{11})\b", pesel),
    (rb"(?:^|[^\w.+-])((?:19|20)?\d{6}[-+]\d{4})\b", personnummer),
    (rb"(?:^|[^\w.-])(\d{3}\.\d{3}\.\d{3}-\d{2})\b", cpf),
    (rb"(?:^|[^\w.-])([1-9]\d{5}(?:19|20)\d{9}[\dXx])\b", chinese_id),
    (rb"(?:^|[^\w.-])([2-9]\d{3} \d{4} \d{4})\b", aadhaar),
    (rb"(?:^|[^\w.-])(\d{6}-[1-8]\d{6})\b", rrn),
    (rb"\b([A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D])\b", None),  # the United Kingdom's
    (
        rb"(?i)(?:steuer-?id\w*|identifikationsnummer|\bidnr|\bbsn|burgerservicenummer|sofinummer|\bnif|contribuinte"
        rb"|sozialversicherungsnummer|social security|national insurance|passport|reisepass|passeport|pasaporte"
        rb"|passaporto|passaporte|paspoort|paszport|my ?number"
        rb"|\xe3\x83\x9e\xe3\x82\xa4\xe3\x83\x8a\xe3\x83\xb3\xe3\x83\x90\xe3\x83\xbc|\xe6\x8a\xa4\xe7\x85\xa7)"
        rb"[^\d\n\"]{0,24}?((?:[A-Z]{1,3})?\d(?:[ .-]?\d){5,13})\b",
        None,
    ),
)
