"""Who there is: tenants and people declared in the file, and how people sign in."""

# ruff: noqa: RUF012 (msgspec copies an empty default for each instance, which ruff does not see through `Section`)

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.settings.section import Positive, Section

PersonRole = Literal["admin", "member", "viewer"]
ROLE_MEANING = "admin does everything; member reads and makes keys for applications; viewer reads."


class DeclaredTenant(Section, frozen=True):
    slug: Annotated[
        str,
        Meta(
            description="Its name in keys, tags and the log.",
            pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
        ),
    ]
    name: Annotated[str, Meta(description="What people call it; the slug, without one.")] = ""
    note: Annotated[str, Meta(description="Whom to ask, what it is for.")] = ""
    suspended: Annotated[bool, Meta(description="Its keys are refused until this is taken away.")] = False


class DeclaredEnvironment(Section, frozen=True):
    name: Annotated[
        str,
        Meta(description="`production`, `staging`, …", pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"),
    ]
    key: Annotated[str, Meta(description="Its secret; at least 16 characters, use ${VAR}.", min_length=16)]
    tenant: Annotated[str | None, Meta(description="Whose it is; without one it is nobody's in particular.")] = None
    note: Annotated[str, Meta(description="What it is for.")] = ""

    @property
    def label(self) -> str:
        """The name of its key."""
        return f"{self.tenant}/{self.name}" if self.tenant else self.name


class DeclaredUser(Section, frozen=True):
    email: Annotated[str, Meta(description="Whom single sign-on says they are.", pattern="^[^@\\s]+@[^@\\s]+$")]
    name: Annotated[str, Meta(description="What pages call them.")] = ""
    role: Annotated[PersonRole, Meta(description=ROLE_MEANING)] = "viewer"
    tenant: Annotated[str | None, Meta(description="Sees this tenant only.")] = None


class RoleRule(Section, frozen=True):
    """The first rule that fits decides; everything it names must hold."""

    domain: Annotated[str | None, Meta(description="Of the verified e-mail address, as `example.com`.")] = None
    claim: Annotated[str | None, Meta(description="A claim of the ID token, as `groups`.")] = None
    value: Annotated[str | None, Meta(description="What the claim must be, or contain if it is a list.")] = None
    role: Annotated[PersonRole, Meta(description=ROLE_MEANING)] = "viewer"
    tenant: Annotated[str | None, Meta(description="Sees this tenant only.")] = None


class SingleSignOn(Section, frozen=True):
    issuer: Annotated[str, Meta(description="Where its `/.well-known/openid-configuration` is.", pattern="^https?://")]
    client_id: Annotated[str, Meta(description="What it calls Callgate.")]
    client_secret: Annotated[str | None, Meta(description="Use ${VAR}; none for a public client (PKCE).")] = None
    label: Annotated[str, Meta(description="On the button of the sign-in page.")] = "single sign-on"
    scopes: Annotated[list[str], Meta(description="What is asked for.")] = msgspec.field(
        default_factory=lambda: ["openid", "email", "profile"]
    )
    rules: Annotated[
        list[RoleRule],
        Meta(description="Who may come in, and as what. Without a rule that fits, only people who are known here."),
    ] = []


class SignIn(Section, frozen=True):
    passwords: Annotated[bool, Meta(description="Whether people sign in with a password of their own.")] = True
    session_days: Annotated[Positive, Meta(description="How long a session lasts.")] = 7
    public_url: Annotated[
        Annotated[str, Meta(pattern="^https?://")] | None,
        Meta(
            description="Where people reach the dashboard, for the way back from single sign-on; "
            "without it what the browser says.",
        ),
    ] = None
    oidc: Annotated[SingleSignOn | None, Meta(description="An OpenID Connect provider.")] = None
