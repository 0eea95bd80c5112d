-- Taking in one source: rows are staged beside the records (temporary tables, gone with the connection), then
-- merged into them in one transaction. `withdrawn` holds the keys that a rule of the mapping refused.

-- name: stage organizations
CREATE TEMP TABLE staged (
    line             INTEGER PRIMARY KEY,
    organization_id  TEXT NOT NULL,
    name             TEXT,
    sender_name      TEXT,
    sender_email     TEXT,
    postal_address   TEXT,
    unsubscribe_base TEXT
);

-- name: stage order_lines
CREATE TEMP TABLE staged (
    line          INTEGER PRIMARY KEY,
    order_id      TEXT NOT NULL,
    ordered_at    TEXT NOT NULL,
    customer_id   TEXT,
    customer_name TEXT,
    country       TEXT,
    sku           TEXT NOT NULL,
    description   TEXT,
    quantity      NUMBER NOT NULL,
    unit_price    REAL NOT NULL,
    kind          TEXT NOT NULL,
    goods         BOOLEAN NOT NULL
);

-- name: stage customers
CREATE TEMP TABLE staged (
    line        INTEGER PRIMARY KEY,
    customer_id TEXT NOT NULL,
    name        TEXT,
    country     TEXT
);

-- name: stage contacts
CREATE TEMP TABLE staged (
    line           INTEGER PRIMARY KEY,
    contact_id     TEXT NOT NULL,
    customer_id    TEXT,
    customer_name  TEXT,
    name           TEXT,
    role           TEXT,
    email          TEXT,
    country        TEXT,
    timezone       TEXT,
    consent        TEXT,
    consent_at     TEXT,
    consent_source TEXT,
    opted_out      BOOLEAN,
    source         TEXT
);

-- name: stage products
CREATE TEMP TABLE staged (
    line  INTEGER PRIMARY KEY,
    sku   TEXT NOT NULL,
    name  TEXT,
    price REAL
);

-- name: stage suppressions
CREATE TEMP TABLE staged (
    line    INTEGER PRIMARY KEY,
    address TEXT NOT NULL,
    reason  TEXT,
    at      TEXT
);

-- name: stage stock
CREATE TEMP TABLE staged (
    line           INTEGER PRIMARY KEY,
    product_id     TEXT NOT NULL,
    on_hand        NUMBER,
    reserved       NUMBER,
    reorder_point  NUMBER,
    lead_time_days INTEGER
);

-- name: stage brands
CREATE TEMP TABLE staged (
    line           INTEGER PRIMARY KEY,
    brand_id       TEXT NOT NULL,
    name           TEXT,
    terms          TEXT,
    banned_terms   TEXT,
    key_messages   TEXT,
    hashtags       TEXT,
    call_to_action TEXT,
    link           TEXT
);

-- name: stage withdrawn
CREATE TEMP TABLE withdrawn (key TEXT PRIMARY KEY) WITHOUT ROWID;

-- name: discard
DROP TABLE IF EXISTS temp.staged;
DROP TABLE IF EXISTS temp.withdrawn;

-- name: merge organizations
DELETE FROM organizations WHERE tenant = :tenant AND organization_id IN (SELECT key FROM withdrawn);
INSERT OR REPLACE INTO organizations
    (tenant, organization_id, name, sender_name, sender_email, postal_address, unsubscribe_base)
SELECT :tenant, organization_id, name, sender_name, sender_email, postal_address, unsubscribe_base FROM staged;

-- A source is the truth for every order it names: its lines take the place of those there were.
-- name: merge order_lines
DELETE FROM order_lines WHERE tenant = :tenant
    AND order_id IN (SELECT order_id FROM staged UNION SELECT key FROM withdrawn);
DELETE FROM orders WHERE tenant = :tenant
    AND order_id IN (SELECT order_id FROM staged UNION SELECT key FROM withdrawn);

INSERT INTO order_lines (tenant, order_id, line, sku, quantity, unit_price, kind, goods)
SELECT :tenant, order_id, row_number() OVER (PARTITION BY order_id ORDER BY line),
    sku, quantity, unit_price, kind, goods
FROM staged ORDER BY order_id, line;

INSERT INTO orders (tenant, order_id, customer_id, ordered_at, kind, value)
SELECT :tenant, order_id, max(customer_id), min(ordered_at),
    CASE min(CASE kind WHEN 'cancellation' THEN 1 WHEN 'sale' THEN 2 WHEN 'return' THEN 3 ELSE 4 END)
        WHEN 1 THEN 'cancellation' WHEN 2 THEN 'sale' WHEN 3 THEN 'return' ELSE 'adjustment' END,
    round(sum(quantity * unit_price), 4)
FROM staged GROUP BY order_id;

INSERT INTO customers (tenant, customer_id, first_seen)
SELECT :tenant, customer_id, min(ordered_at) FROM orders
WHERE tenant = :tenant AND customer_id IN (SELECT customer_id FROM staged) GROUP BY customer_id
ON CONFLICT DO UPDATE SET first_seen = excluded.first_seen;

-- With a bare max(), SQLite takes the other columns from the row that has it: the latest row counts.
INSERT INTO customers (tenant, customer_id, name, country)
SELECT :tenant, customer_id, customer_name, country FROM (
    SELECT customer_id, customer_name, country, max(ordered_at) FROM staged
    WHERE customer_id IS NOT NULL AND country IS NOT NULL GROUP BY customer_id
) WHERE true
ON CONFLICT DO UPDATE SET name = coalesce(excluded.name, name), country = excluded.country;

INSERT INTO products (tenant, sku, name, price)
SELECT :tenant, sku, description, unit_price FROM (
    SELECT sku, description, unit_price, max(ordered_at) FROM staged
    WHERE goods AND kind = 'sale' AND unit_price > 0 GROUP BY sku
) WHERE true
ON CONFLICT DO UPDATE SET name = coalesce(excluded.name, name), price = excluded.price;

-- Without figures SQLite takes a tenant for a handful of lines and goes through all of them to find a product's.
ANALYZE order_lines;

-- name: merge customers
DELETE FROM customers WHERE tenant = :tenant AND customer_id IN (SELECT key FROM withdrawn);
INSERT INTO customers (tenant, customer_id, name, country)
SELECT :tenant, customer_id, name, country FROM staged WHERE true
ON CONFLICT DO UPDATE SET name = coalesce(excluded.name, name), country = coalesce(excluded.country, country);

-- An opt-out on record outlives whatever a list says later.
-- name: merge contacts
DELETE FROM contacts WHERE tenant = :tenant AND contact_id IN (SELECT key FROM withdrawn);
INSERT INTO contacts (
    tenant, contact_id, customer_id, name, role, email, country, timezone,
    consent, consent_at, consent_source, opted_out, source
)
SELECT :tenant, contact_id, customer_id, name, role, email, country, timezone,
    coalesce(consent, 'none'), consent_at, consent_source, coalesce(opted_out, 0), source
FROM staged WHERE true
ON CONFLICT DO UPDATE SET
    customer_id = excluded.customer_id, name = excluded.name, role = excluded.role, email = excluded.email,
    country = excluded.country, timezone = excluded.timezone, consent = excluded.consent,
    consent_at = excluded.consent_at, consent_source = excluded.consent_source,
    opted_out = max(opted_out, excluded.opted_out), source = excluded.source;
INSERT INTO customers (tenant, customer_id, name, country)
SELECT :tenant, customer_id, max(customer_name), max(country) FROM staged
WHERE customer_id IS NOT NULL GROUP BY customer_id
ON CONFLICT DO UPDATE SET name = coalesce(excluded.name, name), country = coalesce(country, excluded.country);

-- name: merge products
DELETE FROM products WHERE tenant = :tenant AND sku IN (SELECT key FROM withdrawn);
INSERT INTO products (tenant, sku, name, price)
SELECT :tenant, sku, name, price FROM staged WHERE true
ON CONFLICT DO UPDATE SET name = coalesce(excluded.name, name), price = coalesce(excluded.price, price);

-- An address once suppressed stays so, with its first reason; a rule that refuses a row does not release it.
-- name: merge suppressions
INSERT INTO suppressions (tenant, address, reason, at)
SELECT :tenant, address, reason, at FROM staged WHERE true
ON CONFLICT DO NOTHING;

-- A list of stock is a count: the difference to what is on record is booked, so that the sum becomes what was counted.
-- A blank cell leaves things as they are. A rule that refuses a row takes no stock away.
-- name: merge stock
INSERT INTO stock_changes
    (tenant, change_id, product_id, delta, reserve, reorder_point, lead_time_days, reason, counted, at)
SELECT :tenant,
    'count ' || :imported_at || ' ' || (SELECT coalesce(max(rowid), 0) FROM stock_changes) || ' ' || product_id,
    product_id, delta, reserve, reorder_point, lead_time_days, 'count: ' || :source || ' line ' || line, 1, :imported_at
FROM (
    SELECT line, staged.product_id, staged.reorder_point, staged.lead_time_days,
        round(coalesce(staged.on_hand, kept.on_hand, 0) - coalesce(kept.on_hand, 0), 6) AS delta,
        round(coalesce(staged.reserved, kept.reserved, 0) - coalesce(kept.reserved, 0), 6) AS reserve,
        kept.product_id IS NULL
            OR coalesce(staged.reorder_point, kept.reorder_point) IS NOT kept.reorder_point
            OR coalesce(staged.lead_time_days, kept.lead_time_days) IS NOT kept.lead_time_days AS otherwise_new
    FROM staged LEFT JOIN _stock_sums AS kept ON kept.tenant = :tenant AND kept.product_id = staged.product_id
)
WHERE delta <> 0 OR reserve <> 0 OR otherwise_new;

-- name: merge brands
DELETE FROM brands WHERE tenant = :tenant AND brand_id IN (SELECT key FROM withdrawn);
INSERT OR REPLACE INTO brands
    (tenant, brand_id, name, terms, banned_terms, key_messages, hashtags, call_to_action, link)
SELECT :tenant, brand_id, name, terms, banned_terms, key_messages, hashtags, call_to_action, link
FROM staged WHERE true;

-- name: record import
INSERT OR REPLACE INTO imports
    (tenant, source, sha256, mapping_sha256, rows_taken, rows_mended, rows_refused, report, imported_at)
VALUES
    (:tenant, :source, :sha256, :mapping_sha256, :rows_taken, :rows_mended, :rows_refused, :report, :imported_at);

