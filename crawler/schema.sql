-- The ledger of a crawl folder, schema version 2 (PRAGMA user_version).

CREATE TABLE ledger (
    uuid TEXT NOT NULL,             -- random, names this ledger; picture ids begin with 8 digits of it
    created_at TEXT NOT NULL        -- all times: ISO 8601, UTC
);

CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    site TEXT NOT NULL,             -- name in the description
    digest TEXT NOT NULL,           -- SHA-256 of what the description collects
    round INTEGER NOT NULL,         -- a round visits everything once and may take several runs
    user_agent TEXT NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT,                  -- NULL: still running, or killed
    outcome TEXT                    -- 'finished', 'incomplete', 'nothing' end the round
);

CREATE TABLE hosts (
    host TEXT PRIMARY KEY,
    started REAL NOT NULL,          -- start of the last request, seconds since 1970
    ended REAL                      -- its end; NULL while it runs, or when it was killed
) WITHOUT ROWID;

CREATE TABLE origins (              -- scheme, host and port that could not be asked
    origin TEXT PRIMARY KEY,
    not_before REAL NOT NULL DEFAULT 0, -- it asked to be left alone until then, seconds since 1970
    failures INTEGER NOT NULL DEFAULT 0,    -- runs in a row in which it was put aside
    failing_since TEXT,
    failed_at TEXT,
    resting INTEGER NOT NULL DEFAULT 0, -- 1: it answers, and wants to be left alone for a while
    reason TEXT
) WITHOUT ROWID;

CREATE TABLE targets (              -- every URL that was ever found, and what became of it
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    site TEXT NOT NULL,
    url TEXT NOT NULL,
    host TEXT NOT NULL,
    origin TEXT NOT NULL,           -- scheme, host and port
    kind TEXT NOT NULL CHECK (kind IN ('page', 'image')),
    depth INTEGER NOT NULL,         -- links followed since a start page
    barren INTEGER NOT NULL,        -- pages of a listing in a row that held nothing new
    page_number INTEGER,            -- of a listing
    round INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'postponed', 'done', 'failed', 'refused')),
    reason TEXT,
    status INTEGER,                 -- of the last HTTP response
    fetched_at TEXT,
    failures INTEGER NOT NULL DEFAULT 0,    -- times in a row that it could not be had
    failing_since TEXT,
    etag TEXT,
    last_modified TEXT,
    context TEXT NOT NULL,          -- JSON: what the page said of the picture
    UNIQUE (site, url)
);
CREATE INDEX targets_waiting ON targets (site, round, state, kind);

CREATE TABLE links (                -- which page names which target
    page_id INTEGER NOT NULL REFERENCES targets ON DELETE CASCADE,
    target_id INTEGER NOT NULL REFERENCES targets ON DELETE CASCADE,
    PRIMARY KEY (page_id, target_id)
) WITHOUT ROWID;
CREATE INDEX links_backwards ON links (target_id);

CREATE TABLE selectors (            -- how often each selector of a description matched
    site TEXT NOT NULL,
    digest TEXT NOT NULL,
    name TEXT NOT NULL,
    pages INTEGER NOT NULL,
    matches INTEGER NOT NULL,
    PRIMARY KEY (site, digest, name)
) WITHOUT ROWID;

CREATE TABLE inbox (                -- bodies that have arrived and are not yet stored as pictures
    target_id INTEGER PRIMARY KEY REFERENCES targets ON DELETE CASCADE,
    received_at TEXT NOT NULL,
    final_url TEXT NOT NULL,
    etag TEXT,
    last_modified TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    body BLOB NOT NULL
);

CREATE TABLE pictures (
    id INTEGER PRIMARY KEY AUTOINCREMENT,   -- never used again, also after a picture was forgotten
    sha256 TEXT NOT NULL UNIQUE,
    phash TEXT NOT NULL,            -- 16 hex digits
    colours BLOB,                   -- where which colours are; NULL: stored before version 2
    suffix TEXT NOT NULL,           -- the file is pictures/<2 digits>/<sha256><suffix>
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    stored_at TEXT NOT NULL,
    replaced_by INTEGER REFERENCES pictures     -- a larger copy was found; the file is gone
);

CREATE TABLE sources (              -- every URL that served a picture, duplicates included
    id INTEGER PRIMARY KEY,
    picture_id INTEGER NOT NULL REFERENCES pictures ON DELETE CASCADE,
    target_id INTEGER NOT NULL REFERENCES targets ON DELETE CASCADE,
    url TEXT NOT NULL,
    final_url TEXT NOT NULL,        -- after redirects
    fetched_at TEXT NOT NULL,
    etag TEXT,
    last_modified TEXT,
    relation TEXT NOT NULL CHECK (relation IN ('original', 'exact', 'near')),
    sha256 TEXT NOT NULL,           -- of what this URL served
    phash TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    page_url TEXT NOT NULL,         -- the page it was first found on
    title TEXT,
    author TEXT,
    licence TEXT,
    terms TEXT,
    tags TEXT NOT NULL,             -- JSON list
    attributes TEXT NOT NULL,       -- JSON object, such as {"hair": "blonde"}
    superseded_at TEXT,             -- since then the URL serves another picture
    gone_at TEXT,                   -- since then the URL does not, or must not, serve it any more
    gone_reason TEXT,
    gone_by TEXT CHECK (gone_by IN ('answer', 'page', 'rules')),    -- what said so
    gone_wish INTEGER NOT NULL DEFAULT 0    -- 1: its owner does not want it to be collected
);
CREATE INDEX sources_of ON sources (picture_id);
CREATE INDEX sources_from ON sources (target_id);

CREATE TABLE tombstones (           -- what must never be fetched or stored again
    kind TEXT NOT NULL CHECK (kind IN ('url', 'sha256', 'phash')),
    digest TEXT NOT NULL,           -- of a URL its SHA-256
    forgotten_at TEXT NOT NULL,
    PRIMARY KEY (kind, digest)
) WITHOUT ROWID;
