-- Business records. The declared columns are what callers may name; the declared type says which JSON value
-- a column holds: TEXT, NUMBER, REAL, INTEGER, BOOLEAN, TIME_TEXT (a moment, UTC), JSON_TEXT, BLOB (text or bytes).
-- A constraint's name is read out to the user when it is broken.

-- name: schema
CREATE TABLE IF NOT EXISTS organizations (
    tenant           TEXT NOT NULL,
    organization_id  TEXT NOT NULL,
    name             TEXT,
    sender_name      TEXT,
    sender_email     TEXT,
    postal_address   TEXT,
    unsubscribe_base TEXT,
    PRIMARY KEY (tenant, organization_id)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS customers (
    tenant      TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    name        TEXT,
    country     TEXT,
    first_seen  TIME_TEXT,
    PRIMARY KEY (tenant, customer_id)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS contacts (
    tenant         TEXT NOT NULL,
    contact_id     TEXT NOT NULL,
    customer_id    TEXT,
    name           TEXT,
    role           TEXT,
    email          TEXT,
    country        TEXT,
    timezone       TEXT,
    consent        TEXT NOT NULL DEFAULT 'none'
        CONSTRAINT "consent is none, express or soft_opt_in" CHECK (consent IN ('none', 'express', 'soft_opt_in')),
    consent_at     TIME_TEXT,
    consent_source TEXT,
    opted_out      BOOLEAN NOT NULL DEFAULT 0,
    source         TEXT,
    PRIMARY KEY (tenant, contact_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS contacts_by_customer ON contacts (tenant, customer_id);
CREATE INDEX IF NOT EXISTS contacts_by_email ON contacts (tenant, email);

CREATE TABLE IF NOT EXISTS products (
    tenant TEXT NOT NULL,
    sku    TEXT NOT NULL,
    name   TEXT,
    price  REAL,
    PRIMARY KEY (tenant, sku)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS orders (
    tenant      TEXT NOT NULL,
    order_id    TEXT NOT NULL,
    customer_id TEXT,
    ordered_at  TIME_TEXT NOT NULL,
    kind        TEXT NOT NULL DEFAULT 'sale'
        CONSTRAINT "an order's kind is sale, cancellation, return or adjustment"
        CHECK (kind IN ('sale', 'cancellation', 'return', 'adjustment')),
    value       REAL NOT NULL,
    PRIMARY KEY (tenant, order_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS orders_by_customer ON orders (tenant, customer_id, ordered_at);
CREATE INDEX IF NOT EXISTS orders_by_time ON orders (tenant, ordered_at);

CREATE TABLE IF NOT EXISTS order_lines (
    tenant     TEXT NOT NULL,
    order_id   TEXT NOT NULL,
    line       INTEGER NOT NULL,
    sku        TEXT NOT NULL,
    quantity   NUMBER NOT NULL,
    unit_price REAL NOT NULL,
    kind       TEXT NOT NULL DEFAULT 'sale'
        CONSTRAINT "a line's kind is sale, cancellation, return or adjustment"
        CHECK (kind IN ('sale', 'cancellation', 'return', 'adjustment')),
    goods      BOOLEAN NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant, order_id, line)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS messages (
    tenant       TEXT NOT NULL,
    message_id   TEXT NOT NULL,
    lead_id      TEXT,
    to_address   TEXT,
    from_address TEXT,
    subject      TEXT,
    content      BLOB,
    sha256       TEXT,
    state        TEXT NOT NULL,
    run_id       TEXT,
    created_at   TIME_TEXT,
    evidence     JSON_TEXT,
    PRIMARY KEY (tenant, message_id)
);
CREATE INDEX IF NOT EXISTS messages_by_lead ON messages (tenant, lead_id);
CREATE INDEX IF NOT EXISTS messages_by_run ON messages (tenant, run_id);

CREATE TABLE IF NOT EXISTS suppressions (
    tenant  TEXT NOT NULL,
    address TEXT NOT NULL,
    reason  TEXT,
    at      TIME_TEXT,
    PRIMARY KEY (tenant, address)
) WITHOUT ROWID;

-- What our own people are told: notifications, alerts and statuses.
CREATE TABLE IF NOT EXISTS notices (
    tenant     TEXT NOT NULL,
    notice_id  TEXT NOT NULL,
    kind       TEXT NOT NULL
        CONSTRAINT "a notice is a notification, an alert or a status"
        CHECK (kind IN ('notification', 'alert', 'status')),
    level      TEXT NOT NULL,
    message    TEXT NOT NULL,
    state      TEXT NOT NULL,
    run_id     TEXT,
    step       TEXT,
    created_at TIME_TEXT NOT NULL,
    data       JSON_TEXT,
    PRIMARY KEY (tenant, notice_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS notices_by_time ON notices (tenant, created_at);

CREATE TABLE IF NOT EXISTS imports (
    tenant         TEXT NOT NULL,
    source         TEXT NOT NULL,
    sha256         TEXT NOT NULL,
    mapping_sha256 TEXT NOT NULL,
    rows_taken     INTEGER NOT NULL,
    rows_mended    INTEGER NOT NULL,
    rows_refused   INTEGER NOT NULL,
    report         JSON_TEXT NOT NULL,
    imported_at    TIME_TEXT NOT NULL,
    PRIMARY KEY (tenant, source)
) WITHOUT ROWID;

PRAGMA user_version = 2;

-- name: as_of
SELECT max(ordered_at) FROM orders WHERE tenant = ?;
