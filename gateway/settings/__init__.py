"""The shape of the configuration: one struct a section, each setting with its default and its meaning.

`gateway.config` reads it from YAML and the environment; the JSON schema, `config.example.yaml` and a test that no
setting is undocumented are made from it. Units are in the names.
"""

# ruff: noqa: RUF012 (msgspec copies an empty default for each instance, which ruff does not see through `Section`)

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.settings.alerts import Alerts, Notification
from gateway.settings.cache import Cache
from gateway.settings.identity import DeclaredEnvironment, DeclaredTenant, DeclaredUser, SignIn
from gateway.settings.limits import Budget, Limit, Runaway, Shared
from gateway.settings.privacy import Privacy
from gateway.settings.routes import Cooldown, ModelRoute
from gateway.settings.section import SECRET_FIELDS as SECRET_FIELDS
from gateway.settings.section import Count, NotNegative, Port, Positive, Section, Share


class Server(Section, frozen=True):
    host: Annotated[str, Meta(description="Address to listen on. Loopback unless told otherwise.")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="Port to listen on; 0 picks a free one.")] = 4000
    workers: Annotated[Count, Meta(description="Gateway processes; one a core.")] = 1
    max_body_mb: Annotated[
        Positive,
        Meta(
            description="Largest request body that is held in memory to be read, counted decoded. "
            "Files and audio stream through and are not bound by it."
        ),
    ] = 64
    max_header_kb: Annotated[Count, Meta(description="Largest request head, all headers together.")] = 1024
    head_timeout_s: Annotated[
        Positive, Meta(description="A client must send a whole request head within this time.")
    ] = 30
    body_timeout_s: Annotated[Positive, Meta(description="Longest pause of a client while it sends a body.")] = 60
    keep_alive_s: Annotated[Positive, Meta(description="An idle client connection is closed after this time.")] = 75
    trusted_proxies: Annotated[
        list[str],
        Meta(
            description="Addresses and ranges of your own reverse proxies: behind them a client is where "
            "`x-forwarded-for` says. Empty: nobody's word is taken for it."
        ),
    ] = []
    drain_s: Annotated[NotNegative, Meta(description="On shutdown, how long calls in flight may take to end.")] = 30
    data: Annotated[str, Meta(description="Folder for the store, the journal and the key that hashes keys.")] = (
        "./callgate-data"
    )


class Timeout(Section, frozen=True):
    connect_s: Annotated[Positive, Meta(description="Name lookup, TCP and TLS together.")] = 5
    first_byte_s: Annotated[Positive, Meta(description="From the request's last byte to the answer's first.")] = 120
    idle_s: Annotated[Positive, Meta(description="Longest silence within an answer.")] = 120
    total_s: Annotated[Positive, Meta(description="The whole call.")] = 900


class Provider(Section, frozen=True):
    dialect: Annotated[
        str | None, Meta(description="What it speaks; known names know it. `openai` for everything compatible.")
    ] = None
    base_url: Annotated[str | None, Meta(description="What the provider's own SDK takes as base URL.")] = None
    api_key: Annotated[str | list[str] | None, Meta(description="Key, or several to rotate; `none` sends no key.")] = (
        None
    )
    auth: Annotated[
        Literal["bearer", "x-api-key", "x-goog-api-key", "api-key"] | None,
        Meta(description="The header its key goes in, as its dialect has it; `bearer` is `Authorization: Bearer`."),
    ] = None
    aws_access_key_id: Annotated[
        str | None, Meta(description="With the secret, in place of `api_key`: calls to Bedrock are signed (SigV4).")
    ] = None
    aws_secret_access_key: Annotated[str | None, Meta(description="The secret of the access key.")] = None
    aws_session_token: Annotated[str | None, Meta(description="Of temporary credentials.")] = None
    google_credentials: Annotated[
        str | None,
        Meta(
            description="For Vertex, in place of `api_key`: the JSON file of a service account or user (its path, or "
            "the JSON itself), or `metadata` on a machine of Google's. Known names look at "
            "`GOOGLE_APPLICATION_CREDENTIALS`."
        ),
    ] = None
    region: Annotated[
        str | None, Meta(description="Region of Bedrock or Vertex; else `AWS_REGION` or `VERTEX_LOCATION`.")
    ] = None
    metadata: Annotated[
        Literal["strip", "forward"],
        Meta(description="Whether `metadata` of a request body is removed before forwarding."),
    ] = "strip"
    headers: Annotated[dict[str, str], Meta(description="Headers to add to every call to it.")] = {}
    timeout: Annotated[Timeout, Meta(description="Limits in time for calls to it.")] = Timeout()
    on_disconnect: Annotated[
        Literal["abort", "drain"],
        Meta(
            description="When the client goes away: close the upstream call, or read it to its end for the exact bill."
        ),
    ] = "abort"
    ask_usage: Annotated[
        bool | None,
        Meta(
            description="Ask for usage in streams when the client did not (`stream_options.include_usage`); "
            "known names know it."
        ),
    ] = None
    max_connections: Annotated[Count, Meta(description="Connections to it, at most, by each worker.")] = 4096
    models: Annotated[
        list[str],
        Meta(
            description="Models it serves, for names without a prefix and for /v1/models. "
            "Empty: those of the price catalogue."
        ),
    ] = []
    verify_tls: Annotated[bool, Meta(description="Check the certificate against the system's trust store.")] = True


class ApiKey(Section, frozen=True):
    name: Annotated[str, Meta(description="What the log calls it.")]
    key: Annotated[str, Meta(description="The secret itself, at least 16 characters; use ${VAR}.", min_length=16)]
    tenant: Annotated[
        str | None, Meta(description="Calls with this key belong to this tenant, whatever their tags say.")
    ] = None
    environment: Annotated[str | None, Meta(description="As tenant, for the environment.")] = None
    role: Annotated[
        Literal["app", "viewer", "admin"], Meta(description="app calls models; viewer reads; admin does everything.")
    ] = "app"
    models: Annotated[list[str], Meta(description="Patterns of models it may use.")] = msgspec.field(
        default_factory=lambda: ["*"]
    )
    tags: Annotated[dict[str, str], Meta(description="Default tags of its calls.")] = {}
    endpoints: Annotated[list[str], Meta(description="Patterns of paths it may call, as `/v1/embeddings`.")] = (
        msgspec.field(default_factory=lambda: ["*"])
    )
    configs: Annotated[list[str], Meta(description="Patterns of configs it may be served with.")] = msgspec.field(
        default_factory=lambda: ["*"]
    )
    networks: Annotated[
        list[str], Meta(description="Addresses and ranges it may be used from, as `10.0.0.0/8`; empty for any.")
    ] = []
    expires_at: Annotated[str | None, Meta(description="ISO date or time from which it no longer works.")] = None


class OwnPattern(Section, frozen=True):
    pattern: Annotated[str, Meta(description="RE2 syntax; with a group only the group is taken out.")]
    replacement: Annotated[
        Annotated[str, Meta(pattern=r'^[^"\\\n]*$')] | None,
        Meta(description="What stands in its place; `[redacted:NAME]` without one."),
    ] = None


class Redaction(Section, frozen=True):
    enabled: Annotated[bool, Meta(description="Take secrets and personal data out before anything is stored.")] = True
    skip: Annotated[
        list[str], Meta(description="Built-in patterns to leave out, by name (see docs/redaction.md).")
    ] = []
    rules: Annotated[
        dict[str, str | OwnPattern], Meta(description="Own patterns by name (RE2 syntax), or with what replaces them.")
    ] = {}


class Log(Section, frozen=True):
    flush_interval_ms: Annotated[Count, Meta(description="A batch is written at the latest after this time.")] = 2000
    max_batch_size: Annotated[
        Count, Meta(description="A batch is written when it has this many rows; a backlog makes batches larger.")
    ] = 100
    payloads: Annotated[
        Literal["full", "preview", "hash", "none"],
        Meta(description="What is kept of bodies: all, the 500-character previews, a SHA-256, or nothing."),
    ] = "full"
    max_payload_kb: Annotated[Count, Meta(description="Bodies are cut to this size, each.")] = 1024
    retention_days: Annotated[Count | None, Meta(description="Rows are deleted after this time; null keeps them.")] = 30
    payload_retention_days: Annotated[
        Count | None, Meta(description="Bodies are deleted after this time; null keeps them as long as rows.")
    ] = 14
    journal_max_mb: Annotated[
        Count, Meta(description="When the journal has grown to this, bodies are dropped first; the bill is kept.")
    ] = 1024
    capture_stream_timing: Annotated[bool, Meta(description="Keep the time and size of each chunk of a stream.")] = (
        False
    )
    redaction: Annotated[
        Redaction, Meta(description="What is taken out of bodies, previews, tags and error messages.")
    ] = Redaction()


class StoreSettings(Section, frozen=True):
    url: Annotated[str, Meta(description="`sqlite:///callgate.db`, relative to server.data.")] = "sqlite:///callgate.db"


class PriceTier(Section, frozen=True):
    above_tokens: Annotated[
        int, Meta(description="For requests with more input tokens than this, the whole request.", ge=1)
    ]
    input_per_mtok: Annotated[NotNegative | None, Meta(description="Input tokens.")] = None
    output_per_mtok: Annotated[NotNegative | None, Meta(description="Output tokens.")] = None
    cached_input_per_mtok: Annotated[
        NotNegative | None, Meta(description="Input tokens read from the provider's cache.")
    ] = None
    cache_write_per_mtok: Annotated[
        NotNegative | None,
        Meta(description="Input tokens written to the provider's cache (5 minutes where there are two)."),
    ] = None


class PriceOverride(Section, frozen=True):
    """Dollars. Per million tokens (`…_per_mtok`) or per thousand (`…_per_1k`), not both for one unit."""

    input_per_mtok: Annotated[NotNegative | None, Meta(description="Input tokens.")] = None
    output_per_mtok: Annotated[NotNegative | None, Meta(description="Output tokens.")] = None
    cached_input_per_mtok: Annotated[
        NotNegative | None, Meta(description="Input tokens read from the provider's cache.")
    ] = None
    cache_write_per_mtok: Annotated[
        NotNegative | None,
        Meta(description="Input tokens written to the provider's cache (5 minutes where there are two)."),
    ] = None
    cache_write_1h_per_mtok: Annotated[NotNegative | None, Meta(description="Cache writes kept for an hour.")] = None
    reasoning_per_mtok: Annotated[
        NotNegative | None, Meta(description="Reasoning tokens, where they cost something else than output.")
    ] = None
    audio_input_per_mtok: Annotated[NotNegative | None, Meta(description="Audio tokens in.")] = None
    audio_output_per_mtok: Annotated[NotNegative | None, Meta(description="Audio tokens out.")] = None
    image_input_per_mtok: Annotated[NotNegative | None, Meta(description="Image tokens in.")] = None
    image_output_per_mtok: Annotated[NotNegative | None, Meta(description="Image tokens out.")] = None
    input_per_1k: Annotated[NotNegative | None, Meta(description="Input tokens.")] = None
    output_per_1k: Annotated[NotNegative | None, Meta(description="Output tokens.")] = None
    cached_input_per_1k: Annotated[
        NotNegative | None, Meta(description="Input tokens read from the provider's cache.")
    ] = None
    per_request: Annotated[NotNegative | None, Meta(description="Each request.")] = None
    per_image: Annotated[NotNegative | None, Meta(description="Each image made.")] = None
    per_second: Annotated[NotNegative | None, Meta(description="Each second of audio or video.")] = None
    per_search: Annotated[NotNegative | None, Meta(description="Each web search.")] = None
    per_file_search: Annotated[NotNegative | None, Meta(description="Each file search of a response.")] = None
    per_code_session: Annotated[
        NotNegative | None, Meta(description="Each session of a code interpreter, by the gigabyte of its container.")
    ] = None
    per_query: Annotated[NotNegative | None, Meta(description="Each rerank query.")] = None
    per_character: Annotated[NotNegative | None, Meta(description="Each character, of speech.")] = None
    per_page: Annotated[NotNegative | None, Meta(description="Each page read.")] = None
    batch_discount: Annotated[Share | None, Meta(description="What the batch API takes off, 0.5 for half.")] = None
    tiers: Annotated[list[PriceTier], Meta(description="Prices of long requests.")] = []
    valid_from: Annotated[str | None, Meta(description="ISO date from which it holds; always, without one.")] = None


class Prices(Section, frozen=True):
    overrides: Annotated[
        dict[str, PriceOverride | list[PriceOverride]],
        Meta(description="Prices of your own, by `model` or `provider/model`; a list for prices that change by date."),
    ] = {}
    markup_percent: Annotated[
        dict[str, NotNegative],
        Meta(description="What a tenant is charged on top of the cost, by tenant; `*` for all others."),
    ] = {}


class Metrics(Section, frozen=True):
    open: Annotated[bool, Meta(description="Serve /metrics without a key.")] = True


class Settings(Section, frozen=True):
    """The whole configuration."""

    server: Annotated[Server, Meta(description="The process: where it listens, its limits, its folder.")] = Server()
    providers: Annotated[dict[str, Provider], Meta(description="Providers by name; known names need only a key.")] = {}
    default_provider: Annotated[
        str | None, Meta(description="Takes the models that nobody claims, and paths without a model.")
    ] = None
    models: Annotated[
        dict[str, str | ModelRoute],
        Meta(description="Names of your own: an alias for `provider/model`, a pattern, or a route."),
    ] = {}
    cooldown: Annotated[Cooldown, Meta(description="When a target that fails is left alone, and how long.")] = (
        Cooldown()
    )
    keys: Annotated[list[ApiKey], Meta(description="Gateway keys declared here: read-only elsewhere.")] = []
    tenants: Annotated[list[DeclaredTenant], Meta(description="Tenants declared here: read-only elsewhere.")] = []
    environments: Annotated[
        list[DeclaredEnvironment], Meta(description="Environments declared here: read-only elsewhere.")
    ] = []
    users: Annotated[list[DeclaredUser], Meta(description="People declared here: read-only elsewhere.")] = []
    sign_in: Annotated[SignIn, Meta(description="How people sign in to the dashboard.")] = SignIn()
    log: Annotated[Log, Meta(description="What is kept of a call, how long, and when it is written.")] = Log()
    store: Annotated[StoreSettings, Meta(description="The database of the log.")] = StoreSettings()
    prices: Annotated[Prices, Meta(description="Prices of your own, and what tenants are charged.")] = Prices()
    limits: Annotated[list[Limit], Meta(description="Calls, tokens and places at the same time that may be used.")] = []
    budgets: Annotated[list[Budget], Meta(description="Money that may be spent in a period.")] = []
    runaway: Annotated[
        Runaway | None, Meta(description="Holds tenants to a multiple of what is usual for them; off without it.")
    ] = None
    cache: Annotated[Cache, Meta(description="Answers given again to calls that were answered before.")] = Cache()
    shared: Annotated[Shared, Meta(description="How several machines share limits and budgets.")] = Shared()
    alerts: Annotated[Alerts, Meta(description="Rules that watch the log and the parts, and who is told.")] = Alerts()
    notifications: Annotated[
        dict[str, Notification], Meta(description="Where notices go, by name: webhooks, Slack, e-mail, PagerDuty.")
    ] = {}
    privacy: Annotated[Privacy, Meta(description="What is kept of whose calls, and whether it is sealed.")] = Privacy()
    metrics: Annotated[Metrics, Meta(description="/metrics, for Prometheus.")] = Metrics()
