-- Jobs by topic. `place` is the order in which they came; `handed_out` is the fencing token that goes into a
-- receipt, and never goes back. `lapses` counts holders who fell silent. Times are milliseconds since the epoch.

-- name: schema
CREATE TABLE IF NOT EXISTS jobs (
    place        INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id       TEXT NOT NULL UNIQUE,
    topic        TEXT NOT NULL,
    message      BLOB NOT NULL,
    digest       TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('ready', 'delayed', 'held', 'dead', 'done')),
    priority     INTEGER NOT NULL,
    attempts     INTEGER NOT NULL DEFAULT 0,
    max_attempts INTEGER NOT NULL,
    lapses       INTEGER NOT NULL DEFAULT 0,
    handed_out   INTEGER NOT NULL DEFAULT 0,
    receipt      TEXT NOT NULL DEFAULT '',
    failures     BLOB NOT NULL DEFAULT X'5B5D',
    replays      INTEGER NOT NULL DEFAULT 0,
    enqueued_at  INTEGER NOT NULL,
    visible_at   INTEGER NOT NULL,
    ended_at     INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS jobs_ready ON jobs (topic, priority DESC, place) WHERE state = 'ready';
CREATE INDEX IF NOT EXISTS jobs_due ON jobs (visible_at, topic) WHERE state IN ('delayed', 'held');
CREATE INDEX IF NOT EXISTS jobs_ended ON jobs (state, ended_at) WHERE state IN ('dead', 'done');

CREATE TABLE IF NOT EXISTS counts (
    topic TEXT NOT NULL,
    state TEXT NOT NULL,
    jobs  INTEGER NOT NULL,
    PRIMARY KEY (topic, state)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER IF NOT EXISTS count_in AFTER INSERT ON jobs BEGIN
    INSERT INTO counts VALUES (new.topic, new.state, 1) ON CONFLICT DO UPDATE SET jobs = jobs + 1;
END;
CREATE TRIGGER IF NOT EXISTS count_on AFTER UPDATE OF state ON jobs WHEN new.state <> old.state BEGIN
    UPDATE counts SET jobs = jobs - 1 WHERE topic = old.topic AND state = old.state;
    INSERT INTO counts VALUES (new.topic, new.state, 1) ON CONFLICT DO UPDATE SET jobs = jobs + 1;
END;
CREATE TRIGGER IF NOT EXISTS count_out AFTER DELETE ON jobs BEGIN
    UPDATE counts SET jobs = jobs - 1 WHERE topic = old.topic AND state = old.state;
END;

-- name: columns
job_id, topic, message, state, priority, attempts, max_attempts, enqueued_at, visible_at, receipt, failures, replays,
ended_at, place, lapses

-- name: digest
SELECT digest FROM jobs WHERE job_id = ?

-- name: open_jobs
SELECT coalesce(sum(jobs), 0) FROM counts WHERE topic = ? AND state IN ('ready', 'delayed', 'held')

-- name: add
INSERT INTO jobs (job_id, topic, message, digest, state, priority, max_attempts, enqueued_at, visible_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: anything
SELECT EXISTS (SELECT 1 FROM jobs WHERE topic = :topic AND state = 'ready')
    OR EXISTS (SELECT 1 FROM jobs WHERE visible_at <= :now AND topic = :topic AND state IN ('delayed', 'held'))

-- name: anything_due
SELECT EXISTS (SELECT 1 FROM jobs WHERE visible_at <= ? AND state IN ('delayed', 'held'))

-- name: due_now
UPDATE jobs SET state = 'ready' WHERE state = 'delayed' AND visible_at <= ?

-- name: lapsed
SELECT {columns} FROM jobs WHERE state = 'held' AND visible_at <= ? ORDER BY visible_at, place

-- name: lapse
UPDATE jobs SET state = ?, attempts = ?, lapses = lapses + 1, failures = ?, ended_at = ? WHERE place = ?

-- name: hand_out
UPDATE jobs
SET state = 'held', handed_out = handed_out + 1, receipt = place || '.' || (handed_out + 1), visible_at = :until
WHERE place = (
    SELECT place FROM jobs WHERE topic = :topic AND state = 'ready' ORDER BY priority DESC, place LIMIT 1
)
RETURNING {columns}

-- name: find
SELECT {columns} FROM jobs WHERE job_id = ?

-- name: done
UPDATE jobs SET state = 'done', receipt = '', message = X'7B7D', ended_at = ? WHERE place = ?

-- name: put
UPDATE jobs SET state = ?, attempts = ?, receipt = '', failures = ?, visible_at = ?, ended_at = ? WHERE place = ?

-- name: let_go
UPDATE jobs SET receipt = '' WHERE place = ?

-- name: extend
UPDATE jobs SET visible_at = ? WHERE place = ?

-- name: counts
SELECT c.topic, c.state, c.jobs,
    CASE c.state WHEN 'ready' THEN
        (SELECT min(j.enqueued_at) FROM jobs j WHERE j.topic = c.topic AND j.state = 'ready')
    END
FROM counts c WHERE c.jobs > 0 ORDER BY c.topic

-- name: list
SELECT {columns} FROM jobs
WHERE (:state = '' OR state = :state) AND (:topic = '' OR topic = :topic)
ORDER BY place LIMIT :limit

-- name: next_place
UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'jobs'

-- name: replay
UPDATE jobs
SET state = 'ready', attempts = 0, lapses = 0, receipt = '', replays = replays + 1, visible_at = :now, ended_at = 0,
    place = (SELECT seq FROM sqlite_sequence WHERE name = 'jobs')
WHERE place = :place
RETURNING {columns}

-- name: purge
DELETE FROM jobs WHERE state = ? AND ended_at <= ?

-- name: forget
DELETE FROM jobs WHERE place IN (SELECT place FROM jobs WHERE state = 'done' AND ended_at <= ? LIMIT 100)
