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
    phone_number,
    social_security_number,
    with_digit_and_letter,
)

Check = Callable[[bytes, int, int], bool]


class Rule(msgspec.Struct, frozen=True):
    kind: str
    """The name in `[redacted:…]`, in the counts, and in `log.redaction.skip`."""
    pattern: bytes
    check: Check | None = None
    searches_inside: bool = False
    """Whether a candidate that fails its check may hold another: `1234 4111 1111 1111 1111` is no card, its end is."""


_SECRET_NAME = (
    rb"(?:api[_-]?key|secret|client[_-]?secret|secret[_-]?key|access[_-]?key|access[_-]?token|auth[_-]?token"
    rb"|refresh[_-]?token|id[_-]?token|session[_-]?token|private[_-]?key|account[_-]?key|x-api-key|token)"
)
_PASSWORD_NAME = rb"(?:password|passwd|passphrase|passwort|pwd)"
_IS = rb"[\"'`]?\s{0,4}(?:=>|:=|=|:)\s{0,4}"
_VALUE = rb"(?:\"([^\"\r\n]{4,})\"|'([^'\"\r\n]{4,})'|([^\s\"'`,;&<>(){}\[\]]{4,}))"

RULES: tuple[Rule, ...] = (
    Rule(
        "private_key",
        rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
        rb"(?:[^\"]*?-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|(?:\s*[A-Za-z0-9+/=]{20,})*)",
    ),
    Rule("jwt", rb"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+)?"),
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
    Rule("url_password", rb"[A-Za-z0-9]:/{2,4}([^\s/:@\"'<>]*:[^\s/@\"'<>]+)@"),
    Rule("bearer_token", rb"(?i)\bbearer\s{1,4}([A-Za-z0-9._~+/-]{16,}=*)", with_digit_and_letter),
    Rule("basic_credentials", rb"(?i)\bbasic\s{1,4}([A-Za-z0-9+/]{8,}={0,2})", is_basic_credentials),
    Rule("password", rb"(?i)(?:\b|_)" + _PASSWORD_NAME + _IS + _VALUE, not_a_placeholder),
    Rule("secret", rb"(?i)(?:\b|_)" + _SECRET_NAME + _IS + _VALUE, with_digit_and_letter),
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
        "ip",
        rb"(?:^|[^\w.-])(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}|[0-9A-Fa-f]{1,4}:[0-9A-Fa-f:]{3,34}[0-9A-Fa-f])\b",
        ip_address,
    ),
)
"""Where two rules hit the same text, the one that comes first here names it."""
