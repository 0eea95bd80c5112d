-- Readings of the journal for lists and look-ups, kept in the same file and written in the same transaction as
-- the events they come from. They can be dropped and folded again at any time.

-- name: schema
CREATE TABLE executions (
    position     INTEGER PRIMARY KEY,
    execution_id TEXT NOT NULL UNIQUE,
    tenant       TEXT NOT NULL,
    workflow     TEXT NOT NULL,
    status       TEXT NOT NULL,
    trigger      TEXT NOT NULL,
    parent       TEXT,
    started_at   INTEGER NOT NULL,
    ended_at     INTEGER,
    summary      TEXT NOT NULL,
    forked_from  TEXT,
    paused       INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX executions_by_origin ON executions (forked_from, position) WHERE forked_from IS NOT NULL;
CREATE INDEX executions_by_tenant ON executions (tenant, position);
CREATE INDEX executions_by_parent ON executions (parent, position) WHERE parent IS NOT NULL;
CREATE INDEX executions_unfinished ON executions (position) WHERE ended_at IS NULL;

CREATE TABLE approvals (
    position     INTEGER PRIMARY KEY,
    approval_id  TEXT NOT NULL UNIQUE,
    execution_id TEXT NOT NULL,
    tenant       TEXT NOT NULL,
    step         TEXT NOT NULL,
    agent        TEXT NOT NULL,
    action       TEXT NOT NULL,
    risk         TEXT NOT NULL,
    reason       TEXT NOT NULL,
    kind         TEXT NOT NULL,
    payload_hash TEXT NOT NULL,
    preview      BLOB NOT NULL,
    requested_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    state        TEXT NOT NULL,
    decided_by   TEXT,
    decided_at   INTEGER,
    comment      TEXT NOT NULL DEFAULT '',
    deciders     TEXT NOT NULL DEFAULT '{}',
    votes        TEXT NOT NULL DEFAULT '[]'
) STRICT;
CREATE INDEX approvals_by_execution ON approvals (execution_id);
CREATE INDEX approvals_open ON approvals (execution_id) WHERE state = 'open';

-- It holds while no later event is at the head of the stream.
CREATE TABLE passive (
    position     INTEGER NOT NULL,
    execution_id TEXT PRIMARY KEY,
    until        INTEGER NOT NULL,
    moving       INTEGER NOT NULL,
    budget       REAL,
    spent        REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE outcomes (
    position     INTEGER PRIMARY KEY,
    execution_id TEXT NOT NULL,
    tenant       TEXT NOT NULL,
    step         TEXT NOT NULL,
    attempt      INTEGER NOT NULL,
    agent        TEXT NOT NULL,
    action       TEXT NOT NULL,
    inputs       TEXT NOT NULL,
    key          TEXT NOT NULL,
    payload_hash TEXT NOT NULL,
    reference    TEXT NOT NULL,
    sent_at      INTEGER NOT NULL,
    since        INTEGER NOT NULL,
    lookup       INTEGER NOT NULL,
    looks        INTEGER NOT NULL DEFAULT 0,
    call         TEXT NOT NULL,
    state        TEXT NOT NULL DEFAULT 'open',
    settled_by   TEXT,
    settled_at   INTEGER
) STRICT;
CREATE INDEX outcomes_by_step ON outcomes (execution_id, step) WHERE state = 'open';
CREATE INDEX outcomes_by_tenant ON outcomes (tenant, position);

CREATE TABLE waiting (
    position     INTEGER PRIMARY KEY,
    execution_id TEXT NOT NULL,
    tenant       TEXT NOT NULL,
    step         TEXT NOT NULL,
    event        TEXT NOT NULL,
    since        INTEGER NOT NULL,
    expires_at   INTEGER,
    UNIQUE (execution_id, step)
) STRICT;
CREATE INDEX waiting_by_event ON waiting (tenant, event);
CREATE INDEX waiting_by_pattern ON waiting (tenant) WHERE instr(event, '*');

-- Where in the journal the events of the business are. The key stands for tenant, source and id.
CREATE TABLE domain_events (
    position INTEGER PRIMARY KEY,
    key      BLOB NOT NULL,
    tenant   TEXT NOT NULL,
    type     TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX domain_events_by_key ON domain_events (key);

-- What became of every firing of a trigger; the first decision counts, and a start outdoes it.
CREATE TABLE firings (
    position       INTEGER PRIMARY KEY,
    execution_id   TEXT NOT NULL UNIQUE,
    tenant         TEXT NOT NULL,
    trigger        TEXT NOT NULL,
    workflow       TEXT NOT NULL,
    cause          TEXT NOT NULL,
    decision       TEXT NOT NULL,
    reason         TEXT NOT NULL,
    count          INTEGER NOT NULL,
    at             INTEGER NOT NULL,
    event_position INTEGER NOT NULL,
    due            INTEGER NOT NULL
) STRICT;
CREATE INDEX firings_by_trigger ON firings (tenant, trigger, position);
CREATE INDEX firings_queued ON firings (position) WHERE decision = 'queued';

-- Workflows by name, and their versions. The version in force is named twice, so that lists need no join.
CREATE TABLE workflows (
    position     INTEGER PRIMARY KEY,
    tenant       TEXT NOT NULL,
    name         TEXT NOT NULL,
    version      INTEGER NOT NULL,
    versions     INTEGER NOT NULL,
    content_hash TEXT NOT NULL,
    state        TEXT NOT NULL,
    changed_at   INTEGER NOT NULL,
    changed_by   TEXT NOT NULL,
    note         TEXT NOT NULL,
    UNIQUE (tenant, name)
) STRICT;

CREATE TABLE workflow_versions (
    position     INTEGER PRIMARY KEY,
    tenant       TEXT NOT NULL,
    name         TEXT NOT NULL,
    version      INTEGER NOT NULL,
    content_hash TEXT NOT NULL,
    saved_at     INTEGER NOT NULL,
    saved_by     TEXT NOT NULL,
    note         TEXT NOT NULL,
    UNIQUE (tenant, name, version)
) STRICT;

-- name: every_row_of_executions
SELECT * FROM executions NOT INDEXED ORDER BY position

-- name: every_row_of_approvals
SELECT * FROM approvals NOT INDEXED ORDER BY position

-- name: every_row_of_outcomes
SELECT * FROM outcomes NOT INDEXED ORDER BY position

-- name: every_row_of_waiting
SELECT * FROM waiting NOT INDEXED ORDER BY position

-- name: every_row_of_domain_events
SELECT * FROM domain_events NOT INDEXED ORDER BY position

-- name: every_row_of_firings
SELECT * FROM firings NOT INDEXED ORDER BY position

-- name: every_row_of_workflows
SELECT * FROM workflows NOT INDEXED ORDER BY position

-- name: every_row_of_workflow_versions
SELECT * FROM workflow_versions NOT INDEXED ORDER BY position

-- name: drop
DROP TABLE IF EXISTS executions;
DROP TABLE IF EXISTS passive;
DROP TABLE IF EXISTS approvals;
DROP TABLE IF EXISTS waiting;
DROP TABLE IF EXISTS outcomes;
DROP TABLE IF EXISTS domain_events;
DROP TABLE IF EXISTS firings;
DROP TABLE IF EXISTS workflows;
DROP TABLE IF EXISTS workflow_versions

-- name: execution_started
INSERT INTO executions (
    position, execution_id, tenant, workflow, status, trigger, parent, started_at, summary, forked_from
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING

-- name: execution_admitted
UPDATE executions SET status = 'running' WHERE execution_id = ? AND status = 'pending'

-- name: execution_paused
UPDATE executions
SET paused = 1, status = CASE WHEN status IN ('running', 'pending') THEN 'paused' ELSE status END
WHERE execution_id = ? AND ended_at IS NULL

-- name: execution_resumed
UPDATE executions
SET paused = 0, status = CASE WHEN status = 'paused' THEN 'running' ELSE status END
WHERE execution_id = ? AND ended_at IS NULL

-- name: cancel_requested
UPDATE executions SET status = 'cancelling', paused = 0 WHERE execution_id = ? AND status IN ('running', 'paused')

-- name: compensation_started
UPDATE executions SET status = 'compensating' WHERE execution_id = ? AND ended_at IS NULL

-- name: execution_ended
UPDATE executions SET status = ?, ended_at = ?, paused = 0 WHERE execution_id = ?

-- name: close_approvals
UPDATE approvals SET state = 'cancelled', decided_at = ? WHERE execution_id = ? AND state = 'open'

-- name: close_approvals_but_of_undoing
UPDATE approvals SET state = 'cancelled', decided_at = ?
WHERE execution_id = ? AND state = 'open' AND step NOT LIKE 'compensate:%'

-- name: close_approvals_of_step
UPDATE approvals SET state = 'cancelled', decided_at = ? WHERE execution_id = ? AND step = ? AND state = 'open'

-- name: approval_requested
INSERT INTO approvals (
    position, approval_id, execution_id, tenant, step, agent, action, risk, reason, kind, payload_hash, preview,
    requested_at, expires_at, state, deciders
)
VALUES (
    :position, :approval_id, :stream,
    coalesce((SELECT tenant FROM executions WHERE execution_id = :stream), ''),
    :step, :agent, :action, :risk, :reason, :kind, :payload, :preview, :at, :expires_at, 'open', :deciders
)
ON CONFLICT DO NOTHING

-- name: approval_voted
UPDATE approvals SET votes = json_insert(votes, '$[#]', json(?))
WHERE approval_id = ? AND execution_id = ? AND state = 'open'

-- name: approval_decided
UPDATE approvals SET state = ?, decided_by = ?, decided_at = ?, comment = ?
WHERE approval_id = ? AND execution_id = ? AND state = 'open'

-- name: outcome_unknown
INSERT INTO outcomes (
    position, execution_id, tenant, step, attempt, agent, action, inputs, key, payload_hash, reference, sent_at,
    since, lookup, call
)
VALUES (
    :position, :stream, coalesce((SELECT tenant FROM executions WHERE execution_id = :stream), ''),
    :step, :attempt, :agent, :action, :inputs, :key, :payload, :reference, :sent_at, :at, :lookup, :call
)

-- name: outcome_observed
UPDATE outcomes SET looks = looks + 1 WHERE execution_id = ? AND step = ? AND state = 'open'

-- name: outcome_resolved
UPDATE outcomes SET state = ?, settled_by = ?, settled_at = ?
WHERE execution_id = ? AND step = ? AND state = 'open'

-- name: outcomes_left
UPDATE outcomes SET state = 'left', settled_at = ? WHERE execution_id = ? AND state = 'open'

-- name: signal_awaited
INSERT INTO waiting (position, execution_id, tenant, step, event, since, expires_at)
VALUES (
    :position, :stream, coalesce((SELECT tenant FROM executions WHERE execution_id = :stream), ''),
    :step, :event, :at, nullif(:expires_at, 0)
)
ON CONFLICT DO NOTHING

-- name: wait_ended
DELETE FROM waiting WHERE execution_id = ? AND step = ?

-- name: waits_ended
DELETE FROM waiting WHERE execution_id = ?

-- name: executions
-- An execution waits for a person when it, or one that it started, has an open approval. The ids of all that an
-- execution started begin with its own and a slash; '0' is the character that follows the slash.
WITH shown AS (
    SELECT position, execution_id, tenant, workflow, trigger, parent, started_at, ended_at, summary, forked_from,
        paused,
        CASE
            WHEN status = 'running' AND (
                EXISTS (
                    SELECT 1 FROM approvals a WHERE a.state = 'open' AND a.execution_id = e.execution_id
                )
                OR EXISTS (
                    SELECT 1 FROM approvals a WHERE a.state = 'open'
                    AND a.execution_id > e.execution_id || '/' AND a.execution_id < e.execution_id || '0'
                )
            )
            THEN 'awaiting_approval'
            ELSE status
        END AS status
    FROM executions e
)
SELECT execution_id, tenant, workflow, status, trigger, parent, started_at, ended_at, summary, forked_from, paused
FROM shown
WHERE {where}
ORDER BY position DESC
LIMIT :limit

-- name: one_execution
execution_id = :execution_id

-- name: of_tenant
tenant = :tenant

-- name: of_parent
parent = :parent

-- name: of_origin
forked_from = :forked_from

-- name: without_parent
parent IS NULL

-- name: with_status
status IN (SELECT value FROM json_each(:statuses))

-- name: not_ended
ended_at IS NULL

-- name: all
TRUE

-- name: passive
SELECT p.execution_id, p.until, p.moving, p.budget, p.spent
FROM passive p JOIN streams s ON s.name = p.execution_id AND s.last = p.position
ORDER BY p.position

-- name: every_row_of_passive
SELECT * FROM passive ORDER BY execution_id

-- name: execution_passivated
INSERT OR REPLACE INTO passive (position, execution_id, until, moving, budget, spent)
SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE EXISTS (SELECT 1 FROM executions WHERE execution_id = ?2 AND ended_at IS NULL)

-- name: no_longer_passive
DELETE FROM passive WHERE execution_id = ?

-- name: begun_at
SELECT position FROM executions WHERE execution_id = :execution_id

-- name: unfinished
SELECT execution_id FROM executions WHERE ended_at IS NULL ORDER BY position

-- name: approvals
SELECT approval_id, execution_id, tenant, step, agent, action, risk, reason, kind, payload_hash, preview,
    requested_at, expires_at, state, decided_by, decided_at, comment, deciders, votes
FROM approvals
WHERE {where}
ORDER BY position

-- name: one_approval
approval_id = :approval_id

-- name: open
state = 'open'

-- name: in_state
state = :state

-- name: of_execution
(execution_id = :execution OR (execution_id > :execution || '/' AND execution_id < :execution || '0'))

-- name: waiting
SELECT execution_id, tenant, step, event, since, expires_at, position
FROM waiting
WHERE {where}
ORDER BY position

-- name: waiting_for
-- Those that wait for the name itself, and every pattern; whether a pattern means the name is for the caller to say.
SELECT execution_id, tenant, step, event, since, expires_at, position
FROM waiting
WHERE {where} AND event = :event AND NOT instr(event, '*')
UNION ALL
SELECT execution_id, tenant, step, event, since, expires_at, position
FROM waiting
WHERE {where} AND instr(event, '*')
ORDER BY position

-- name: in_execution
execution_id = :execution

-- name: event_published
INSERT INTO domain_events (position, key, tenant, type) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING

-- name: event_positions
SELECT key, position FROM domain_events WHERE key IN ({keys})

-- name: domain_events
SELECT e.position, e.stream, e.version, e.body, e.digest, CAST(s.name AS BLOB), p.digest
FROM (
    SELECT position FROM domain_events
    WHERE position > :after AND {where}
    ORDER BY position {order}
    LIMIT :limit
) d
CROSS JOIN events e ON e.position = d.position
LEFT JOIN streams s ON s.id = e.stream
LEFT JOIN events p ON p.position = e.previous AND e.previous > 0
ORDER BY e.position {order}

-- name: of_type
type = :type

-- name: of_types_below
-- Everything under `campaign.`; '/' is the character that follows the dot.
type > :type AND type < :beyond

-- name: firing_decided
INSERT INTO firings (
    position, execution_id, tenant, trigger, workflow, cause, decision, reason, count, at, event_position, due
)
VALUES (
    :position, :execution_id, :tenant, :trigger, :workflow, :cause, :decision, :reason, :count, :at,
    :event_position, :due
)
ON CONFLICT DO NOTHING

-- name: firing_started
INSERT INTO firings (
    position, execution_id, tenant, trigger, workflow, cause, decision, reason, count, at, event_position, due
)
VALUES (?, ?, ?, ?, ?, ?, 'started', '', 1, ?, 0, 0)
ON CONFLICT (execution_id) DO UPDATE SET decision = 'started'

-- name: firings
SELECT execution_id, tenant, trigger, workflow, cause, decision, reason, count, at, event_position, due
FROM firings
WHERE {where}
ORDER BY position DESC
LIMIT :limit

-- name: of_trigger
trigger = :trigger

-- name: of_decision
decision = :decision

-- name: firings_queued
SELECT execution_id, tenant, trigger, workflow, cause, decision, reason, count, at, event_position, due
FROM firings
WHERE decision = 'queued'
ORDER BY position

-- name: firings_running
SELECT f.execution_id, f.tenant, f.trigger, f.workflow, f.cause, f.decision, f.reason, f.count, f.at,
    f.event_position, f.due
FROM executions e CROSS JOIN firings f ON f.execution_id = e.execution_id
WHERE e.ended_at IS NULL AND f.decision = 'started'
ORDER BY e.position

-- name: firings_decided
SELECT execution_id FROM firings WHERE execution_id IN (SELECT value FROM json_each(?))

-- name: workflow_version_saved
INSERT INTO workflow_versions (position, tenant, name, version, content_hash, saved_at, saved_by, note)
VALUES (:position, :tenant, :workflow, :version, :content_hash, :at, :actor, :note)
ON CONFLICT DO NOTHING

-- name: workflow_in_force
INSERT INTO workflows (
    position, tenant, name, version, versions, content_hash, state, changed_at, changed_by, note
)
VALUES (:position, :tenant, :workflow, :version, :version, :content_hash, 'active', :at, :actor, :note)
ON CONFLICT (tenant, name) DO UPDATE SET
    version = excluded.version,
    versions = max(versions, excluded.version),
    content_hash = excluded.content_hash,
    changed_at = excluded.changed_at,
    changed_by = excluded.changed_by,
    note = excluded.note

-- name: workflow_state
UPDATE workflows SET state = ?, changed_at = ?, changed_by = ?, note = ? WHERE tenant = ? AND name = ?

-- name: workflows
SELECT tenant, name, version, versions, content_hash, state, changed_at, changed_by, note
FROM workflows
WHERE (:tenant IS NULL OR tenant = :tenant) AND (:name IS NULL OR name = :name)
ORDER BY tenant, name

-- name: workflow_versions
SELECT version, content_hash, saved_at, saved_by, note
FROM workflow_versions
WHERE tenant = ? AND name = ?
ORDER BY version

-- name: outcomes
SELECT execution_id, tenant, step, attempt, agent, action, inputs, key, payload_hash, reference, sent_at, since,
    lookup, looks, call, state, settled_by, settled_at
FROM outcomes
WHERE {where}
ORDER BY position
