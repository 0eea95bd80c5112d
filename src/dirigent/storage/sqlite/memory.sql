-- What tenants have learned. Every tenant's words lie in an index of their own, so that neither a hit nor a score
-- depends on another tenant's items. {words} stands for that index; its name is made from a number alone.

-- name: schema
CREATE TABLE IF NOT EXISTS tenants (
    number INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE IF NOT EXISTS items (
    number     INTEGER PRIMARY KEY,
    tenant     TEXT NOT NULL,
    id         TEXT NOT NULL,
    kind       TEXT NOT NULL,
    text       TEXT NOT NULL,
    data       BLOB NOT NULL,
    created_at TEXT NOT NULL,
    source     TEXT NOT NULL,
    UNIQUE (tenant, id)
) STRICT;
CREATE INDEX IF NOT EXISTS items_by_age ON items (tenant, created_at);

-- name: add_tenant
INSERT INTO tenants (tenant) VALUES (?) RETURNING number

-- name: tenant_number
SELECT number FROM tenants WHERE tenant = ?

-- name: add_words
CREATE VIRTUAL TABLE {words} USING fts5 (text, content = '', contentless_delete = 1)

-- name: drop_item
DELETE FROM items WHERE tenant = ? AND id = ? RETURNING number

-- name: drop_words
DELETE FROM {words} WHERE rowid = ?

-- name: add_item
INSERT INTO items (tenant, id, kind, text, data, created_at, source) VALUES (?, ?, ?, ?, ?, ?, ?)
RETURNING number

-- name: index_item
INSERT INTO {words} (rowid, text) VALUES (?, ?)

-- name: count_items
SELECT count(*) FROM items WHERE tenant = ?

-- name: count_hits
SELECT count(*) FROM {words} WHERE {words} MATCH ?

-- name: search
SELECT i.id, i.kind, i.text, i.data, i.created_at, i.source, -bm25({words}) AS relevance
FROM {words} w JOIN items i ON i.number = w.rowid
WHERE {words} MATCH :words AND i.tenant = :tenant AND (:kind IS NULL OR i.kind = :kind)
ORDER BY relevance DESC, i.created_at DESC, i.id
LIMIT :limit

-- name: list
SELECT id, kind, text, data, created_at, source
FROM items
WHERE tenant = :tenant AND (:kind IS NULL OR kind = :kind)
ORDER BY created_at DESC, number DESC
LIMIT :limit
