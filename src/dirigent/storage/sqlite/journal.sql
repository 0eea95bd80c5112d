-- The journal. An event names its predecessor in its stream, so a stream is read backwards from its head and
-- needs no index; `streams` holds every head a second time, which is how a missing event is noticed and named.

-- name: schema
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    stream   INTEGER NOT NULL,
    version  INTEGER NOT NULL,
    previous INTEGER NOT NULL,
    body     BLOB NOT NULL,
    digest   BLOB NOT NULL
) STRICT;

CREATE TABLE streams (
    id      INTEGER PRIMARY KEY,
    name    TEXT NOT NULL,
    version INTEGER NOT NULL,
    last    INTEGER NOT NULL,
    digest  BLOB NOT NULL
) STRICT;

CREATE UNIQUE INDEX streams_by_name ON streams (name);

CREATE TABLE payloads (
    hash    BLOB PRIMARY KEY,
    content BLOB NOT NULL
) STRICT;

-- name: guards
-- What was appended stays: whoever wants to change it has to take this away first, and the digests tell.
CREATE TRIGGER IF NOT EXISTS events_are_not_changed BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'an event of the journal is never changed'); END;
CREATE TRIGGER IF NOT EXISTS events_are_not_removed BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'an event of the journal is never removed'); END;

-- name: lift_guard
-- Only within one transaction, which puts it back: what is archived leaves its place and digest behind.
DROP TRIGGER IF EXISTS events_are_not_changed

-- name: blank
UPDATE events SET body = x'' WHERE position = ? AND digest = ? AND length(body) > 0

-- name: fill
UPDATE events SET body = ? WHERE position = ? AND length(body) = 0

-- name: drop_payload
DELETE FROM payloads WHERE hash = ?

-- name: bodies_with_payloads
SELECT body FROM events WHERE substr(body, 1, 13) = CAST('{"$payloads":' AS BLOB)

-- name: begin
BEGIN IMMEDIATE

-- name: commit
COMMIT

-- name: rollback
ROLLBACK

-- name: snapshot
BEGIN

-- name: set_meta
INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value

-- name: meta
SELECT value FROM meta WHERE key = ?

-- name: chain_name
-- What chains begin with besides the stream's name: from format 2 on the name of the journal.
SELECT CASE WHEN f.value >= 2 THEN n.value ELSE x'' END
FROM meta f, meta n WHERE f.key = 'format' AND n.key = 'journal'

-- name: tables
SELECT count(*) FROM sqlite_schema

-- name: append_event
INSERT INTO events (position, stream, version, previous, body, digest) VALUES (?, ?, ?, ?, ?, ?)

-- name: move_head
INSERT INTO streams (id, name, version, last, digest) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET version = excluded.version, last = excluded.last, digest = excluded.digest

-- name: keep_payload
INSERT INTO payloads (hash, content) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING

-- name: payload
SELECT content FROM payloads WHERE hash = ?

-- name: payload_hashes
SELECT rowid, hash FROM payloads NOT INDEXED

-- name: payload_at
SELECT content FROM payloads WHERE rowid = ?

-- name: head
SELECT s.id, s.version, s.last, s.digest, e.stream, e.version, e.digest
FROM streams s LEFT JOIN events e ON e.position = s.last
WHERE s.name = ?

-- name: stream
-- From the head backwards. CROSS JOIN keeps SQLite from walking over the whole table instead.
WITH RECURSIVE chain (position, version, previous) AS (
    SELECT position, version, previous FROM events WHERE position = :last
    UNION ALL
    SELECT e.position, e.version, e.previous
    FROM chain c CROSS JOIN events e ON e.position = c.previous AND e.position < c.position AND c.previous > 0
    WHERE c.version > :after
)
SELECT e.position, e.stream, e.version, e.body, e.digest
FROM chain c CROSS JOIN events e ON e.position = c.position

-- name: version_and_digest_at
SELECT version, digest FROM events WHERE position = ?

-- name: tail
SELECT e.position, e.stream, e.version, e.body, e.digest, CAST(s.name AS BLOB), p.digest
FROM events e
LEFT JOIN streams s ON s.id = e.stream
LEFT JOIN events p ON p.position = e.previous AND e.previous > 0
WHERE e.position > ?
ORDER BY e.position
LIMIT ?

-- name: rows
SELECT position, stream, version, previous, body, digest FROM events WHERE position > ? ORDER BY position LIMIT ?

-- name: row
SELECT position, stream, version, previous, body, digest FROM events WHERE position = ?

-- name: stream_of
SELECT stream FROM events WHERE position = ?

-- name: last_position
SELECT coalesce(max(position), 0) FROM events

-- name: digest_at
SELECT digest FROM events WHERE position = ?

-- name: heads
SELECT id, CAST(name AS BLOB), version, last, digest FROM streams NOT INDEXED ORDER BY id

-- name: names
SELECT id, CAST(name AS BLOB) FROM streams INDEXED BY streams_by_name

-- name: names_between
SELECT name FROM streams WHERE name >= ? AND name < ? ORDER BY name

-- name: head_at
SELECT version, last, digest FROM streams WHERE id = ?

-- name: survey
SELECT count(*), coalesce(max(id), 0), coalesce(sum(version), 0), coalesce(max(last), 0) FROM streams NOT INDEXED

-- name: unlisted_names
SELECT CAST(s.name AS BLOB) FROM streams s NOT INDEXED
WHERE NOT EXISTS (SELECT 1 FROM streams i INDEXED BY streams_by_name WHERE i.name = s.name AND i.id = s.id)

-- name: strange_names
SELECT CAST(i.name AS BLOB) FROM streams i INDEXED BY streams_by_name
WHERE NOT EXISTS (SELECT 1 FROM streams s NOT INDEXED WHERE s.id = i.id AND s.name = i.name)

-- name: integrity
PRAGMA integrity_check
