-- What runs did, one row an attempt. `number` is the order in which they were put on record.

-- name: schema
CREATE TABLE IF NOT EXISTS attempts (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    trace_id TEXT NOT NULL,
    attempt  INTEGER NOT NULL,
    run_id   TEXT NOT NULL,
    tenant   TEXT NOT NULL,
    flow     TEXT NOT NULL,
    ended_at INTEGER NOT NULL,
    record   BLOB NOT NULL,
    events   BLOB NOT NULL,
    UNIQUE (trace_id, attempt)
) STRICT;
CREATE INDEX IF NOT EXISTS attempts_by_run ON attempts (run_id, number);
CREATE INDEX IF NOT EXISTS attempts_by_end ON attempts (ended_at);

-- name: keep
INSERT INTO attempts (trace_id, attempt, run_id, tenant, flow, ended_at, record, events)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (trace_id, attempt) DO UPDATE SET
    ended_at = excluded.ended_at, record = excluded.record, events = excluded.events

-- name: attempts
SELECT record, events FROM attempts WHERE run_id = ? ORDER BY number

-- name: runs
SELECT a.record FROM attempts a
WHERE (:tenant = '' OR a.tenant = :tenant) AND (:flow = '' OR a.flow = :flow)
    AND NOT EXISTS (SELECT 1 FROM attempts later WHERE later.run_id = a.run_id AND later.number > a.number)
ORDER BY a.number DESC LIMIT :limit

-- name: purge
DELETE FROM attempts WHERE ended_at <= ?
