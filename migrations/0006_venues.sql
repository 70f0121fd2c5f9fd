-- Venues that state decimals, price levels and identifiers of trades: what they need beyond 0001_core.sql, and the
-- views that hold over all venues. Formats as in 0002_views.sql.

CREATE TABLE stream_nature (            -- what a stream is by the venue's own account
    stream INTEGER PRIMARY KEY REFERENCES stream,
    time_unit_ns INTEGER,               -- how exact its times are; NULL: it has none, or that is not known
    integrity TEXT NOT NULL             -- what completeness is judged by: `chain by market`, `checksum by market`, `none`
) STRICT;

CREATE TABLE book_update (              -- price levels (L2): all of a book, or those that changed
    id INTEGER PRIMARY KEY,
    instrument INTEGER NOT NULL REFERENCES instrument,
    is_snapshot INTEGER NOT NULL,       -- 1 all levels, as deep as the subscription goes; 0 those that changed
    levels INTEGER NOT NULL,            -- how many
    events_from INTEGER NOT NULL,       -- of a snapshot: changes with id >= this and a last_seq above its own go on top
    first_seq INTEGER,                  -- the venue's numbers of the changes in it; NULL: not numbered, or no integers
    last_seq INTEGER,
    received_at INTEGER NOT NULL,
    age INTEGER
) STRICT;
CREATE INDEX book_update_instrument ON book_update (instrument, id);
CREATE TABLE book_level (
    id INTEGER NOT NULL REFERENCES book_update,
    n INTEGER NOT NULL,                 -- place within the update, from 0
    side INTEGER NOT NULL,              -- 0 bid, 1 ask
    price INTEGER,
    quantity INTEGER,                   -- all that is offered there, positive; 0: the level is gone
    PRIMARY KEY (id, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE ticker_quantity (          -- of tickers that say what is offered at the best prices
    id INTEGER PRIMARY KEY REFERENCES ticker,
    bid_quantity INTEGER,
    ask_quantity INTEGER
) STRICT;

CREATE TABLE control (                  -- what a venue says of itself
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES session,
    received_at INTEGER NOT NULL,
    kind TEXT NOT NULL,                 -- the venue's word: status, notice, serverShutdown
    detail TEXT NOT NULL
) STRICT;

CREATE INDEX trade_identity ON trade (trade_id) WHERE trade_id IS NOT NULL;
CREATE INDEX trade_reference ON trade_detail (trade_ref) WHERE trade_ref IS NOT NULL;

-- The rows of a source that are one trade: each with the first of them. What tells trades apart is the venue's
-- identifier; where there is none, market, time, orders, quantity and price.
CREATE VIEW trade_copy AS
SELECT t.id, CASE
    WHEN t.trade_id IS NOT NULL THEN (
        SELECT min(e.id) FROM trade e CROSS JOIN instrument j ON j.id = e.instrument
        WHERE e.trade_id = t.trade_id AND e.market = t.market AND j.source = i.source)
    WHEN d.trade_ref IS NOT NULL THEN (
        SELECT min(e.id) FROM trade_detail f CROSS JOIN trade e ON e.id = f.id CROSS JOIN instrument j ON j.id = e.instrument
        WHERE f.trade_ref = d.trade_ref AND e.market = t.market AND j.source = i.source)
    WHEN t.time IS NULL OR t.price IS NULL OR t.quantity IS NULL THEN t.id
    ELSE (
        SELECT min(e.id) FROM trade e CROSS JOIN instrument j ON j.id = e.instrument LEFT JOIN trade_detail f ON f.id = e.id
        WHERE e.market = t.market AND e.time = t.time AND e.price = t.price AND e.quantity = t.quantity
            AND e.bid_order IS t.bid_order AND e.ask_order IS t.ask_order
            AND f.bid_ref IS d.bid_ref AND f.ask_ref IS d.ask_ref
            AND e.trade_id IS NULL AND f.trade_ref IS NULL AND j.source = i.source)
    END AS first
FROM trade t CROSS JOIN instrument i ON i.id = t.instrument LEFT JOIN trade_detail d ON d.id = t.id;

DROP VIEW trades;
-- One row a trade and source: copies over other connections, and the account's own, are not told apart (`own` says
-- whether there is one of the latter).
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
    t.id IN (SELECT first FROM trade_copy WHERE id IN (SELECT id FROM trade_detail WHERE own)) AS own, t.price AS price_raw, t.quantity AS quantity_raw, t.total AS total_raw
FROM trade t JOIN market m ON m.id = t.market CROSS JOIN instrument_format n ON n.instrument = t.instrument
    LEFT JOIN trade_detail d ON d.id = t.id
WHERE t.id = (SELECT first FROM trade_copy c WHERE c.id = t.id);

DROP VIEW candles;
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
        WHERE t.id = (SELECT first FROM trade_copy c WHERE c.id = t.id)
    )
    GROUP BY source, market, price_places, quantity_places, minute
) AS g
CROSS JOIN trade o ON o.id = g.first CROSS JOIN trade c ON c.id = g.last
CROSS JOIN instrument_format n ON n.instrument = o.instrument;

DROP VIEW tickers;
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
    iif(d.bid_quantity IS NULL,
        (SELECT value FROM exact x WHERE x.id = t.id AND x.n = 0 AND x.field = 'bid_quantity'),
        printf(n.qf, iif(d.bid_quantity < 0 AND d.bid_quantity > -n.qu, '-', ''), d.bid_quantity / n.qu,
            abs(d.bid_quantity % n.qu))) AS bid_quantity,
    iif(d.ask_quantity IS NULL,
        (SELECT value FROM exact x WHERE x.id = t.id AND x.n = 0 AND x.field = 'ask_quantity'),
        printf(n.qf, iif(d.ask_quantity < 0 AND d.ask_quantity > -n.qu, '-', ''), d.ask_quantity / n.qu,
            abs(d.ask_quantity % n.qu))) AS ask_quantity,
    t.last AS last_raw, t.bid AS bid_raw, t.ask AS ask_raw, t.low AS low_raw, t.high AS high_raw, t.volume AS volume_raw
FROM ticker t CROSS JOIN instrument_format n ON n.instrument = t.instrument
    LEFT JOIN ticker_quantity d ON d.id = t.id;

CREATE VIEW streams AS
SELECT t.id AS stream, s.name AS source, s.venue, nullif(t.market, '') AS market, t.channel, t.detail,
    n.time_unit_ns, n.integrity
FROM stream t JOIN source s ON s.id = t.source LEFT JOIN stream_nature n ON n.stream = t.id;

CREATE VIEW book_levels AS              -- `is_snapshot` 1: the levels of this `frame` are all there are
SELECT u.id, l.n, u.id >> 22 AS frame, f.source, f.venue, f.market, f.base, f.counter,
    u.received_at - u.age AS time,
    strftime('%Y-%m-%dT%H:%M:%S', (u.received_at - u.age) / 1000000000 - ((u.received_at - u.age) % 1000000000 < 0), 'unixepoch')
        || printf('.%09dZ', ((u.received_at - u.age) % 1000000000 + 1000000000) % 1000000000) AS time_utc,
    nullif(u.received_at, 0) AS received_at,
    strftime('%Y-%m-%dT%H:%M:%S', nullif(u.received_at, 0) / 1000000000, 'unixepoch')
        || printf('.%09dZ', nullif(u.received_at, 0) % 1000000000) AS received_utc,
    u.is_snapshot, u.first_seq, u.last_seq,
    iif(l.side, 'ask', 'bid') AS side,
    iif(l.price IS NULL,
        (SELECT value FROM exact x WHERE x.id = l.id AND x.n = l.n AND x.field = 'price'),
        printf(f.pf, iif(l.price < 0 AND l.price > -f.pu, '-', ''), l.price / f.pu, abs(l.price % f.pu))) AS price,
    iif(l.quantity IS NULL,
        (SELECT value FROM exact x WHERE x.id = l.id AND x.n = l.n AND x.field = 'quantity'),
        printf(f.qf, '', l.quantity / f.qu, l.quantity % f.qu)) AS quantity,
    l.price AS price_raw, l.quantity AS quantity_raw
FROM book_update u CROSS JOIN instrument_format f ON f.instrument = u.instrument
    CROSS JOIN book_level l ON l.id = u.id;

CREATE VIEW controls AS
SELECT c.id, c.id >> 22 AS frame, c.session, s.name AS source, s.venue,
    nullif(c.received_at, 0) AS received_at,
    strftime('%Y-%m-%dT%H:%M:%S', nullif(c.received_at, 0) / 1000000000, 'unixepoch')
        || printf('.%09dZ', nullif(c.received_at, 0) % 1000000000) AS received_utc,
    c.kind, c.detail
FROM control c JOIN session n ON n.id = c.session JOIN source s ON s.id = n.source;

-- Own copies of a trade that came before, over another connection or in another snapshot.
CREATE VIEW fill_again AS
SELECT d.id FROM trade_detail d CROSS JOIN trade t ON t.id = d.id CROSS JOIN instrument i ON i.id = t.instrument
WHERE d.own AND (t.trade_id IS NOT NULL OR d.trade_ref IS NOT NULL) AND EXISTS (
    SELECT 1 FROM trade_detail o CROSS JOIN trade e ON e.id = o.id CROSS JOIN instrument j ON j.id = e.instrument
    WHERE o.own AND o.id < d.id AND e.market = t.market AND j.source = i.source
        AND e.trade_id IS t.trade_id AND o.trade_ref IS d.trade_ref
        AND coalesce(e.bid_order, o.bid_ref) IS coalesce(t.bid_order, d.bid_ref)
        AND coalesce(e.ask_order, o.ask_ref) IS coalesce(t.ask_order, d.ask_ref));

DROP VIEW fills;
CREATE VIEW fills AS                    -- the account's side of trades; a trade with oneself is two fills
SELECT f.id, f.id >> 22 AS frame, n.source, n.venue, n.market, n.base, n.counter,
    f.time,
    strftime('%Y-%m-%dT%H:%M:%S', f.time / 1000000000 - (f.time % 1000000000 < 0), 'unixepoch')
        || printf('.%09dZ', (f.time % 1000000000 + 1000000000) % 1000000000) AS time_utc,
    nullif(f.received_at, 0) AS received_at,
    strftime('%Y-%m-%dT%H:%M:%S', nullif(f.received_at, 0) / 1000000000, 'unixepoch')
        || printf('.%09dZ', nullif(f.received_at, 0) % 1000000000) AS received_utc,
    f.order_id, f.side, f.role,
    iif(f.price IS NULL,
        (SELECT value FROM exact x WHERE x.id = f.id AND x.n = 0 AND x.field = 'price'),
        printf(n.pf, iif(f.price < 0 AND f.price > -n.pu, '-', ''), f.price / n.pu, abs(f.price % n.pu))) AS price,
    iif(f.quantity IS NULL,
        (SELECT value FROM exact x WHERE x.id = f.id AND x.n = 0 AND x.field = 'quantity'),
        printf(n.qf, iif(f.quantity < 0 AND f.quantity > -n.qu, '-', ''), f.quantity / n.qu,
            abs(f.quantity % n.qu))) AS quantity,
    iif(f.total IS NULL,
        (SELECT value FROM exact x WHERE x.id = f.id AND x.n = 0 AND x.field = 'total'),
        printf(n.cf, iif(f.total < 0 AND f.total > -n.cu, '-', ''), f.total / n.cu, abs(f.total % n.cu))) AS total,
    iif(f.base_fee IS NULL,
        (SELECT value FROM exact x WHERE x.id = f.id AND x.n = 0 AND x.field = f.which || '_base_fee'),
        printf(n.qf, iif(f.base_fee < 0 AND f.base_fee > -n.qu, '-', ''), f.base_fee / n.qu,
            abs(f.base_fee % n.qu))) AS base_fee,
    iif(f.counter_fee IS NULL,
        (SELECT value FROM exact x WHERE x.id = f.id AND x.n = 0 AND x.field = f.which || '_counter_fee'),
        printf(n.cf, iif(f.counter_fee < 0 AND f.counter_fee > -n.cu, '-', ''), f.counter_fee / n.cu,
            abs(f.counter_fee % n.cu))) AS counter_fee,
    iif(f.remaining IS NULL,
        (SELECT value FROM exact x WHERE x.id = f.id AND x.n = 0 AND x.field = f.which || '_remaining'),
        printf(n.qf, iif(f.remaining < 0 AND f.remaining > -n.qu, '-', ''), f.remaining / n.qu,
            abs(f.remaining % n.qu))) AS remaining,
    f.tonce, f.price AS price_raw, f.quantity AS quantity_raw, f.total AS total_raw, f.base_fee AS base_fee_raw,
    f.counter_fee AS counter_fee_raw, f.remaining AS remaining_raw
FROM (
    SELECT t.id, t.instrument, t.time, t.received_at, t.price, t.quantity, t.total,
        'buy' AS side, 'bid' AS which, coalesce(t.bid_order, d.bid_ref) AS order_id, d.bid_tonce AS tonce,
        d.bid_base_fee AS base_fee, d.bid_counter_fee AS counter_fee, t.bid_remaining AS remaining,
        CASE coalesce(t.taker_is_bid, d.own_is_taker) WHEN 1 THEN 'taker' WHEN 0 THEN 'maker' END AS role
    FROM trade_detail d CROSS JOIN trade t ON t.id = d.id
    WHERE d.own AND (d.has_bid_tonce OR d.bid_base_fee IS NOT NULL OR d.bid_counter_fee IS NOT NULL
            OR NOT d.has_bid_tonce AND NOT d.has_ask_tonce AND coalesce(t.bid_order, d.bid_ref) IS NOT NULL)
        AND t.id NOT IN (SELECT id FROM fill_again)
    UNION ALL
    SELECT t.id, t.instrument, t.time, t.received_at, t.price, t.quantity, t.total,
        'sell', 'ask', coalesce(t.ask_order, d.ask_ref), d.ask_tonce,
        d.ask_base_fee, d.ask_counter_fee, t.ask_remaining,
        CASE coalesce(1 - t.taker_is_bid, d.own_is_taker) WHEN 1 THEN 'taker' WHEN 0 THEN 'maker' END
    FROM trade_detail d CROSS JOIN trade t ON t.id = d.id
    WHERE d.own AND (d.has_ask_tonce OR d.ask_base_fee IS NOT NULL OR d.ask_counter_fee IS NOT NULL
            OR NOT d.has_bid_tonce AND NOT d.has_ask_tonce AND coalesce(t.ask_order, d.ask_ref) IS NOT NULL)
        AND t.id NOT IN (SELECT id FROM fill_again)
) AS f CROSS JOIN instrument_format n ON n.instrument = f.instrument;
