"""What is taken out of everything that is stored: one rule a kind, in RE2 syntax over bytes.

A rule with a capture group takes out the group, the rest is the context it is known by. Where the shape alone would
hit ordinary text (order numbers, versions, timestamps), `check` decides; it is given the text and the span.
Repeats have no upper bound where they need none: a bound is a state of the automaton for every count.
A word boundary is enough on the left: `gateway.recorder.view` has blanked the escapes of JSON strings.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gateway.recorder.checks import (
    card_number,
    email_address,
    iban,
    ip_address,
    is_basic_credentials,
    not_a_placeholder,
    not_within_base64,
    phone_after_its_name,
    phone_number,
    random_looking,
    secret_value,
    social_security_number,
    with_digit_and_letter,
)
from gateway.recorder.national_ids import NATIONAL_IDS
from gateway.recorder.services import SERVICES

Check = Callable[[bytes, int, int], bool]


class Rule(msgspec.Struct, frozen=True):
    kind: str
    """The name in `[redacted:…]`, in the counts, and in `log.redaction.skip`."""
    pattern: bytes
    check: Check | None = None
    replacement: bytes | None = None
    """In place of `[redacted:KIND]`."""
    searches_inside: bool = False
    """Whether a candidate that fails its check may hold another: `1234 4111 1111 1111 1111` is no card, its end is."""
    reach_bytes: int = 1024
    """How far on an end is looked for that may be missing. What just goes on is followed as far as it goes."""


_SECRET_NAME = (
    rb"(?:api[_ -]?key|secret|(?:secret|access|account|private|app|auth|signing|encryption|master|storage|subscription"
    rb"|service|deploy|license|shared[_-]?access)[_ -]?key|token|credentials?"
    rb"|(?:client[_-]?)?key[_-]data|key[_-]base|session[_-]?id|sessid|pat)"
)
_PASSWORD_NAME = (
    rb"(?:password|passwd|passphrase|passwort|kennwort|pwd|mot de passe|contrase\xc3\xb1a|senha|wachtwoord|has\xc5\x82o"
    rb"|l\xc3\xb6senord|\xe5\xaf\x86\xe7\xa0\x81|\xe3\x83\x91\xe3\x82\xb9\xe3\x83\xaf\xe3\x83\xbc\xe3\x83\x89)"
)
_SAID = rb"\s{1,3}(?:is|are|ist|lautet|es|est|era|was|to|as)[: ]\s{0,2}"
_GAP = rb"(?:\s{0,4}| {0,10})"  # a quote in JSON within JSON is four blanks of the view
_IS = rb"[\"'`]?" + _GAP + rb"(?:=>|:=|=|:)" + _GAP
_UNQUOTED = rb"\s\"'`,;&<>(){}\[\]"
"""What ends a value that stands without quotes, inside a class."""


def _value(quoted: bytes, unquoted: bytes) -> bytes:
    """What stands behind a name: between quotes, of which `quoted` are the ways to go on inside, or without any."""
    double, single = quoted.replace(b"<>", b'"'), quoted.replace(b"<>", b"'\"")
    return rb"(?:\"(" + double + rb")\"|'(" + single + rb")'|(" + unquoted + rb"))"


def _drawn(inside: bytes, letter: bytes) -> bytes:
    """A run of `inside` that has a digit and a `letter`: most of what stands behind `token =` in code has not, and is
    turned down here, in the automaton."""
    return inside + rb"*(?:\d" + inside + rb"*" + letter + rb"|" + letter + inside + rb"*\d)" + inside + rb"*"


_VALUE = _value(_drawn(rb"[^<>\r\n(]", rb"[A-\xff]"), _drawn(rb"[^" + _UNQUOTED + rb"]", rb"[A-Z^_a-z|~\\\x7f-\xff]"))
_SECRET_BYTES = rb"A-Za-z0-9+/=_.~!@#$%^*-"
_RANDOM = (
    _value(
        _drawn(rb"[&" + _SECRET_BYTES + rb"]", rb"[A-Za-z^_~]"),
        _drawn(rb"[" + _SECRET_BYTES + rb"]", rb"[A-Za-z^_~]"),
    )
    + rb"(?:["
    + _UNQUOTED
    + rb"]|$)"
)
_BYTE, _NO_LETTER = rb"[^" + _UNQUOTED + rb"]", rb"[^A-Za-z_." + _UNQUOTED + rb"]"
_FOUR_OR_MORE = rb"|".join(
    (
        _NO_LETTER + _BYTE + rb"{3,}",
        _BYTE + _NO_LETTER + _BYTE + rb"{2,}",
        _BYTE + rb"{2}" + _NO_LETTER + _BYTE + rb"+",
        _BYTE + rb"{3,}" + _NO_LETTER + _BYTE + rb"*",
    )
)
_ANYTHING = _value(rb"[^<>\r\n(]{4,}", _FOUR_OR_MORE)
"""A password can be any words between quotes; without quotes, a word of letters is taken for code or prose."""

RULES: tuple[Rule, ...] = (
    Rule(
        "private_key",
        rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
        rb"(?:[^\"]*?-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|(?:\s*[A-Za-z0-9+/=]{20,})*)",
        reach_bytes=16 * 1024,
    ),
    Rule("private_key", rb"\bPrivate-Lines: \d+[\\rn\s]+((?:[A-Za-z0-9+/=]{20,}[\\rn\s]*)+)"),  # PuTTY's
    Rule("jwt", rb"\beyJ[A-Za-z0-9_-]{8,}(?:\.eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+)?|(?:\.[A-Za-z0-9_-]*){4})"),
    Rule("callgate_key", rb"\bcg-[A-Za-z0-9_-]{16,}", with_digit_and_letter),
    Rule("anthropic_key", rb"\bsk-ant-[A-Za-z0-9_-]{16,}"),
    Rule("openrouter_key", rb"\bsk-or-(?:v\d-)?[A-Za-z0-9_-]{16,}"),
    Rule("openai_key", rb"\b(?:sk|sess)-[A-Za-z0-9_-]{20,}", with_digit_and_letter),
    Rule(
        "google_key",
        rb"\b(?:AIza[A-Za-z0-9_-]{35}|AQ\.[A-Za-z0-9_-]{30,}|GOCSPX-[A-Za-z0-9_-]{20,}|ya29\.[A-Za-z0-9_-]{20,})",
    ),
    Rule("aws_key", rb"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b"),
    Rule("aws_secret", rb"(?i)(?:\b|_)secret_?access_?key[\"'\s:=>]{1,8}([A-Za-z0-9/+]{40})\b"),
    Rule("github_token", rb"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,})"),
    Rule("gitlab_token", rb"\bgl(?:pat|dt|rt|cbt|ptt|oas|soat|agent|ft|imt)-[A-Za-z0-9_-]{20,}(?:\.[a-z0-9]+)*"),
    Rule("slack_token", rb"\b(?:xox[abceoprs]-[A-Za-z0-9-]{10,}|xapp-\d-[A-Za-z0-9-]{10,})"),
    Rule("slack_webhook", rb"\bhooks\.slack\.com/(?:services|workflows)/([A-Za-z0-9/_-]{20,})"),
    Rule("stripe_key", rb"\b(?:[srp]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/=]{24,})"),
    Rule("huggingface_token", rb"\b(?:hf|api_org)_[A-Za-z0-9]{30,}"),
    Rule("groq_key", rb"\bgsk_[A-Za-z0-9]{30,}"),
    Rule("xai_key", rb"\bxai-[A-Za-z0-9_-]{30,}"),
    Rule("replicate_token", rb"\br8_[A-Za-z0-9]{30,}"),
    Rule("perplexity_key", rb"\bpplx-[A-Za-z0-9]{30,}"),
    Rule("nvidia_key", rb"\bnvapi-[A-Za-z0-9_-]{30,}"),
    Rule("fireworks_key", rb"\bfw_[A-Za-z0-9]{20,}", with_digit_and_letter),
    Rule("cerebras_key", rb"\bcsk-[A-Za-z0-9]{30,}"),
    Rule("tavily_key", rb"\btvly-[A-Za-z0-9_-]{20,}"),
    Rule("sendgrid_key", rb"\bSG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}"),
    Rule("twilio_key", rb"\bSK[0-9a-f]{32}\b"),
    Rule("npm_token", rb"\bnpm_[A-Za-z0-9]{36}\b"),
    Rule("pypi_token", rb"\bpypi-[A-Za-z0-9_-]{50,}"),
    Rule("databricks_token", rb"\bdapi[0-9a-f]{32}\b"),
    Rule("digitalocean_token", rb"\bdo[opr]_v1_[0-9a-f]{64}\b"),
    Rule("shopify_token", rb"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}\b"),
    Rule("telegram_token", rb"\b\d{8,10}:AA[A-Za-z0-9_-]{33}\b"),
    *(Rule(kind, pattern, not_within_base64) for kind, pattern in SERVICES),
    Rule("password_hash", rb"(?:\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}|\$(?:argon2i?d?|scrypt|[156y])\$[^\s\"':]{20,})"),
    Rule("one_time_secret", rb"(?i)\botpauth://[^\s\"'<>]{1,300}?secret=([A-Z2-7]{8,})"),
    Rule(
        "seed_phrase",
        rb"(?i)\b(?:seed phrase|mnemonic|recovery phrase|seed words)[\s\"'=:]{1,6}(?:(?:is|are)[: ]\s?)?"
        rb"((?:[a-z]{3,8} ){11,23}[a-z]{3,8})\b",
    ),
    Rule("cookie", rb"(?i)\b(?:set-)?cookie: ?([\w.-]+=[^\s;\"]+(?:; ?[\w.-]+(?:=[^\s;\"]*)?)*)"),
    Rule("command_password", rb"(?:\s-u|--user|--proxy-user)[ =][\"']?([^\s:\"']+:[^\s\"']{3,})"),
    Rule("netrc_password", rb"(?i)\blogin\s+\S+\s+password\s+([^\s\"']+)"),
    Rule("url_password", rb"[A-Za-z0-9]:/{2,4}([^\s/:@\"'<>]*:[^\s/@\"'<>]+)@"),
    Rule("bearer_token", rb"(?i)\bbearer\s{1,4}([A-Za-z0-9._~+/-]{16,}=*)", with_digit_and_letter),
    Rule("basic_credentials", rb"(?i)\bbasic\s{1,4}([A-Za-z0-9+/]{8,}={0,2})", is_basic_credentials),
    Rule("password", rb"(?i)" + _PASSWORD_NAME + rb"\d?" + _IS + _ANYTHING, not_a_placeholder),
    Rule("password", rb"(?i)\b" + _PASSWORD_NAME + _SAID + _VALUE, with_digit_and_letter),
    Rule("secret", rb"(?i)" + _SECRET_NAME + rb"\d?" + _IS + _VALUE, secret_value),
    Rule("secret", rb"(?i)\b" + _SECRET_NAME + _SAID + _VALUE, with_digit_and_letter),
    Rule("secret", rb"(?i)(?:[a-z\d][_-]?(?:key|secret|token|auth|hmac|salt|pass))" + _IS + _RANDOM, random_looking),
    Rule(
        "email",
        rb"(?:[A-Za-z0-9._%+-]|[\xc3-\xc9][\x80-\xbf])+@(?:[A-Za-z0-9\x80-\xff-]+\.)+[A-Za-z]{2,}\b",
        email_address,
    ),
    Rule("iban", rb"\b([A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?)\b", iban, searches_inside=True),
    Rule("card", rb"(?:^|[^\w.+-])([2-6](?:[ -]?\d){12,18})\b", card_number, searches_inside=True),
    Rule("ssn", rb"(?:^|[^\w.+-])(\d{3}-\d{2}-\d{4})\b", social_security_number),
    Rule(
        "phone",
        rb"(?:^|[^\w+])(\+[1-9](?:[ ()./-]{0,3}\d){7,14}"
        rb"|(?:1[ -])?(?:\([2-9]\d{2}\)[ -]?|[2-9]\d{2}[ -])[2-9]\d{2}[ -]\d{4})\b",
        phone_number,
        searches_inside=True,
    ),
    Rule(
        "phone",
        rb"(?i)(?:\btel|phone|fax|mobil|handy|\bcell|fono|foon|celular|cellulare|\btlf"
        rb"|\xe9\x9b\xbb\xe8\xa9\xb1|\xe7\x94\xb5\xe8\xaf\x9d|\xe6\x89\x8b\xe6\x9c\xba|\xe6\x90\xba\xe5\xb8\xaf)"
        rb"[^\d\n\"]{0,16}(\(?\d(?:[ ()./-]{0,2}\d){6,13})\b",
        phone_after_its_name,
    ),
    Rule("phone", rb"(?:^|[^\w+.,/-])(0[1-9](?:[ .]\d{2}){4})\b"),  # France
    *(Rule("national_id", pattern, check, searches_inside=True) for pattern, check in NATIONAL_IDS),
    Rule(
        "ip",
        rb"(?:^|[^\w.-])(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}|[0-9A-Fa-f]{1,4}:[0-9A-Fa-f:]{3,34}[0-9A-Fa-f])\b",
        ip_address,
    ),
)
"""Where two rules hit the same text, the one that comes first here names it."""
