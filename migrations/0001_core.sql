-- The tables of a recording. Everything typed is derived from the journal (frame_block) and can be derived again.
--
-- Keys. A record of the journal has a number, unique in the file, in the order of storing: `frame`. Its place within
-- its session is `seq`; frame_span leads from (session, seq) to the number and back. A typed row's id is
-- frame * 4194304 + (index of the event within that frame), so `id >> 22` is the frame a row came from.
--
-- Times are ns since the Unix epoch. `received_at` is ours, `time` the venue's. Where a table stores `age`
-- (received_at - time, which is small), `time` is received_at - age; NULL: the venue gave none. (It is a column
-- of its own only where it is indexed: a generated column costs every insert a fifth.)
--
-- Prices and quantities are integers at the scale of the instrument (or asset) version the row names. A number that
-- does not fit is NULL in its column and exact decimal text in `exact`.

CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    started_at INTEGER NOT NULL,
    stopped_at INTEGER,                 -- NULL: running, or ended without saying so
    durable_at INTEGER NOT NULL,        -- everything received until then is in the file (and more may be)
    kind TEXT NOT NULL,                 -- live, import
    version TEXT NOT NULL,              -- of feedtape
    sqlite_version TEXT NOT NULL,
    pid INTEGER NOT NULL,
    config TEXT NOT NULL,               -- path of the configuration, or of the capture imported
    durability TEXT NOT NULL,           -- power-loss, process-kill
    commit_interval_ns INTEGER NOT NULL,
    outcome TEXT                        -- stopped, killed; NULL while running
) STRICT;

CREATE TABLE source (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    venue TEXT NOT NULL
) STRICT;

CREATE TABLE session (                  -- one attempt at a connection
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run,
    source INTEGER NOT NULL REFERENCES source,
    url TEXT NOT NULL,
    peer TEXT,
    connecting_at INTEGER NOT NULL,
    opened_at INTEGER,
    greeted_at INTEGER,
    authenticated_at INTEGER,
    user TEXT,
    login_refused_at INTEGER,
    login_error_code INTEGER,
    login_error_message TEXT,
    closed_at INTEGER,
    cause TEXT,
    code INTEGER,                       -- close code or HTTP status
    detail TEXT
) STRICT;
CREATE INDEX session_source ON session (source, connecting_at);

-- The journal: records in order, many to a compressed block. See src/journal/block.rs for the format.
CREATE TABLE frame_block (
    first INTEGER PRIMARY KEY,          -- number of its first record
    frames INTEGER NOT NULL,            -- how many records, numbered first, first+1, ...
    from_at INTEGER NOT NULL,           -- earliest received_at
    to_at INTEGER NOT NULL,             -- latest received_at
    raw_bytes INTEGER NOT NULL,         -- of the bodies of its records
    codec INTEGER NOT NULL,             -- 1: a zstd frame with a checksum
    body BLOB NOT NULL
) STRICT;
CREATE INDEX frame_block_time ON frame_block (to_at);
CREATE TABLE frame_span (               -- where the records of a session lie; no matter how they lie in blocks
    session INTEGER NOT NULL,           -- 0: the recorder's own, which has no row in session
    first_seq INTEGER NOT NULL,
    frames INTEGER NOT NULL,
    first_frame INTEGER NOT NULL,       -- number of its first record; the others follow without a hole
    PRIMARY KEY (session, first_seq)
) STRICT, WITHOUT ROWID;

-- What the venue lists, by version.
CREATE TABLE asset (
    id INTEGER PRIMARY KEY,
    source INTEGER NOT NULL REFERENCES source,
    code INTEGER,                       -- NULL on venues without codes
    name TEXT NOT NULL,                 -- the code's digits if the catalog does not know it
    places INTEGER,                     -- decimal places of amounts; NULL if unknown
    spot TEXT,                          -- what a future settles in
    valid_from INTEGER NOT NULL,
    valid_to INTEGER                    -- NULL: in force
) STRICT;
CREATE INDEX asset_name ON asset (source, name, valid_from);
CREATE TABLE market (                   -- a market's name, whoever lists it
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,          -- as the venue spells it
    base TEXT NOT NULL,                 -- normalised (BTC is XBT)
    counter TEXT NOT NULL
) STRICT;
CREATE TABLE instrument (               -- a source's version of a market
    id INTEGER PRIMARY KEY,
    source INTEGER NOT NULL REFERENCES source,
    market INTEGER NOT NULL REFERENCES market,
    base TEXT NOT NULL,                 -- as the venue spells it
    counter TEXT NOT NULL,
    base_code INTEGER,
    counter_code INTEGER,
    price_places INTEGER,               -- NULL: unknown, numbers are as sent
    quantity_places INTEGER,
    counter_places INTEGER,             -- of totals and counter fees
    tick INTEGER,
    starts_at INTEGER,
    expires_at INTEGER,
    valid_from INTEGER NOT NULL,
    valid_to INTEGER
) STRICT;
CREATE INDEX instrument_market ON instrument (market, source, valid_from);

-- What is asked for, and what became of it.
CREATE TABLE stream (                   -- a subscription, poll or account stream across sessions
    id INTEGER PRIMARY KEY,
    source INTEGER NOT NULL REFERENCES source,
    channel TEXT NOT NULL,
    market TEXT NOT NULL,               -- '' where there is none
    detail TEXT NOT NULL,
    UNIQUE (source, channel, market, detail)
) STRICT;
CREATE TABLE subscription (             -- one session's asking for a stream
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES session,
    stream INTEGER NOT NULL REFERENCES stream,
    asked_at INTEGER NOT NULL,
    acknowledged_at INTEGER,
    refused_at INTEGER,
    error_code INTEGER,
    error_message TEXT,
    first_data_at INTEGER,
    last_data_at INTEGER,
    frames INTEGER NOT NULL DEFAULT 0,
    ended_at INTEGER,
    cause TEXT
) STRICT;
CREATE INDEX subscription_session ON subscription (session, stream);
CREATE INDEX subscription_stream ON subscription (stream, asked_at);
CREATE TABLE transition (               -- a stream's state from `at` to its next transition; together they partition time
    id INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL REFERENCES stream,
    at INTEGER NOT NULL,
    state TEXT NOT NULL,                -- covered, gap
    reason TEXT NOT NULL,               -- covered: proved, checked, consistent, unverifiable; gap: its cause
    session INTEGER REFERENCES session,
    frame INTEGER,                      -- the record that showed it
    evidence TEXT
) STRICT;
CREATE INDEX transition_stream ON transition (stream, at);
CREATE TABLE command (
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES session,
    sent_at INTEGER NOT NULL,
    method TEXT NOT NULL,
    tag INTEGER,
    stream INTEGER REFERENCES stream
) STRICT;
CREATE TABLE reply (
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES session,
    received_at INTEGER NOT NULL,
    tag INTEGER,
    command_seq INTEGER,                -- place of the command within the session
    method TEXT,
    error_code INTEGER,
    error_message TEXT
) STRICT;

-- The market. Append-only, in the order of storing.
CREATE TABLE order_event (
    id INTEGER PRIMARY KEY,
    instrument INTEGER NOT NULL REFERENCES instrument,
    kind INTEGER NOT NULL,              -- 0 opened, 1 closed, 2 modified
    order_id INTEGER,                   -- NULL: see order_detail
    price INTEGER,
    quantity INTEGER,                   -- left; positive bid, negative ask
    received_at INTEGER NOT NULL,
    age INTEGER
) STRICT;
CREATE TABLE order_detail (             -- of owners' copies, and of orders whose ids are no 64-bit integers
    id INTEGER PRIMARY KEY REFERENCES order_event,
    own INTEGER NOT NULL,               -- 1 the owner's copy
    has_tonce INTEGER NOT NULL,         -- 1 tonce was present
    tonce INTEGER,
    order_ref TEXT                      -- the id
) STRICT;
CREATE TABLE trade (
    id INTEGER PRIMARY KEY,
    market INTEGER NOT NULL REFERENCES market,
    instrument INTEGER NOT NULL REFERENCES instrument,
    trade_id INTEGER,                   -- NULL: none, or see trade_detail
    price INTEGER,
    quantity INTEGER,                   -- base, positive
    total INTEGER,                      -- counter, positive
    received_at INTEGER NOT NULL,
    age INTEGER,
    taker_is_bid INTEGER,
    bid_order INTEGER,                  -- NULL: a market order, or see trade_detail
    ask_order INTEGER,
    bid_remaining INTEGER,
    ask_remaining INTEGER,
    time INTEGER GENERATED ALWAYS AS (received_at - age) VIRTUAL
) STRICT;
CREATE INDEX trade_market_time ON trade (market, time);
CREATE TABLE trade_detail (             -- what only owners are told, fees, and ids that are no 64-bit integers
    id INTEGER PRIMARY KEY REFERENCES trade,
    own INTEGER NOT NULL,               -- 1 an owner's copy
    own_is_taker INTEGER,
    has_bid_tonce INTEGER NOT NULL,     -- 1 bid_tonce was present
    bid_tonce INTEGER,
    has_ask_tonce INTEGER NOT NULL,
    ask_tonce INTEGER,
    bid_base_fee INTEGER,
    bid_counter_fee INTEGER,
    ask_base_fee INTEGER,
    ask_counter_fee INTEGER,
    trade_ref TEXT,
    bid_ref TEXT,
    ask_ref TEXT
) STRICT;
CREATE TABLE ticker (
    id INTEGER PRIMARY KEY,
    instrument INTEGER NOT NULL REFERENCES instrument,
    kind INTEGER NOT NULL,              -- 0 partial, 1 full
    present INTEGER NOT NULL,           -- which fields came: 1 last 2 bid 4 ask 8 low 16 high 32 volume; present and NULL: "none now"
    last INTEGER,
    bid INTEGER,
    ask INTEGER,
    low INTEGER,
    high INTEGER,
    volume INTEGER,
    received_at INTEGER NOT NULL,
    age INTEGER
) STRICT;
CREATE TABLE book_snapshot (
    id INTEGER PRIMARY KEY,
    instrument INTEGER NOT NULL REFERENCES instrument,
    received_at INTEGER NOT NULL,
    events_from INTEGER NOT NULL,       -- order events with id >= this are applied on top (notices may overtake the reply)
    has_orders INTEGER NOT NULL,        -- 1 orders, 0 price levels without orders (the REST depth)
    orders INTEGER NOT NULL             -- how many entries
) STRICT;
CREATE TABLE book_order (
    snapshot INTEGER NOT NULL REFERENCES book_snapshot,
    n INTEGER NOT NULL,                 -- place within the snapshot, from 0
    order_id INTEGER,
    order_ref TEXT,
    price INTEGER,
    quantity INTEGER,                   -- positive bid, negative ask
    time INTEGER,
    PRIMARY KEY (snapshot, n)
) STRICT, WITHOUT ROWID;
CREATE TABLE estimate (
    id INTEGER PRIMARY KEY,
    instrument INTEGER NOT NULL REFERENCES instrument,
    received_at INTEGER NOT NULL,
    asked_quantity INTEGER,
    asked_total INTEGER,
    quantity INTEGER,
    total INTEGER
) STRICT;

-- The account.
CREATE TABLE balance (
    id INTEGER PRIMARY KEY,
    asset INTEGER NOT NULL REFERENCES asset,
    available INTEGER,
    reserved INTEGER,
    total INTEGER,
    is_snapshot INTEGER NOT NULL,       -- 1 part of a whole list, 0 a change
    received_at INTEGER NOT NULL
) STRICT;
CREATE TABLE trade_volume (
    id INTEGER PRIMARY KEY,
    asset INTEGER NOT NULL REFERENCES asset,
    volume INTEGER,
    received_at INTEGER NOT NULL
) STRICT;
CREATE TABLE own_order_list (           -- an answer with all open orders (or all that were just cancelled)
    id INTEGER PRIMARY KEY,
    source INTEGER NOT NULL REFERENCES source,
    cancelled INTEGER NOT NULL,
    orders INTEGER NOT NULL,
    received_at INTEGER NOT NULL
) STRICT;
CREATE TABLE own_order (
    list INTEGER NOT NULL REFERENCES own_order_list,
    n INTEGER NOT NULL,
    instrument INTEGER NOT NULL REFERENCES instrument,
    order_id INTEGER,
    order_ref TEXT,
    has_tonce INTEGER NOT NULL,         -- 1 tonce was present
    tonce INTEGER,
    price INTEGER,
    quantity INTEGER,
    time INTEGER,
    PRIMARY KEY (list, n)
) STRICT, WITHOUT ROWID;
CREATE TABLE order_reply (              -- the venue's answer to an order command of ours
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES session,
    method TEXT NOT NULL,
    instrument INTEGER REFERENCES instrument,
    order_id INTEGER,
    order_ref TEXT,
    has_tonce INTEGER NOT NULL,         -- 1 tonce was present
    tonce INTEGER,
    price INTEGER,
    quantity INTEGER,
    time INTEGER,
    remaining INTEGER,                  -- of a market order
    received_at INTEGER NOT NULL
) STRICT;

-- What does not fit elsewhere.
CREATE TABLE exact (                    -- numbers beyond 64 bits at their scale
    id INTEGER NOT NULL,                -- of the row whose column is NULL
    n INTEGER NOT NULL,                 -- place within a list (book_order, own_order), else 0
    field TEXT NOT NULL,                -- the column
    value TEXT NOT NULL,                -- the exact decimal, in whole units
    PRIMARY KEY (id, n, field)
) STRICT, WITHOUT ROWID;
CREATE TABLE not_understood (
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES session,
    received_at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    what TEXT NOT NULL,                 -- which part; '' for the whole frame
    text TEXT,                          -- the frame
    bytes BLOB                          -- the frame, where it is not UTF-8
) STRICT;
CREATE TABLE finding (                  -- what contradiction checks found while recording
    id INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL REFERENCES stream,
    received_at INTEGER NOT NULL,
    check_name TEXT NOT NULL,           -- opened_twice, wrong_remaining, crossed_book, ...
    is_contradiction INTEGER NOT NULL,  -- 0: what changed unseen during a gap
    since INTEGER NOT NULL,             -- from then until its next state the stream is in doubt
    evidence TEXT NOT NULL
) STRICT;
CREATE INDEX finding_stream ON finding (stream, received_at);
