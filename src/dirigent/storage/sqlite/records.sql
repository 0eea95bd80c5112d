-- Business records. The declared columns are what callers may name; the declared type says which JSON value
-- a column holds: TEXT, NUMBER, REAL, INTEGER, BOOLEAN, TIME_TEXT (a moment, UTC), JSON_TEXT, BLOB (text or bytes).
-- A constraint's name is read out to the user when it is broken. A table whose name begins with _ is worked out from
-- others by triggers; callers read it through its view, and nobody writes it.

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
CREATE INDEX IF NOT EXISTS order_lines_by_product ON order_lines (tenant, sku);

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

-- The ledger of stock. What is on hand and reserved is the sum of its changes; a reorder point and a lead time hold
-- until a later change names another. A row is written once: the same change again is passed over, so that a repeated
-- call counts once, and another change under its id is refused.
CREATE TABLE IF NOT EXISTS stock_changes (
    tenant         TEXT NOT NULL,
    change_id      TEXT NOT NULL,
    product_id     TEXT NOT NULL,
    delta          NUMBER NOT NULL,
    reserve        NUMBER NOT NULL DEFAULT 0,
    reorder_point  NUMBER,
    lead_time_days INTEGER,
    reason         TEXT NOT NULL,
    counted        BOOLEAN NOT NULL DEFAULT 0,
    at             TIME_TEXT NOT NULL,
    run_id         TEXT,
    step           TEXT,
    PRIMARY KEY (tenant, change_id)
);
CREATE INDEX IF NOT EXISTS stock_changes_by_product ON stock_changes (tenant, product_id, at);

CREATE TABLE IF NOT EXISTS _stock_sums (
    tenant         TEXT NOT NULL,
    product_id     TEXT NOT NULL,
    on_hand        NUMBER NOT NULL CONSTRAINT "stock on hand does not fall below zero" CHECK (on_hand >= 0),
    reserved       NUMBER NOT NULL CONSTRAINT "no more is set free than is reserved" CHECK (reserved >= 0),
    reorder_point  NUMBER CONSTRAINT "a reorder point is not negative" CHECK (reorder_point >= 0),
    lead_time_days INTEGER CONSTRAINT "a lead time is a whole number of days, not negative"
        CHECK (lead_time_days >= 0 AND lead_time_days = CAST(lead_time_days AS INTEGER)),
    PRIMARY KEY (tenant, product_id)
) WITHOUT ROWID;

CREATE VIEW IF NOT EXISTS stock AS
SELECT tenant, product_id, on_hand, reserved, reorder_point, lead_time_days FROM _stock_sums;

CREATE TRIGGER IF NOT EXISTS stock_changes_count_once BEFORE INSERT ON stock_changes
BEGIN
    SELECT CASE
        WHEN product_id = NEW.product_id AND delta = NEW.delta AND reserve = NEW.reserve THEN RAISE(IGNORE)
        ELSE RAISE(ABORT, 'another change of stock has this id')
    END
    FROM stock_changes WHERE tenant = NEW.tenant AND change_id = NEW.change_id;
END;

-- A count says what is there, even if it is less than was promised; nothing else takes what is reserved.
CREATE TRIGGER IF NOT EXISTS stock_changes_add_up AFTER INSERT ON stock_changes
BEGIN
    INSERT INTO _stock_sums (tenant, product_id, on_hand, reserved)
    SELECT NEW.tenant, NEW.product_id, 0, 0 WHERE NOT EXISTS (
        SELECT 1 FROM _stock_sums WHERE tenant = NEW.tenant AND product_id = NEW.product_id
    );
    UPDATE _stock_sums SET
        on_hand = round(on_hand + NEW.delta, 6),
        reserved = round(reserved + NEW.reserve, 6),
        reorder_point = coalesce(NEW.reorder_point, reorder_point),
        lead_time_days = coalesce(NEW.lead_time_days, lead_time_days)
    WHERE tenant = NEW.tenant AND product_id = NEW.product_id;
    SELECT RAISE(ABORT, 'what is reserved is not taken')
    FROM _stock_sums WHERE tenant = NEW.tenant AND product_id = NEW.product_id
        AND on_hand < reserved AND NEW.delta < NEW.reserve AND NOT NEW.counted;
END;

-- Brands: lists are texts with semicolons between the items, as a spreadsheet would have them.
CREATE TABLE IF NOT EXISTS brands (
    tenant         TEXT NOT NULL,
    brand_id       TEXT NOT NULL,
    name           TEXT,
    terms          TEXT,
    banned_terms   TEXT,
    key_messages   TEXT,
    hashtags       TEXT,
    call_to_action TEXT,
    link           TEXT,
    PRIMARY KEY (tenant, brand_id)
) WITHOUT ROWID;

-- Posts for social platforms. An id names one text for ever: another text is another row, and names what it replaces.
CREATE TABLE IF NOT EXISTS contents (
    tenant       TEXT NOT NULL,
    content_id   TEXT NOT NULL,
    brand_id     TEXT NOT NULL,
    topic        TEXT NOT NULL,
    platform     TEXT NOT NULL,
    text         TEXT NOT NULL,
    hashtags     JSON_TEXT NOT NULL,
    quality      INTEGER NOT NULL,
    brief        JSON_TEXT NOT NULL,
    replaces     TEXT,
    state        TEXT NOT NULL DEFAULT 'draft'
        CONSTRAINT "a post is a draft, scheduled or published" CHECK (state IN ('draft', 'scheduled', 'published')),
    scheduled_at TIME_TEXT,
    scheduled_by TEXT,
    published_at TIME_TEXT,
    external_id  TEXT,
    run_id       TEXT,
    created_at   TIME_TEXT NOT NULL,
    PRIMARY KEY (tenant, content_id)
);

-- What a post had brought by some time, in all since it was published.
CREATE TABLE IF NOT EXISTS content_figures (
    tenant      TEXT NOT NULL,
    content_id  TEXT NOT NULL,
    measured_at TIME_TEXT NOT NULL,
    impressions INTEGER NOT NULL CONSTRAINT "impressions are not negative" CHECK (impressions >= 0),
    engagement  INTEGER NOT NULL CONSTRAINT "engagement is not negative" CHECK (engagement >= 0),
    source      TEXT,
    PRIMARY KEY (tenant, content_id, measured_at)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS content_figures_by_time ON content_figures (tenant, measured_at);

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

PRAGMA user_version = 5;

-- name: as_of
SELECT max(ordered_at) FROM orders WHERE tenant = ?;
