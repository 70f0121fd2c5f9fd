-- Views of the account: as those of the market (0002_views.sql).

CREATE INDEX trade_own ON trade_detail (own) WHERE own;
CREATE INDEX order_own ON order_detail (own) WHERE own;

CREATE VIEW balances AS
SELECT b.id, b.id >> 22 AS frame, n.source, n.venue, n.asset,
    nullif(b.received_at, 0) AS received_at,
    strftime('%Y-%m-%dT%H:%M:%S', nullif(b.received_at, 0) / 1000000000, 'unixepoch')
        || printf('.%09dZ', nullif(b.received_at, 0) % 1000000000) AS received_utc,
    iif(b.available IS NULL,
        (SELECT value FROM exact x WHERE x.id = b.id AND x.n = 0 AND x.field = 'available'),
        printf(n.qf, iif(b.available < 0 AND b.available > -n.qu, '-', ''), b.available / n.qu,
            abs(b.available % n.qu))) AS available,
    iif(b.reserved IS NULL,
        (SELECT value FROM exact x WHERE x.id = b.id AND x.n = 0 AND x.field = 'reserved'),
        printf(n.qf, iif(b.reserved < 0 AND b.reserved > -n.qu, '-', ''), b.reserved / n.qu,
            abs(b.reserved % n.qu))) AS reserved,
    iif(b.total IS NULL,
        (SELECT value FROM exact x WHERE x.id = b.id AND x.n = 0 AND x.field = 'total'),
        printf(n.qf, iif(b.total < 0 AND b.total > -n.qu, '-', ''), b.total / n.qu, abs(b.total % n.qu))) AS total,
    b.is_snapshot, b.available AS available_raw, b.reserved AS reserved_raw, b.total AS total_raw
FROM balance b CROSS JOIN asset_format n ON n.id = b.asset;

CREATE VIEW trade_volumes AS
SELECT v.id, v.id >> 22 AS frame, n.source, n.venue, n.asset,
    nullif(v.received_at, 0) AS received_at,
    strftime('%Y-%m-%dT%H:%M:%S', nullif(v.received_at, 0) / 1000000000, 'unixepoch')
        || printf('.%09dZ', nullif(v.received_at, 0) % 1000000000) AS received_utc,
    iif(v.volume IS NULL,
        (SELECT value FROM exact x WHERE x.id = v.id AND x.n = 0 AND x.field = 'volume'),
        printf(n.qf, iif(v.volume < 0 AND v.volume > -n.qu, '-', ''), v.volume / n.qu,
            abs(v.volume % n.qu))) AS volume,
    v.volume AS volume_raw
FROM trade_volume v CROSS JOIN asset_format n ON n.id = v.asset;

CREATE VIEW own_order_lists AS          -- an answer that lists all open orders of the account, or all just cancelled
SELECT l.id, l.id >> 22 AS frame, s.name AS source, s.venue,
    nullif(l.received_at, 0) AS received_at,
    strftime('%Y-%m-%dT%H:%M:%S', nullif(l.received_at, 0) / 1000000000, 'unixepoch')
        || printf('.%09dZ', nullif(l.received_at, 0) % 1000000000) AS received_utc,
    l.cancelled, l.orders
FROM own_order_list l JOIN source s ON s.id = l.source;

CREATE VIEW own_orders AS               -- the orders of those answers
SELECT o.list, o.n, o.list >> 22 AS frame, n.source, n.venue, n.market, n.base, n.counter,
    nullif(l.received_at, 0) AS received_at,
    strftime('%Y-%m-%dT%H:%M:%S', nullif(l.received_at, 0) / 1000000000, 'unixepoch')
        || printf('.%09dZ', nullif(l.received_at, 0) % 1000000000) AS received_utc,
    l.cancelled, coalesce(o.order_id, o.order_ref) AS order_id,
    CASE WHEN o.quantity > 0 THEN 'buy' WHEN o.quantity < 0 THEN 'sell' WHEN o.quantity IS NULL THEN (SELECT
        iif(value LIKE '-%', 'sell', 'buy') FROM exact x WHERE x.id = o.list AND x.n = o.n AND x.field = 'quantity')
        END AS side,
    iif(o.price IS NULL,
        (SELECT value FROM exact x WHERE x.id = o.list AND x.n = o.n AND x.field = 'price'),
        printf(n.pf, iif(o.price < 0 AND o.price > -n.pu, '-', ''), o.price / n.pu, abs(o.price % n.pu))) AS price,
    ltrim(iif(o.quantity IS NULL,
        (SELECT value FROM exact x WHERE x.id = o.list AND x.n = o.n AND x.field = 'quantity'),
        printf(n.qf, iif(o.quantity < 0 AND o.quantity > -n.qu, '-', ''), o.quantity / n.qu,
            abs(o.quantity % n.qu))), '-') AS quantity,
    o.time,
    strftime('%Y-%m-%dT%H:%M:%S', o.time / 1000000000 - (o.time % 1000000000 < 0), 'unixepoch')
        || printf('.%09dZ', (o.time % 1000000000 + 1000000000) % 1000000000) AS time_utc,
    o.tonce, o.price AS price_raw, o.quantity AS quantity_raw
FROM own_order_list l CROSS JOIN own_order o ON o.list = l.id
    CROSS JOIN instrument_format n ON n.instrument = o.instrument;

CREATE VIEW order_replies AS            -- `remaining_raw`: what a market order could not trade, of what it was given in
SELECT o.id, o.id >> 22 AS frame, o.session, s.name AS source, s.venue, n.market, n.base, n.counter,
    nullif(o.received_at, 0) AS received_at,
    strftime('%Y-%m-%dT%H:%M:%S', nullif(o.received_at, 0) / 1000000000, 'unixepoch')
        || printf('.%09dZ', nullif(o.received_at, 0) % 1000000000) AS received_utc,
    o.method, coalesce(o.order_id, o.order_ref) AS order_id,
    CASE WHEN o.quantity > 0 THEN 'buy' WHEN o.quantity < 0 THEN 'sell' WHEN o.quantity IS NULL THEN (SELECT
        iif(value LIKE '-%', 'sell', 'buy') FROM exact x WHERE x.id = o.id AND x.n = 0 AND x.field = 'quantity')
        END AS side,
    iif(o.price IS NULL,
        (SELECT value FROM exact x WHERE x.id = o.id AND x.n = 0 AND x.field = 'price'),
        printf(n.pf, iif(o.price < 0 AND o.price > -n.pu, '-', ''), o.price / n.pu, abs(o.price % n.pu))) AS price,
    ltrim(iif(o.quantity IS NULL,
        (SELECT value FROM exact x WHERE x.id = o.id AND x.n = 0 AND x.field = 'quantity'),
        printf(n.qf, iif(o.quantity < 0 AND o.quantity > -n.qu, '-', ''), o.quantity / n.qu,
            abs(o.quantity % n.qu))), '-') AS quantity,
    o.time,
    strftime('%Y-%m-%dT%H:%M:%S', o.time / 1000000000 - (o.time % 1000000000 < 0), 'unixepoch')
        || printf('.%09dZ', (o.time % 1000000000 + 1000000000) % 1000000000) AS time_utc,
    o.tonce, o.price AS price_raw, o.quantity AS quantity_raw, o.remaining AS remaining_raw
FROM order_reply o JOIN session c ON c.id = o.session JOIN source s ON s.id = c.source
    LEFT JOIN instrument_format n ON n.instrument = o.instrument;

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
    WHERE d.own AND (d.has_bid_tonce OR d.bid_base_fee IS NOT NULL OR d.bid_counter_fee IS NOT NULL)
    UNION ALL
    SELECT t.id, t.instrument, t.time, t.received_at, t.price, t.quantity, t.total,
        'sell', 'ask', coalesce(t.ask_order, d.ask_ref), d.ask_tonce,
        d.ask_base_fee, d.ask_counter_fee, t.ask_remaining,
        CASE coalesce(1 - t.taker_is_bid, d.own_is_taker) WHEN 1 THEN 'taker' WHEN 0 THEN 'maker' END
    FROM trade_detail d CROSS JOIN trade t ON t.id = d.id
    WHERE d.own AND (d.has_ask_tonce OR d.ask_base_fee IS NOT NULL OR d.ask_counter_fee IS NOT NULL)
) AS f CROSS JOIN instrument_format n ON n.instrument = f.instrument;

-- The account's orders as last seen, one row each: `quantity` at first, `filled` by trades seen since, `remaining` at
-- last. A number beyond 64 bits is NULL.
CREATE VIEW my_orders AS
SELECT source, venue, market, base, counter, order_id, tonce,
    CASE WHEN quantity > 0 THEN 'buy' WHEN quantity < 0 THEN 'sell' END AS side,
    CASE WHEN remaining = 0 THEN 'filled' WHEN is_over THEN 'cancelled' ELSE 'open' END AS state,
    iif(price IS NULL, NULL,
        printf(pf, iif(price < 0 AND price > -pu, '-', ''), price / pu, abs(price % pu))) AS price,
    ltrim(iif(quantity IS NULL, NULL,
        printf(qf, iif(quantity < 0 AND quantity > -qu, '-', ''), quantity / qu,
            abs(quantity % qu))), '-') AS quantity,
    iif(filled IS NULL, NULL,
        printf(qf, iif(filled < 0 AND filled > -qu, '-', ''), filled / qu, abs(filled % qu))) AS filled,
    ltrim(iif(remaining IS NULL, NULL,
        printf(qf, iif(remaining < 0 AND remaining > -qu, '-', ''), remaining / qu,
            abs(remaining % qu))), '-') AS remaining,
    fills,
    opened_at,
    strftime('%Y-%m-%dT%H:%M:%S', opened_at / 1000000000, 'unixepoch')
        || printf('.%09dZ', opened_at % 1000000000) AS opened_utc,
    changed_at,
    strftime('%Y-%m-%dT%H:%M:%S', changed_at / 1000000000, 'unixepoch')
        || printf('.%09dZ', changed_at % 1000000000) AS changed_utc,
    price AS price_raw, quantity AS quantity_raw, filled AS filled_raw, remaining AS remaining_raw
FROM (
    SELECT n.*, s.order_id, s.is_over,
        row_number() OVER (one ORDER BY s.id DESC) AS recency,
        first_value(s.price) OVER (one ORDER BY s.price IS NULL, s.id DESC) AS price,
        first_value(s.quantity) OVER (one ORDER BY coalesce(s.quantity, 0) = 0, s.id) AS quantity,
        first_value(s.quantity) OVER (one ORDER BY s.quantity IS NULL, s.id DESC) AS remaining,
        max(s.tonce) OVER one AS tonce, min(s.at) OVER one AS opened_at, max(s.at) OVER one AS changed_at,
        count(s.filled) OVER one AS fills,
        iif(coalesce(sum(s.filled / 1000000000) OVER one, 0) < 9000000000,
            coalesce(sum(s.filled / 1000000000) OVER one, 0) * 1000000000
            + coalesce(sum(s.filled % 1000000000) OVER one, 0), NULL) AS filled
    FROM (
        SELECT e.id, e.instrument, coalesce(e.order_id, d.order_ref) AS order_id, e.received_at - coalesce(e.age, 0) AS at,
            e.kind = 1 AS is_over, e.price, e.quantity, d.tonce, NULL AS filled
        FROM order_detail d CROSS JOIN order_event e ON e.id = d.id WHERE d.own
        UNION ALL
        SELECT o.list, o.instrument, coalesce(o.order_id, o.order_ref), iif(l.cancelled, l.received_at, o.time),
            l.cancelled, o.price, o.quantity, o.tonce, NULL
        FROM own_order_list l JOIN own_order o ON o.list = l.id
        UNION ALL
        SELECT id, instrument, coalesce(order_id, order_ref), iif(method = 'CancelOrder', received_at, time),
            method = 'CancelOrder', price, quantity, tonce, NULL
        FROM order_reply
        UNION ALL
        SELECT f.id, t.instrument, f.order_id, coalesce(f.time, f.received_at), 0, NULL,
            iif(f.side = 'buy', f.remaining_raw, -f.remaining_raw), f.tonce, f.quantity_raw
        FROM fills f JOIN trade t ON t.id = f.id
    ) AS s JOIN instrument_format n ON n.instrument = s.instrument
    WHERE s.order_id IS NOT NULL
    WINDOW one AS (PARTITION BY n.source, n.market, n.pu, n.qu, s.order_id)
) AS life
WHERE recency = 1;
