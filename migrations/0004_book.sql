-- The order book at any time, order by order and by price level.
--
-- A book begins with a snapshot, and whenever as many events went by as make a new start worthwhile, all its orders are
-- written down again: a checkpoint. The book at any later time is a checkpoint and the events after it, found by index.
-- Checkpoints of snapshots are written with the snapshot, all others (and the spans) behind the live write, from the
-- rows that are committed: see src/store/books/.

-- How many orders of a side the venue tells at most: a side with as many may have more. NULL: a side is whole.
ALTER TABLE book_snapshot ADD COLUMN side_orders_max INTEGER;

CREATE TABLE book_checkpoint (
    id INTEGER PRIMARY KEY,             -- of the last row in it: a book_snapshot (its orders are in book_order), or
                                        -- an order_event or trade (they are in book_checkpoint_order)
    source INTEGER NOT NULL REFERENCES source,
    market INTEGER NOT NULL REFERENCES market,
    stream INTEGER REFERENCES stream,   -- whose coverage is the book's; NULL: nobody asked for it
    at INTEGER NOT NULL,                -- latest arrival in it (the venue's time, if no arrival is known)
    events_from INTEGER NOT NULL        -- events with id >= this are applied on top
) STRICT;
CREATE INDEX book_checkpoint_book ON book_checkpoint (market, source);
CREATE INDEX book_checkpoint_at ON book_checkpoint (market, source, at);
CREATE TABLE book_checkpoint_order (
    checkpoint INTEGER NOT NULL REFERENCES book_checkpoint,
    n INTEGER NOT NULL,                 -- place within the checkpoint, from 0
    order_id INTEGER,
    order_ref TEXT,
    instrument INTEGER NOT NULL REFERENCES instrument,
    price INTEGER,
    quantity INTEGER,                   -- left; positive bid, negative ask, 0 between its last match and its close
    PRIMARY KEY (checkpoint, n)
) STRICT, WITHOUT ROWID;

-- Where the events of an instrument lie among those of the others: order_event and trade have no index for that. Every
-- 4,096 events (rows of these two tables) one row for each instrument that has some of them.
CREATE TABLE book_span (
    instrument INTEGER NOT NULL,        -- 0: whatever comes after the last span, of any instrument
    first INTEGER NOT NULL,             -- id of its first event
    last INTEGER NOT NULL,              -- id of its last event
    frames TEXT,                        -- a JSON array of its frames, less that of `first`; NULL: it has so many events
                                        -- that all between first and last may as well be looked at
    PRIMARY KEY (instrument, first)
) STRICT, WITHOUT ROWID;
INSERT INTO book_span VALUES (0, 0, 9223372036854775807, NULL);
CREATE TABLE book_progress (            -- how far checkpoints and spans have come
    one INTEGER PRIMARY KEY CHECK (one = 1),
    through INTEGER NOT NULL,           -- id of the last event in them
    at INTEGER NOT NULL                 -- its arrival
) STRICT;
INSERT INTO book_progress VALUES (1, 0, 0);

CREATE INDEX transition_session ON transition (stream, session);

INSERT INTO book_checkpoint
SELECT b.id, i.source, i.market,
    (SELECT stream FROM command WHERE id BETWEEN b.events_from AND b.events_from | 4194303),
    b.received_at, b.events_from
FROM book_snapshot b JOIN instrument i ON i.id = b.instrument WHERE b.has_orders;

-- The three views below are asked with `at = <ns since 1970>` (or `at IN (…)`), and answer nothing without: `at` is the
-- hidden argument of json_each, so that they work like functions. `market` and `source` narrow them.
--
-- What is known of a book at a time, without a book in a gap.
CREATE VIEW book_at AS
SELECT j.json AS at, j.value AS at_ns, c.source AS source_id, c.market AS market_id, s.name AS source, s.venue,
    m.name AS market, m.base, m.counter, c.id AS checkpoint, c.events_from,
    coalesce((SELECT min(n.id) FROM book_checkpoint n
        WHERE n.market = c.market AND n.source = c.source AND n.id > c.id), 9223372036854775807) AS events_until,
    coalesce(v.reason, 'unverifiable') AS verdict,
    iif(v.id IS NULL, NULL, coalesce(n.at, (SELECT max(durable_at) FROM run))) AS verified_until
FROM json_each j CROSS JOIN market m CROSS JOIN source s
CROSS JOIN book_checkpoint c ON c.id = (
    SELECT id FROM book_checkpoint WHERE market = m.id AND source = s.id AND at <= j.value
    ORDER BY at DESC, id DESC LIMIT 1)
LEFT JOIN transition v ON v.id = (
    SELECT t.id FROM transition t WHERE t.stream = c.stream AND t.at <= j.value AND NOT EXISTS (
        SELECT 1 FROM transition l WHERE l.stream = t.stream AND l.session = t.session AND l.id > t.id AND l.at <= t.at)
    ORDER BY t.at DESC, t.id DESC LIMIT 1)
LEFT JOIN transition n ON n.id = (
    SELECT t.id FROM transition t WHERE t.stream = c.stream AND t.at > j.value
        AND NOT (t.state = v.state AND t.reason = v.reason) AND NOT EXISTS (
        SELECT 1 FROM transition l WHERE l.stream = t.stream AND l.session = t.session AND l.id > t.id AND l.at <= t.at)
    ORDER BY t.at, t.id LIMIT 1)
WHERE v.state IS NOT 'gap';

-- The orders of a book at a time. `place` counts from the best price of the side; among orders of one price, by id.
CREATE VIEW book AS
SELECT b.source, b.venue, b.market, b.base, b.counter, b.at,
    strftime('%Y-%m-%dT%H:%M:%S', b.at_ns / 1000000000, 'unixepoch')
        || printf('.%09dZ', b.at_ns % 1000000000) AS at_utc,
    b.verdict, b.verified_until,
    strftime('%Y-%m-%dT%H:%M:%S', b.verified_until / 1000000000, 'unixepoch')
        || printf('.%09dZ', b.verified_until % 1000000000) AS verified_until_utc,
    iif(json_extract(o.value, '$[3]') < 0, 'sell', 'buy') AS side,
    o.key + 1 - iif(json_extract(o.value, '$[3]') < 0, 0, json_extract(o.value, '$[4]')) AS place,
    json_extract(o.value, '$[0]') AS order_id,
    printf(f.pf, iif(json_extract(o.value, '$[2]') < 0 AND json_extract(o.value, '$[2]') > -f.pu, '-', ''),
        json_extract(o.value, '$[2]') / f.pu, abs(json_extract(o.value, '$[2]') % f.pu)) AS price,
    printf(f.qf, '', abs(json_extract(o.value, '$[3]') / f.qu), abs(json_extract(o.value, '$[3]') % f.qu)) AS quantity,
    json_extract(o.value, '$[2]') AS price_raw, json_extract(o.value, '$[3]') AS quantity_raw
FROM book_at b CROSS JOIN json_each((
    WITH
    -- from where to where events of the book may lie
    range AS MATERIALIZED (
        SELECT i.id AS instrument,
            max(b.events_from, p.first, coalesce((p.first >> 22) + f.value << 22, 0)) AS low,
            min(b.events_until - 1, p.last, coalesce(((p.first >> 22) + f.value << 22) + 4194303, p.last)) AS high
        FROM instrument i CROSS JOIN book_span p ON p.instrument IN (0, i.id) AND p.first < b.events_until
            AND p.first >= coalesce((SELECT max(first) FROM book_span
                WHERE instrument = p.instrument AND first <= b.events_from), 0)
        CROSS JOIN json_each(coalesce(p.frames, '[null]')) f
        WHERE i.market = b.market_id AND i.source = b.source_id
    ),
    -- what is stated of its orders, by the checkpoint and after it; kind 3: what a match left
    stated AS (
        SELECT coalesce(order_id, order_ref) AS order_id, 0 AS id, 0 AS kind, instrument, price, quantity
        FROM book_checkpoint_order WHERE checkpoint = b.checkpoint
        UNION ALL
        SELECT coalesce(o.order_id, o.order_ref), 0, 0, s.instrument, o.price, o.quantity
        FROM book_snapshot s CROSS JOIN book_order o ON o.snapshot = s.id WHERE s.id = b.checkpoint
        UNION ALL
        SELECT coalesce(e.order_id, (SELECT order_ref FROM order_detail WHERE id = e.id)), e.id, e.kind, e.instrument,
            e.price, e.quantity
        FROM range r CROSS JOIN order_event e ON e.id BETWEEN r.low AND r.high AND +e.instrument = r.instrument
            AND iif(e.received_at, e.received_at, -coalesce(e.age, 0)) <= b.at_ns
        UNION ALL
        SELECT coalesce(t.bid_order, (SELECT bid_ref FROM trade_detail WHERE id = t.id)), t.id, 3, NULL, NULL,
            t.bid_remaining
        FROM range r CROSS JOIN trade t ON t.id BETWEEN r.low AND r.high AND +t.instrument = r.instrument
            AND iif(t.received_at, t.received_at, -coalesce(t.age, 0)) <= b.at_ns
        UNION ALL
        SELECT coalesce(t.ask_order, (SELECT ask_ref FROM trade_detail WHERE id = t.id)), t.id, 3, NULL, NULL,
            -t.ask_remaining
        FROM range r CROSS JOIN trade t ON t.id BETWEEN r.low AND r.high AND +t.instrument = r.instrument
            AND iif(t.received_at, t.received_at, -coalesce(t.age, 0)) <= b.at_ns
    ),
    -- of each order, the last that its notices and the last that its matches state; the row of the greater id
    last AS (
        SELECT order_id, max(id) AS id, kind, instrument, price, quantity FROM stated GROUP BY order_id, kind = 3
    ),
    left AS (
        SELECT order_id, max(id), quantity, sum(instrument) AS instrument, sum(price) AS price FROM last
        GROUP BY order_id HAVING count(instrument) = 1 AND sum(kind) NOT IN (1, 4)
    )
    SELECT json_group_array(json_array(order_id, instrument, price, quantity, asks)) FROM (
        SELECT *, sum(quantity < 0) OVER () AS asks FROM left WHERE quantity IS NOT 0
        ORDER BY quantity >= 0, iif(quantity < 0, price, -price), order_id
    )
)) o CROSS JOIN instrument_format f ON f.instrument = json_extract(o.value, '$[1]');

-- A book at a time by price level. `level` counts from the best price of the side; `cumulative` is all from there on.
CREATE VIEW depth AS
SELECT b.source, b.venue, b.market, b.base, b.counter, b.at,
    strftime('%Y-%m-%dT%H:%M:%S', b.at_ns / 1000000000, 'unixepoch')
        || printf('.%09dZ', b.at_ns % 1000000000) AS at_utc,
    b.verdict, b.verified_until,
    strftime('%Y-%m-%dT%H:%M:%S', b.verified_until / 1000000000, 'unixepoch')
        || printf('.%09dZ', b.verified_until % 1000000000) AS verified_until_utc,
    json_extract(l.value, '$[0]') AS side, json_extract(l.value, '$[1]') AS level,
    json_extract(l.value, '$[2]') AS price,
    printf(f.qf, '', json_extract(l.value, '$[4]') / f.qu, json_extract(l.value, '$[4]') % f.qu) AS quantity,
    json_extract(l.value, '$[5]') AS orders,
    printf(f.qf, '', json_extract(l.value, '$[6]') / f.qu, json_extract(l.value, '$[6]') % f.qu) AS cumulative,
    json_extract(l.value, '$[3]') AS price_raw, json_extract(l.value, '$[4]') AS quantity_raw,
    json_extract(l.value, '$[6]') AS cumulative_raw
FROM book_at b CROSS JOIN json_each((
    -- quantities in two parts, because sum() fails beyond 64 bits
    WITH level AS (
        SELECT side, price, price_raw, sum(abs(quantity_raw / 1000000000)) AS high,
            sum(abs(quantity_raw % 1000000000)) AS low, count(*) AS orders, count(quantity_raw) = count(*) AS is_plain
        FROM book WHERE at = b.at AND market = b.market AND source = b.source GROUP BY side, price_raw
    ),
    ranked AS (
        SELECT *, row_number() OVER best AS level, sum(high) OVER best AS all_high, sum(low) OVER best AS all_low,
            min(is_plain) OVER best AS all_plain
        FROM level WINDOW best AS (PARTITION BY side ORDER BY iif(side = 'sell', price_raw, -price_raw))
    )
    SELECT json_group_array(json_array(side, level, price, price_raw,
        iif(is_plain AND high < 9000000000, high * 1000000000 + low, NULL), orders,
        iif(all_plain AND all_high < 9000000000, all_high * 1000000000 + all_low, NULL)))
    FROM (SELECT * FROM ranked ORDER BY side DESC, level)
)) l CROSS JOIN instrument_format f ON f.instrument = (
    SELECT max(id) FROM instrument WHERE market = b.market_id AND source = b.source_id AND valid_from <= b.at_ns);
