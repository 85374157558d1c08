-- Made by `python -m gateway.store.migrate --schema`; change tables.py and add a migration instead.

CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

CREATE TABLE answers (
    "key" BLOB NOT NULL,
    written_at INTEGER NOT NULL,
    until INTEGER NOT NULL,
    size INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY ("key")
);

CREATE TABLE audit (
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    actor VARCHAR NOT NULL,
    action VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    id VARCHAR NOT NULL,
    body_before BLOB,
    body_after BLOB,
    PRIMARY KEY (number)
);

CREATE TABLE billed (
    bill_id VARCHAR NOT NULL,
    request_id VARCHAR NOT NULL,
    billed_at INTEGER NOT NULL,
    PRIMARY KEY (bill_id)
);

CREATE TABLE carried_opens (
    request_id VARCHAR NOT NULL,
    journal VARCHAR NOT NULL,
    frame BLOB NOT NULL,
    PRIMARY KEY (request_id)
);

CREATE TABLE documents (
    kind VARCHAR NOT NULL,
    id VARCHAR NOT NULL,
    body BLOB NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
);

CREATE TABLE facts (
    name VARCHAR NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (name)
);

CREATE TABLE journal_positions (
    journal VARCHAR NOT NULL,
    segment INTEGER NOT NULL,
    byte_offset INTEGER NOT NULL,
    PRIMARY KEY (journal)
);

CREATE TABLE keys (
    key_hash VARCHAR NOT NULL,
    key_id VARCHAR NOT NULL,
    "key" TEXT NOT NULL,
    PRIMARY KEY (key_hash),
    CONSTRAINT key_hash CHECK (length(key_hash) > 0)
);

CREATE TABLE payloads (
    span INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (span)
);

CREATE TABLE rollups_daily (
    series INTEGER NOT NULL,
    start INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    cancelled INTEGER NOT NULL,
    interrupted INTEGER NOT NULL,
    unpriced INTEGER NOT NULL,
    cost_nanousd INTEGER NOT NULL,
    input_cost_nanousd INTEGER NOT NULL,
    output_cost_nanousd INTEGER NOT NULL,
    charge_nanousd INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cached_input_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    generation_us INTEGER NOT NULL,
    generation_tokens INTEGER NOT NULL,
    latency_sum INTEGER NOT NULL,
    latency_min INTEGER,
    latency_max INTEGER,
    latency_histogram BLOB,
    ttft_sum INTEGER NOT NULL,
    ttft_min INTEGER,
    ttft_max INTEGER,
    ttft_histogram BLOB,
    overhead_sum INTEGER NOT NULL,
    overhead_min INTEGER,
    overhead_max INTEGER,
    overhead_histogram BLOB, output_sum INTEGER DEFAULT 0 NOT NULL, output_min INTEGER, output_max INTEGER, output_histogram BLOB, saved_nanousd INTEGER DEFAULT 0 NOT NULL,
    PRIMARY KEY (series, start)
)
 WITHOUT ROWID;

CREATE TABLE rollups_hourly (
    series INTEGER NOT NULL,
    start INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    cancelled INTEGER NOT NULL,
    interrupted INTEGER NOT NULL,
    unpriced INTEGER NOT NULL,
    cost_nanousd INTEGER NOT NULL,
    input_cost_nanousd INTEGER NOT NULL,
    output_cost_nanousd INTEGER NOT NULL,
    charge_nanousd INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cached_input_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    generation_us INTEGER NOT NULL,
    generation_tokens INTEGER NOT NULL,
    latency_sum INTEGER NOT NULL,
    latency_min INTEGER,
    latency_max INTEGER,
    latency_histogram BLOB,
    ttft_sum INTEGER NOT NULL,
    ttft_min INTEGER,
    ttft_max INTEGER,
    ttft_histogram BLOB,
    overhead_sum INTEGER NOT NULL,
    overhead_min INTEGER,
    overhead_max INTEGER,
    overhead_histogram BLOB, output_sum INTEGER DEFAULT 0 NOT NULL, output_min INTEGER, output_max INTEGER, output_histogram BLOB, saved_nanousd INTEGER DEFAULT 0 NOT NULL,
    PRIMARY KEY (series, start)
)
 WITHOUT ROWID;

CREATE TABLE scopes (
    scope VARCHAR NOT NULL,
    value_count INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    rolled_up INTEGER NOT NULL,
    PRIMARY KEY (scope)
);

CREATE TABLE series (
    id INTEGER NOT NULL,
    labels VARCHAR NOT NULL,
    scope VARCHAR NOT NULL,
    value VARCHAR,
    calls INTEGER NOT NULL,
    tenant VARCHAR,
    environment VARCHAR,
    key_id VARCHAR,
    provider VARCHAR,
    model_requested VARCHAR,
    model VARCHAR,
    config VARCHAR,
    variant VARCHAR,
    kind VARCHAR,
    prompt VARCHAR,
    stream INTEGER,
    status_code INTEGER,
    error_type VARCHAR,
    outcome INTEGER, prompt_version INTEGER, config_version INTEGER, feature VARCHAR,
    PRIMARY KEY (id)
);

CREATE TABLE span_details (
    span INTEGER NOT NULL,
    error_message VARCHAR,
    input_preview VARCHAR,
    output_preview VARCHAR,
    tags VARCHAR,
    tool_calls VARCHAR,
    usage VARCHAR,
    usage_raw BLOB,
    attempts VARCHAR, also VARCHAR, priced_as VARCHAR,
    PRIMARY KEY (span)
);

CREATE TABLE span_tags (
    series INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    span INTEGER NOT NULL,
    PRIMARY KEY (series, started_at, span)
)
 WITHOUT ROWID;

CREATE TABLE spans (
    id INTEGER NOT NULL,
    request_id VARCHAR NOT NULL,
    trace_id VARCHAR,
    span_id VARCHAR,
    parent_span_id VARCHAR,
    kind VARCHAR NOT NULL,
    name VARCHAR,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    tenant VARCHAR,
    environment VARCHAR,
    key_id VARCHAR,
    user VARCHAR,
    session VARCHAR,
    feature VARCHAR,
    workflow VARCHAR,
    agent VARCHAR,
    config VARCHAR,
    variant VARCHAR,
    config_version INTEGER,
    prompt VARCHAR,
    prompt_version INTEGER,
    provider VARCHAR,
    endpoint VARCHAR,
    dialect VARCHAR,
    model_requested VARCHAR,
    model VARCHAR,
    response_id VARCHAR,
    upstream_request_id VARCHAR,
    client_request_id VARCHAR,
    stream INTEGER NOT NULL,
    status_code INTEGER,
    error_type VARCHAR,
    finish_reason VARCHAR,
    usage_source VARCHAR NOT NULL,
    service_tier VARCHAR,
    cost_nanousd INTEGER,
    input_cost_nanousd INTEGER,
    output_cost_nanousd INTEGER,
    charge_nanousd INTEGER,
    cost_source VARCHAR NOT NULL,
    price_id VARCHAR,
    latency_us INTEGER,
    ttft_us INTEGER,
    upstream_us INTEGER,
    overhead_us INTEGER,
    cache VARCHAR,
    input_tokens INTEGER,
    output_tokens INTEGER,
    cached_input_tokens INTEGER,
    cache_write_tokens INTEGER,
    reasoning_tokens INTEGER,
    unpriced INTEGER NOT NULL,
    outcome INTEGER NOT NULL, series INTEGER DEFAULT 0 NOT NULL, upstream_provider VARCHAR, saved_nanousd INTEGER,
    PRIMARY KEY (id)
);

CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE INDEX ix_answers_age ON answers (written_at, size);

CREATE INDEX ix_answers_until ON answers (until);

CREATE INDEX ix_audit_kind ON audit (kind, id);

CREATE INDEX ix_billed_billed_at ON billed (billed_at);

CREATE INDEX ix_carried_opens_journal ON carried_opens (journal);

CREATE INDEX ix_keys_key_id ON keys (key_id);

CREATE INDEX ix_payloads_started_at ON payloads (started_at);

CREATE UNIQUE INDEX ix_series_labels ON series (labels);

CREATE INDEX ix_series_scope ON series (scope, value);

CREATE INDEX ix_spans_cost ON spans (started_at / 3600000000, cost_nanousd);

CREATE INDEX ix_spans_latency ON spans (started_at / 3600000000, latency_us);

CREATE UNIQUE INDEX ix_spans_request_id ON spans (request_id);

CREATE INDEX ix_spans_series ON spans (series, started_at);

CREATE INDEX ix_spans_series_cost ON spans (series, started_at / 86400000000, cost_nanousd);

CREATE INDEX ix_spans_series_latency ON spans (series, started_at / 86400000000, latency_us);

CREATE INDEX ix_spans_session ON spans (session, started_at) WHERE session IS NOT NULL;

CREATE INDEX ix_spans_started_at ON spans (started_at);

CREATE INDEX ix_spans_trace ON spans (trace_id, started_at) WHERE trace_id IS NOT NULL;

CREATE INDEX ix_spans_unpriced ON spans (started_at) WHERE unpriced = 1;

CREATE INDEX ix_spans_user ON spans (user, started_at) WHERE user IS NOT NULL;

INSERT INTO alembic_version VALUES ('0009');
