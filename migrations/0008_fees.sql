-- Fees in an asset that is neither the base nor the counter asset of the trade's market.

CREATE TABLE trade_fee (
    id INTEGER NOT NULL REFERENCES trade,
    n INTEGER NOT NULL,                 -- place among those of the trade, from 0
    is_bid INTEGER NOT NULL,            -- 1 the buyer's, 0 the seller's
    asset INTEGER NOT NULL REFERENCES asset,
    amount INTEGER,                     -- negative for a rebate
    PRIMARY KEY (id, n)
) STRICT, WITHOUT ROWID;

CREATE VIEW other_fees AS
SELECT t.id, t.n, t.id >> 22 AS frame, n.source, n.venue, iif(t.is_bid, 'buy', 'sell') AS side, n.asset,
    iif(t.amount IS NULL,
        (SELECT value FROM exact x WHERE x.id = t.id AND x.n = t.n AND x.field = 'amount'),
        printf(n.qf, iif(t.amount < 0 AND t.amount > -n.qu, '-', ''), t.amount / n.qu, abs(t.amount % n.qu))) AS amount,
    t.amount AS amount_raw
FROM trade_fee t CROSS JOIN asset_format n ON n.id = t.asset;

DROP VIEW fills;
CREATE VIEW fills AS                    -- the account's side of trades; a trade with oneself is two fills. `other_fees`: amounts
                                        -- in assets that are neither base nor counter, as `0.00012 BNB`
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
    (SELECT group_concat(e.amount || ' ' || e.asset, ', ') FROM other_fees e WHERE e.id = f.id AND e.side = f.side)
        AS other_fees,
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
