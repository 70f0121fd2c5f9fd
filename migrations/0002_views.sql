-- Views for people, in plural, one a kind. They need nothing that a plain sqlite3 shell does not have.
--
-- Every row has the names of source, venue, market, base and counter (assets normalised: BTC is XBT).
-- Times come twice: as ns since the epoch (`time`, `received_at`) and as ISO 8601 text in UTC (`time_utc`,
-- `received_utc`). An arrival time of 0 stands for "unknown" (an import without times) and is NULL here.
-- Prices and quantities are exact decimals, as text, by the scale in force at that time. Text does not sort or add up
-- as numbers do, so the integers as stored follow at the end of a row, as `..._raw`. Where the scale is unknown the
-- decimal is NULL and the integer is all there is; where 64 bits are too few, the integer is NULL.
-- `side` is the order's (of a trade: the taker's). Quantities are positive; their `_raw` is negative to sell.
-- `frame` is the number of the journal record a row was concluded from.

CREATE INDEX trade_time ON trade (time);

-- The recording.

CREATE VIEW runs AS
SELECT id,
    started_at,
    strftime('%Y-%m-%dT%H:%M:%S', started_at / 1000000000, 'unixepoch')
        || printf('.%09dZ', started_at % 1000000000) AS started_utc,
    stopped_at,
    strftime('%Y-%m-%dT%H:%M:%S', stopped_at / 1000000000, 'unixepoch')
        || printf('.%09dZ', stopped_at % 1000000000) AS stopped_utc,
    durable_at,
    strftime('%Y-%m-%dT%H:%M:%S', durable_at / 1000000000, 'unixepoch')
        || printf('.%09dZ', durable_at % 1000000000) AS durable_utc,
    kind, outcome, version, sqlite_version, pid, config, durability, commit_interval_ns
FROM run;

CREATE VIEW sessions AS
SELECT c.id, c.run, s.name AS source, s.venue, c.url, c.peer,
    connecting_at,
    strftime('%Y-%m-%dT%H:%M:%S', connecting_at / 1000000000, 'unixepoch')
        || printf('.%09dZ', connecting_at % 1000000000) AS connecting_utc,
    opened_at,
    strftime('%Y-%m-%dT%H:%M:%S', opened_at / 1000000000, 'unixepoch')
        || printf('.%09dZ', opened_at % 1000000000) AS opened_utc,
    greeted_at,
    strftime('%Y-%m-%dT%H:%M:%S', greeted_at / 1000000000, 'unixepoch')
        || printf('.%09dZ', greeted_at % 1000000000) AS greeted_utc,
    authenticated_at,
    strftime('%Y-%m-%dT%H:%M:%S', authenticated_at / 1000000000, 'unixepoch')
        || printf('.%09dZ', authenticated_at % 1000000000) AS authenticated_utc,
    c.user,
    login_refused_at,
    strftime('%Y-%m-%dT%H:%M:%S', login_refused_at / 1000000000, 'unixepoch')
        || printf('.%09dZ', login_refused_at % 1000000000) AS login_refused_utc,
    c.login_error_code, c.login_error_message,
    closed_at,
    strftime('%Y-%m-%dT%H:%M:%S', closed_at / 1000000000, 'unixepoch')
        || printf('.%09dZ', closed_at % 1000000000) AS closed_utc,
    c.cause, c.code, c.detail
FROM session c JOIN source s ON s.id = c.source;

CREATE VIEW subscriptions AS
SELECT u.id, u.session, s.name AS source, s.venue, nullif(t.market, '') AS market, t.channel, t.detail,
    asked_at,
    strftime('%Y-%m-%dT%H:%M:%S', asked_at / 1000000000, 'unixepoch')
        || printf('.%09dZ', asked_at % 1000000000) AS asked_utc,
    acknowledged_at,
    strftime('%Y-%m-%dT%H:%M:%S', acknowledged_at / 1000000000, 'unixepoch')
        || printf('.%09dZ', acknowledged_at % 1000000000) AS acknowledged_utc,
    refused_at,
    strftime('%Y-%m-%dT%H:%M:%S', refused_at / 1000000000, 'unixepoch')
        || printf('.%09dZ', refused_at % 1000000000) AS refused_utc,
    u.error_code, u.error_message,
    first_data_at,
    strftime('%Y-%m-%dT%H:%M:%S', first_data_at / 1000000000, 'unixepoch')
        || printf('.%09dZ', first_data_at % 1000000000) AS first_data_utc,
    last_data_at,
    strftime('%Y-%m-%dT%H:%M:%S', last_data_at / 1000000000, 'unixepoch')
        || printf('.%09dZ', last_data_at % 1000000000) AS last_data_utc,
    u.frames,
    ended_at,
    strftime('%Y-%m-%dT%H:%M:%S', ended_at / 1000000000, 'unixepoch')
        || printf('.%09dZ', ended_at % 1000000000) AS ended_utc,
    u.cause
FROM subscription u JOIN stream t ON t.id = u.stream JOIN source s ON s.id = t.source;

CREATE VIEW commands AS
SELECT c.id, c.id >> 22 AS frame, c.session, s.name AS source, s.venue,
    sent_at,
    strftime('%Y-%m-%dT%H:%M:%S', sent_at / 1000000000, 'unixepoch')
        || printf('.%09dZ', sent_at % 1000000000) AS sent_utc,
    c.method, c.tag, nullif(t.market, '') AS market, t.channel
FROM command c JOIN session n ON n.id = c.session JOIN source s ON s.id = n.source
    LEFT JOIN stream t ON t.id = c.stream;

CREATE VIEW replies AS
SELECT r.id, r.id >> 22 AS frame, r.session, s.name AS source, s.venue,
    received_at,
    strftime('%Y-%m-%dT%H:%M:%S', received_at / 1000000000, 'unixepoch')
        || printf('.%09dZ', received_at % 1000000000) AS received_utc,
    r.tag, r.command_seq, r.method, r.error_code, r.error_message
FROM reply r JOIN session n ON n.id = r.session JOIN source s ON s.id = n.source;

CREATE VIEW frames_not_understood AS
SELECT u.id, u.id >> 22 AS frame, u.session, s.name AS source, s.venue,
    received_at,
    strftime('%Y-%m-%dT%H:%M:%S', received_at / 1000000000, 'unixepoch')
        || printf('.%09dZ', received_at % 1000000000) AS received_utc,
    u.reason, u.what, u.text, u.bytes
FROM not_understood u JOIN session n ON n.id = u.session JOIN source s ON s.id = n.source;

-- What can be said of a stream at a time: exactly one verdict, from its first transition to the last durable mark.
-- `proved` a counter or chain without a hole, `checked` checksums held, `consistent` no contradiction found,
-- `unverifiable` in doubt or without means to tell, `gap` not recorded or not surely (see `cause`).
-- A transition holds until the next. What a session concludes later takes back what it had concluded of that time: a
-- silence is noticed only after a while, and a contradiction puts in doubt what came before it.
CREATE VIEW coverage AS
WITH concluded AS (
    SELECT *, iif(session IS NULL, NULL, min(at) OVER later) AS taken_back_at FROM transition
    WINDOW later AS (PARTITION BY stream, session ORDER BY id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
),
held AS (
    SELECT *, lead(at) OVER (PARTITION BY stream ORDER BY at, id) AS until
    FROM concluded WHERE taken_back_at IS NULL OR at < taken_back_at
),
state AS (
    SELECT *, lag(state) OVER earlier IS state AND lag(reason) OVER earlier IS reason AS goes_on
    FROM held WHERE until IS NULL OR at < until
    WINDOW earlier AS (PARTITION BY stream ORDER BY at)
),
interval AS (
    SELECT *, at AS from_at,
        coalesce(lead(at) OVER (PARTITION BY stream ORDER BY at), (SELECT max(durable_at) FROM run)) AS to_at
    FROM state WHERE NOT goes_on
)
SELECT t.id AS stream, s.name AS source, s.venue, nullif(t.market, '') AS market, t.channel, t.detail,
    from_at,
    strftime('%Y-%m-%dT%H:%M:%S', from_at / 1000000000, 'unixepoch')
        || printf('.%09dZ', from_at % 1000000000) AS from_utc,
    to_at,
    strftime('%Y-%m-%dT%H:%M:%S', to_at / 1000000000, 'unixepoch')
        || printf('.%09dZ', to_at % 1000000000) AS to_utc,
    iif(i.state = 'gap', 'gap', i.reason) AS verdict,
    iif(i.state = 'gap', i.reason, NULL) AS cause,
    i.session, i.frame, i.evidence
FROM interval i JOIN stream t ON t.id = i.stream JOIN source s ON s.id = t.source
WHERE i.from_at < i.to_at;

CREATE VIEW findings AS                 -- what the checks found: a contradiction, or what changed unseen during a gap
SELECT f.id, f.id >> 22 AS frame, s.name AS source, s.venue, nullif(t.market, '') AS market, t.channel,
    nullif(f.received_at, 0) AS received_at,
    strftime('%Y-%m-%dT%H:%M:%S', nullif(f.received_at, 0) / 1000000000, 'unixepoch')
        || printf('.%09dZ', nullif(f.received_at, 0) % 1000000000) AS received_utc,
    f.check_name, f.is_contradiction,
    f.since,
    strftime('%Y-%m-%dT%H:%M:%S', f.since / 1000000000, 'unixepoch')
        || printf('.%09dZ', f.since % 1000000000) AS since_utc,
    f.evidence
FROM finding f JOIN stream t ON t.id = f.stream JOIN source s ON s.id = t.source;

CREATE VIEW gaps AS
SELECT stream, source, venue, market, channel, detail, from_at, from_utc, to_at, to_utc, cause, session, frame, evidence
FROM coverage WHERE verdict = 'gap';

-- What the venue lists.

CREATE VIEW assets AS
SELECT a.id, s.name AS source, s.venue, a.name AS asset, a.code, a.places, a.spot,
    a.valid_from,
    strftime('%Y-%m-%dT%H:%M:%S', a.valid_from / 1000000000, 'unixepoch')
        || printf('.%09dZ', a.valid_from % 1000000000) AS valid_from_utc,
    a.valid_to,
    strftime('%Y-%m-%dT%H:%M:%S', a.valid_to / 1000000000, 'unixepoch')
        || printf('.%09dZ', a.valid_to % 1000000000) AS valid_to_utc
FROM asset a JOIN source s ON s.id = a.source;

-- What the other views say of an instrument, and how to print its numbers: price, quantity and counter amount each have
-- a format and a unit (10^places), NULL if the scale is unknown (or beyond 18 places, where no unit fits 64 bits).
-- printf(format, sign, whole, fraction) is the decimal.
CREATE VIEW instrument_format AS
SELECT i.id AS instrument, s.name AS source, s.venue, m.name AS market, m.base, m.counter,
    iif(i.price_places = 0, '%s%d', iif(i.price_places <= 18, '%s%d.%0' || i.price_places || 'd', NULL)) AS pf,
    iif(i.price_places <= 18, CAST(substr('1000000000000000000', 1, i.price_places + 1) AS INTEGER), NULL) AS pu,
    iif(i.quantity_places = 0, '%s%d', iif(i.quantity_places <= 18, '%s%d.%0' || i.quantity_places || 'd', NULL)) AS qf,
    iif(i.quantity_places <= 18, CAST(substr('1000000000000000000', 1, i.quantity_places + 1) AS INTEGER), NULL) AS qu,
    iif(i.counter_places = 0, '%s%d', iif(i.counter_places <= 18, '%s%d.%0' || i.counter_places || 'd', NULL)) AS cf,
    iif(i.counter_places <= 18, CAST(substr('1000000000000000000', 1, i.counter_places + 1) AS INTEGER), NULL) AS cu
FROM instrument i JOIN market m ON m.id = i.market JOIN source s ON s.id = i.source;

CREATE VIEW asset_format AS               -- the same of an asset
SELECT a.id, s.name AS source, s.venue, a.name AS asset,
    iif(a.places = 0, '%s%d', iif(a.places <= 18, '%s%d.%0' || a.places || 'd', NULL)) AS qf,
    iif(a.places <= 18, CAST(substr('1000000000000000000', 1, a.places + 1) AS INTEGER), NULL) AS qu
FROM asset a JOIN source s ON s.id = a.source;

CREATE VIEW instruments AS
SELECT i.id, n.source, n.venue, n.market, n.base, n.counter, i.base_code, i.counter_code,
    i.price_places, i.quantity_places, i.counter_places,
    iif(i.tick IS NULL, NULL,
        printf(n.pf, iif(i.tick < 0 AND i.tick > -n.pu, '-', ''), i.tick / n.pu, abs(i.tick % n.pu))) AS tick,
    i.starts_at,
    strftime('%Y-%m-%dT%H:%M:%S', i.starts_at / 1000000000 - (i.starts_at % 1000000000 < 0), 'unixepoch')
        || printf('.%09dZ', (i.starts_at % 1000000000 + 1000000000) % 1000000000) AS starts_utc,
    i.expires_at,
    strftime('%Y-%m-%dT%H:%M:%S', i.expires_at / 1000000000 - (i.expires_at % 1000000000 < 0), 'unixepoch')
        || printf('.%09dZ', (i.expires_at % 1000000000 + 1000000000) % 1000000000) AS expires_utc,
    i.valid_from,
    strftime('%Y-%m-%dT%H:%M:%S', i.valid_from / 1000000000, 'unixepoch')
        || printf('.%09dZ', i.valid_from % 1000000000) AS valid_from_utc,
    i.valid_to,
    strftime('%Y-%m-%dT%H:%M:%S', i.valid_to / 1000000000, 'unixepoch')
        || printf('.%09dZ', i.valid_to % 1000000000) AS valid_to_utc,
    i.tick AS tick_raw
FROM instrument i JOIN instrument_format n ON n.instrument = i.id;

-- The market.

CREATE VIEW trades AS
SELECT t.id, t.id >> 22 AS frame, n.source, n.venue, m.name AS market, n.base, n.counter,
    t.time,
    strftime('%Y-%m-%dT%H:%M:%S', t.time / 1000000000 - (t.time % 1000000000 < 0), 'unixepoch')
        || printf('.%09dZ', (t.time % 1000000000 + 1000000000) % 1000000000) AS time_utc,
    nullif(t.received_at, 0) AS received_at,
    strftime('%Y-%m-%dT%H:%M:%S', nullif(t.received_at, 0) / 1000000000, 'unixepoch')
        || printf('.%09dZ', nullif(t.received_at, 0) % 1000000000) AS received_utc,
    coalesce(t.trade_id, d.trade_ref) AS trade_id,
    CASE t.taker_is_bid WHEN 1 THEN 'buy' WHEN 0 THEN 'sell' END AS side,
    iif(t.price IS NULL,
        (SELECT value FROM exact x WHERE x.id = t.id AND x.n = 0 AND x.field = 'price'),
        printf(n.pf, iif(t.price < 0 AND t.price > -n.pu, '-', ''), t.price / n.pu, abs(t.price % n.pu))) AS price,
    iif(t.quantity IS NULL,
        (SELECT value FROM exact x WHERE x.id = t.id AND x.n = 0 AND x.field = 'quantity'),
        printf(n.qf, iif(t.quantity < 0 AND t.quantity > -n.qu, '-', ''), t.quantity / n.qu,
            abs(t.quantity % n.qu))) AS quantity,
    iif(t.total IS NULL,
        (SELECT value FROM exact x WHERE x.id = t.id AND x.n = 0 AND x.field = 'total'),
        printf(n.cf, iif(t.total < 0 AND t.total > -n.cu, '-', ''), t.total / n.cu, abs(t.total % n.cu))) AS total,
    coalesce(t.bid_order, d.bid_ref) AS bid_order, coalesce(t.ask_order, d.ask_ref) AS ask_order,
    iif(t.bid_remaining IS NULL,
        (SELECT value FROM exact x WHERE x.id = t.id AND x.n = 0 AND x.field = 'bid_remaining'),
        printf(n.qf, iif(t.bid_remaining < 0 AND t.bid_remaining > -n.qu, '-', ''), t.bid_remaining / n.qu,
            abs(t.bid_remaining % n.qu))) AS bid_remaining,
    iif(t.ask_remaining IS NULL,
        (SELECT value FROM exact x WHERE x.id = t.id AND x.n = 0 AND x.field = 'ask_remaining'),
        printf(n.qf, iif(t.ask_remaining < 0 AND t.ask_remaining > -n.qu, '-', ''), t.ask_remaining / n.qu,
            abs(t.ask_remaining % n.qu))) AS ask_remaining,
    coalesce(d.own, 0) AS own, t.price AS price_raw, t.quantity AS quantity_raw, t.total AS total_raw
FROM trade t JOIN market m ON m.id = t.market CROSS JOIN instrument_format n ON n.instrument = t.instrument
    LEFT JOIN trade_detail d ON d.id = t.id;

CREATE VIEW order_events AS
SELECT e.id, e.id >> 22 AS frame, n.source, n.venue, n.market, n.base, n.counter,
    e.received_at - e.age AS time,
    strftime('%Y-%m-%dT%H:%M:%S', (e.received_at - e.age) / 1000000000
        - ((e.received_at - e.age) % 1000000000 < 0), 'unixepoch')
        || printf('.%09dZ', ((e.received_at - e.age) % 1000000000 + 1000000000) % 1000000000) AS time_utc,
    nullif(e.received_at, 0) AS received_at,
    strftime('%Y-%m-%dT%H:%M:%S', nullif(e.received_at, 0) / 1000000000, 'unixepoch')
        || printf('.%09dZ', nullif(e.received_at, 0) % 1000000000) AS received_utc,
    CASE e.kind WHEN 0 THEN 'opened' WHEN 1 THEN 'closed' WHEN 2 THEN 'modified' END AS kind,
    coalesce(e.order_id, d.order_ref) AS order_id,
    CASE WHEN e.quantity > 0 THEN 'buy' WHEN e.quantity < 0 THEN 'sell' WHEN e.quantity IS NULL THEN (SELECT
        iif(value LIKE '-%', 'sell', 'buy') FROM exact x WHERE x.id = e.id AND x.n = 0 AND x.field = 'quantity')
        END AS side,
    iif(e.price IS NULL,
        (SELECT value FROM exact x WHERE x.id = e.id AND x.n = 0 AND x.field = 'price'),
        printf(n.pf, iif(e.price < 0 AND e.price > -n.pu, '-', ''), e.price / n.pu, abs(e.price % n.pu))) AS price,
    ltrim(iif(e.quantity IS NULL,
        (SELECT value FROM exact x WHERE x.id = e.id AND x.n = 0 AND x.field = 'quantity'),
        printf(n.qf, iif(e.quantity < 0 AND e.quantity > -n.qu, '-', ''), e.quantity / n.qu,
            abs(e.quantity % n.qu))), '-') AS quantity,
    d.tonce, coalesce(d.own, 0) AS own, e.price AS price_raw, e.quantity AS quantity_raw
FROM order_event e CROSS JOIN instrument_format n ON n.instrument = e.instrument
    LEFT JOIN order_detail d ON d.id = e.id;

CREATE VIEW tickers AS                  -- `..._is`: absent (unchanged), null (none now) or value
SELECT t.id, t.id >> 22 AS frame, n.source, n.venue, n.market, n.base, n.counter,
    t.received_at - t.age AS time,
    strftime('%Y-%m-%dT%H:%M:%S', (t.received_at - t.age) / 1000000000
        - ((t.received_at - t.age) % 1000000000 < 0), 'unixepoch')
        || printf('.%09dZ', ((t.received_at - t.age) % 1000000000 + 1000000000) % 1000000000) AS time_utc,
    nullif(t.received_at, 0) AS received_at,
    strftime('%Y-%m-%dT%H:%M:%S', nullif(t.received_at, 0) / 1000000000, 'unixepoch')
        || printf('.%09dZ', nullif(t.received_at, 0) % 1000000000) AS received_utc,
    iif(t.kind, 'full', 'partial') AS kind,
    iif(t.last IS NULL,
        (SELECT value FROM exact x WHERE x.id = t.id AND x.n = 0 AND x.field = 'last'),
        printf(n.pf, iif(t.last < 0 AND t.last > -n.pu, '-', ''), t.last / n.pu, abs(t.last % n.pu))) AS last,
    iif(t.bid IS NULL,
        (SELECT value FROM exact x WHERE x.id = t.id AND x.n = 0 AND x.field = 'bid'),
        printf(n.pf, iif(t.bid < 0 AND t.bid > -n.pu, '-', ''), t.bid / n.pu, abs(t.bid % n.pu))) AS bid,
    iif(t.ask IS NULL,
        (SELECT value FROM exact x WHERE x.id = t.id AND x.n = 0 AND x.field = 'ask'),
        printf(n.pf, iif(t.ask < 0 AND t.ask > -n.pu, '-', ''), t.ask / n.pu, abs(t.ask % n.pu))) AS ask,
    iif(t.low IS NULL,
        (SELECT value FROM exact x WHERE x.id = t.id AND x.n = 0 AND x.field = 'low'),
        printf(n.pf, iif(t.low < 0 AND t.low > -n.pu, '-', ''), t.low / n.pu, abs(t.low % n.pu))) AS low,
    iif(t.high IS NULL,
        (SELECT value FROM exact x WHERE x.id = t.id AND x.n = 0 AND x.field = 'high'),
        printf(n.pf, iif(t.high < 0 AND t.high > -n.pu, '-', ''), t.high / n.pu, abs(t.high % n.pu))) AS high,
    iif(t.volume IS NULL,
        (SELECT value FROM exact x WHERE x.id = t.id AND x.n = 0 AND x.field = 'volume'),
        printf(n.qf, iif(t.volume < 0 AND t.volume > -n.qu, '-', ''), t.volume / n.qu,
            abs(t.volume % n.qu))) AS volume,
    CASE WHEN NOT t.present & 1 THEN 'absent' WHEN t.last IS NULL AND NOT EXISTS
        (SELECT 1 FROM exact x WHERE x.id = t.id AND x.n = 0 AND x.field = 'last') THEN 'null' ELSE 'value'
        END AS last_is,
    CASE WHEN NOT t.present & 2 THEN 'absent' WHEN t.bid IS NULL AND NOT EXISTS
        (SELECT 1 FROM exact x WHERE x.id = t.id AND x.n = 0 AND x.field = 'bid') THEN 'null' ELSE 'value'
        END AS bid_is,
    CASE WHEN NOT t.present & 4 THEN 'absent' WHEN t.ask IS NULL AND NOT EXISTS
        (SELECT 1 FROM exact x WHERE x.id = t.id AND x.n = 0 AND x.field = 'ask') THEN 'null' ELSE 'value'
        END AS ask_is,
    CASE WHEN NOT t.present & 8 THEN 'absent' WHEN t.low IS NULL AND NOT EXISTS
        (SELECT 1 FROM exact x WHERE x.id = t.id AND x.n = 0 AND x.field = 'low') THEN 'null' ELSE 'value'
        END AS low_is,
    CASE WHEN NOT t.present & 16 THEN 'absent' WHEN t.high IS NULL AND NOT EXISTS
        (SELECT 1 FROM exact x WHERE x.id = t.id AND x.n = 0 AND x.field = 'high') THEN 'null' ELSE 'value'
        END AS high_is,
    CASE WHEN NOT t.present & 32 THEN 'absent' WHEN t.volume IS NULL AND NOT EXISTS
        (SELECT 1 FROM exact x WHERE x.id = t.id AND x.n = 0 AND x.field = 'volume') THEN 'null' ELSE 'value'
        END AS volume_is,
    t.last AS last_raw, t.bid AS bid_raw, t.ask AS ask_raw, t.low AS low_raw, t.high AS high_raw, t.volume AS volume_raw
FROM ticker t CROSS JOIN instrument_format n ON n.instrument = t.instrument;

CREATE VIEW book_snapshots AS           -- `has_orders` 0: price levels
SELECT b.id, b.id >> 22 AS frame, n.source, n.venue, n.market, n.base, n.counter,
    nullif(b.received_at, 0) AS received_at,
    strftime('%Y-%m-%dT%H:%M:%S', nullif(b.received_at, 0) / 1000000000, 'unixepoch')
        || printf('.%09dZ', nullif(b.received_at, 0) % 1000000000) AS received_utc,
    b.has_orders, b.orders
FROM book_snapshot b CROSS JOIN instrument_format n ON n.instrument = b.instrument;

CREATE VIEW book_orders AS              -- the entries of the snapshots; a price level has no order_id
SELECT o.snapshot, o.n, o.snapshot >> 22 AS frame, n.source, n.venue, n.market, n.base, n.counter,
    nullif(b.received_at, 0) AS received_at,
    strftime('%Y-%m-%dT%H:%M:%S', nullif(b.received_at, 0) / 1000000000, 'unixepoch')
        || printf('.%09dZ', nullif(b.received_at, 0) % 1000000000) AS received_utc,
    coalesce(o.order_id, o.order_ref) AS order_id,
    CASE WHEN o.quantity > 0 THEN 'buy' WHEN o.quantity < 0 THEN 'sell' WHEN o.quantity IS NULL THEN (SELECT
        iif(value LIKE '-%', 'sell', 'buy') FROM exact x WHERE x.id = o.snapshot AND x.n = o.n AND x.field = 'quantity')
        END AS side,
    iif(o.price IS NULL,
        (SELECT value FROM exact x WHERE x.id = o.snapshot AND x.n = o.n AND x.field = 'price'),
        printf(n.pf, iif(o.price < 0 AND o.price > -n.pu, '-', ''), o.price / n.pu, abs(o.price % n.pu))) AS price,
    ltrim(iif(o.quantity IS NULL,
        (SELECT value FROM exact x WHERE x.id = o.snapshot AND x.n = o.n AND x.field = 'quantity'),
        printf(n.qf, iif(o.quantity < 0 AND o.quantity > -n.qu, '-', ''), o.quantity / n.qu,
            abs(o.quantity % n.qu))), '-') AS quantity,
    o.time,
    strftime('%Y-%m-%dT%H:%M:%S', o.time / 1000000000 - (o.time % 1000000000 < 0), 'unixepoch')
        || printf('.%09dZ', (o.time % 1000000000 + 1000000000) % 1000000000) AS time_utc,
    o.price AS price_raw, o.quantity AS quantity_raw
FROM book_snapshot b CROSS JOIN book_order o ON o.snapshot = b.id
    CROSS JOIN instrument_format n ON n.instrument = b.instrument;

CREATE VIEW estimates AS                -- asked for by quantity or by total
SELECT e.id, e.id >> 22 AS frame, n.source, n.venue, n.market, n.base, n.counter,
    nullif(e.received_at, 0) AS received_at,
    strftime('%Y-%m-%dT%H:%M:%S', nullif(e.received_at, 0) / 1000000000, 'unixepoch')
        || printf('.%09dZ', nullif(e.received_at, 0) % 1000000000) AS received_utc,
    CASE sign(coalesce(e.asked_quantity, e.asked_total)) WHEN 1 THEN 'buy' WHEN -1 THEN 'sell' END AS side,
    ltrim(iif(e.asked_quantity IS NULL,
        (SELECT value FROM exact x WHERE x.id = e.id AND x.n = 0 AND x.field = 'asked_quantity'),
        printf(n.qf, iif(e.asked_quantity < 0 AND e.asked_quantity > -n.qu, '-', ''), e.asked_quantity / n.qu,
            abs(e.asked_quantity % n.qu))), '-') AS asked_quantity,
    ltrim(iif(e.asked_total IS NULL,
        (SELECT value FROM exact x WHERE x.id = e.id AND x.n = 0 AND x.field = 'asked_total'),
        printf(n.cf, iif(e.asked_total < 0 AND e.asked_total > -n.cu, '-', ''), e.asked_total / n.cu,
            abs(e.asked_total % n.cu))), '-') AS asked_total,
    iif(e.quantity IS NULL,
        (SELECT value FROM exact x WHERE x.id = e.id AND x.n = 0 AND x.field = 'quantity'),
        printf(n.qf, iif(e.quantity < 0 AND e.quantity > -n.qu, '-', ''), e.quantity / n.qu,
            abs(e.quantity % n.qu))) AS quantity,
    iif(e.total IS NULL,
        (SELECT value FROM exact x WHERE x.id = e.id AND x.n = 0 AND x.field = 'total'),
        printf(n.cf, iif(e.total < 0 AND e.total > -n.cu, '-', ''), e.total / n.cu, abs(e.total % n.cu))) AS total,
    e.quantity AS quantity_raw, e.total AS total_raw
FROM estimate e CROSS JOIN instrument_format n ON n.instrument = e.instrument;

-- By minute of the venue's time, where it gives none of ours. A minute has two rows if the scale changed within it.
CREATE VIEW candles AS
SELECT g.source, n.venue, g.market, n.base, n.counter,
    g.minute_at,
    strftime('%Y-%m-%dT%H:%M:%S', g.minute_at / 1000000000, 'unixepoch')
        || printf('.%09dZ', g.minute_at % 1000000000) AS minute_utc,
    iif(o.price IS NULL,
        (SELECT value FROM exact x WHERE x.id = o.id AND x.n = 0 AND x.field = 'price'),
        printf(n.pf, iif(o.price < 0 AND o.price > -n.pu, '-', ''), o.price / n.pu, abs(o.price % n.pu))) AS open,
    iif(g.high IS NULL, NULL,
        printf(n.pf, iif(g.high < 0 AND g.high > -n.pu, '-', ''), g.high / n.pu, abs(g.high % n.pu))) AS high,
    iif(g.low IS NULL, NULL,
        printf(n.pf, iif(g.low < 0 AND g.low > -n.pu, '-', ''), g.low / n.pu, abs(g.low % n.pu))) AS low,
    iif(c.price IS NULL,
        (SELECT value FROM exact x WHERE x.id = c.id AND x.n = 0 AND x.field = 'price'),
        printf(n.pf, iif(c.price < 0 AND c.price > -n.pu, '-', ''), c.price / n.pu, abs(c.price % n.pu))) AS close,
    iif(g.volume IS NULL, NULL,
        printf(n.qf, iif(g.volume < 0 AND g.volume > -n.qu, '-', ''), g.volume / n.qu,
            abs(g.volume % n.qu))) AS volume,
    g.trades, o.price AS open_raw, g.high AS high_raw, g.low AS low_raw, c.price AS close_raw, g.volume AS volume_raw
FROM (
    SELECT source, market, minute * 60000000000 AS minute_at, count(*) AS trades,
        CAST(substr(min(place), 21) AS INTEGER) AS first, CAST(substr(max(place), 21) AS INTEGER) AS last,
        iif(count(price) = count(*), max(price), NULL) AS high,
        iif(count(price) = count(*), min(price), NULL) AS low,
        -- in two parts, because sum() fails beyond 64 bits
        iif(count(quantity) = count(*) AND abs(sum(quantity / 1000000000)) < 9000000000,
            sum(quantity / 1000000000) * 1000000000 + sum(quantity % 1000000000), NULL) AS volume
    FROM (
        SELECT s.name AS source, m.name AS market, i.price_places, i.quantity_places, t.price, t.quantity,
            coalesce(t.time, t.received_at) / 60000000000 AS minute,
            printf('%020d%020d', coalesce(t.time, t.received_at), t.id) AS place
        FROM trade t JOIN market m ON m.id = t.market CROSS JOIN instrument i ON i.id = t.instrument
            CROSS JOIN source s ON s.id = i.source
    )
    GROUP BY source, market, price_places, quantity_places, minute
) AS g
CROSS JOIN trade o ON o.id = g.first CROSS JOIN trade c ON c.id = g.last
CROSS JOIN instrument_format n ON n.instrument = o.instrument;

CREATE VIEW spread AS                   -- best bid and ask by the tickers; what a ticker leaves out is carried forward
SELECT r.id, r.id >> 22 AS frame, r.source, r.venue, r.market, r.base, r.counter,
    r.time,
    strftime('%Y-%m-%dT%H:%M:%S', r.time / 1000000000 - (r.time % 1000000000 < 0), 'unixepoch')
        || printf('.%09dZ', (r.time % 1000000000 + 1000000000) % 1000000000) AS time_utc,
    nullif(r.received_at, 0) AS received_at,
    strftime('%Y-%m-%dT%H:%M:%S', nullif(r.received_at, 0) / 1000000000, 'unixepoch')
        || printf('.%09dZ', nullif(r.received_at, 0) % 1000000000) AS received_utc,
    iif(b.bid IS NULL,
        (SELECT value FROM exact x WHERE x.id = b.id AND x.n = 0 AND x.field = 'bid'),
        printf(r.pf, iif(b.bid < 0 AND b.bid > -r.pu, '-', ''), b.bid / r.pu, abs(b.bid % r.pu))) AS bid,
    iif(a.ask IS NULL,
        (SELECT value FROM exact x WHERE x.id = a.id AND x.n = 0 AND x.field = 'ask'),
        printf(r.pf, iif(a.ask < 0 AND a.ask > -r.pu, '-', ''), a.ask / r.pu, abs(a.ask % r.pu))) AS ask,
    iif(typeof(a.ask - b.bid) = 'integer',
        printf(r.pf, iif(a.ask < b.bid AND a.ask - b.bid > -r.pu, '-', ''), (a.ask - b.bid) / r.pu,
            abs((a.ask - b.bid) % r.pu)),
        NULL) AS spread,
    b.bid AS bid_raw, a.ask AS ask_raw
FROM (
    SELECT t.id, t.received_at - t.age AS time, t.received_at, n.*,
        max(iif(t.present & 2, t.id, NULL)) OVER earlier AS bid_from,
        max(iif(t.present & 4, t.id, NULL)) OVER earlier AS ask_from
    FROM ticker t JOIN instrument_format n ON n.instrument = t.instrument
    WINDOW earlier AS (PARTITION BY n.source, n.market, n.pu ORDER BY t.id)
) AS r LEFT JOIN ticker b ON b.id = r.bid_from LEFT JOIN ticker a ON a.id = r.ask_from;

CREATE VIEW latency AS                  -- arrival less the venue's time, in ns, by minute of arrival
SELECT kind, source, venue, market, base, counter,
    minute_at,
    strftime('%Y-%m-%dT%H:%M:%S', minute_at / 1000000000, 'unixepoch')
        || printf('.%09dZ', minute_at % 1000000000) AS minute_utc,
    count, min_ns, mean_ns, max_ns
FROM (
    SELECT kind, source, venue, market, base, counter, received_at / 60000000000 * 60000000000 AS minute_at,
        count(*) AS count, min(age) AS min_ns, CAST(avg(age) AS INTEGER) AS mean_ns, max(age) AS max_ns
    FROM (
        SELECT 'order_event' AS kind, instrument, received_at, age FROM order_event
        UNION ALL SELECT 'trade', instrument, received_at, age FROM trade
        UNION ALL SELECT 'ticker', instrument, received_at, age FROM ticker
    ) CROSS JOIN instrument_format USING (instrument)
    WHERE received_at > 0 AND age IS NOT NULL
    GROUP BY kind, source, venue, market, base, counter, received_at / 60000000000
);
