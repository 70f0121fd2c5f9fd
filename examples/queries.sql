-- Questions to ask a recording, in any SQLite tool:
--
--   sqlite3 -readonly demo.db < examples/queries.sql
--   feedtape query demo.db "SELECT …"
--
-- | view | a row is | time |
-- |---|---|---|
-- | trades | a match of two orders; `side` is the taker's | time, received_at |
-- | order_events | an order opened, modified or closed in a book | time, received_at |
-- | tickers | a ticker, whole or in part; `bid_is` and so on tell absent, null and value apart | received_at |
-- | spread | best bid and ask by the tickers, carried forward | received_at |
-- | candles | a minute of a market: open, high, low, close, volume | minute_at |
-- | latency | arrival less the venue's time, by kind, market and minute | minute_at |
-- | book_snapshots, book_orders | a whole book as answered, and its entries | received_at |
-- | book, depth | an order, a price level of a book as it was `at` a time (which must be given) | at |
-- | estimates | what an order would trade | received_at |
-- | balances, trade_volumes | an amount of an asset of the account | received_at |
-- | fills, my_orders | the account's side of trades; its orders as last seen | time; opened_at, changed_at |
-- | own_order_lists, own_orders, order_replies | what the venue answered about the account's orders | received_at |
-- | coverage, gaps | what is recorded of a stream from when to when; what is not, and why | from_at, to_at |
-- | findings | what contradicts what | received_at, since |
-- | runs, sessions, subscriptions | a start of the recorder, a connection, a stream asked for on it | opened_at, … |
-- | commands, replies | what was asked, and what came back | sent_at, received_at |
-- | frames_not_understood | a frame that is not, or not wholly, in the views above | received_at |
-- | assets, instruments | what the venue listed, by version | valid_from, valid_to |
--
-- Times are ns since 1970; beside each is the same as text (`time_utc`, `received_utc`, `from_utc`). Prices and
-- quantities are exact decimals as text; the integers behind them are in `price_raw`, `quantity_raw` and so on, to sort
-- and to add. `frame` leads to the frame a row was made of: `feedtape query demo.db "SELECT frame_text(7)"`.

-- 1. The last trades of a market
SELECT time_utc, side, price, quantity, total FROM trades WHERE market = 'XBT:USDT' ORDER BY time DESC LIMIT 10;

-- 2. The last hour in candles
SELECT minute_utc, open, high, low, close, volume, trades FROM candles
WHERE market = 'XBT:USDT' AND minute_at > (SELECT max(time) FROM trades) - 3600 * 1000000000
ORDER BY minute_at;

-- 3. Trades, volume and turnover by day and taker's side; the average price is a float, the rest is exact
SELECT market, date(time / 1000000000, 'unixepoch') AS day, side, count(*) AS trades, sum(quantity_raw) AS quantity_raw,
    sum(total_raw) AS total_raw, 1.0 * sum(total_raw) / sum(quantity_raw) AS average_price
FROM trades GROUP BY market, day, side;

-- 4. Where the spread was widest
SELECT received_utc, market, bid, ask, spread FROM spread WHERE spread IS NOT NULL
ORDER BY ask_raw - bid_raw DESC LIMIT 10;

-- 5. The last book that was answered, best ten price levels a side
WITH level AS (
    SELECT side, price, price_raw, sum(abs(quantity_raw)) AS quantity_raw, count(*) AS orders
    FROM book_orders WHERE snapshot = (SELECT max(id) FROM book_snapshots WHERE market = 'XBT:USDT')
    GROUP BY side, price_raw
),
ranked AS (
    SELECT *, row_number() OVER (PARTITION BY side ORDER BY iif(side = 'buy', -price_raw, price_raw)) AS rank FROM level
)
SELECT side, price, quantity_raw, orders FROM ranked WHERE rank <= 10 ORDER BY price_raw DESC;

-- 6. How long orders lived that were closed without being filled, in ms
SELECT o.market, o.order_id, o.price, (c.received_at - o.received_at) / 1000000 AS lived_ms
FROM order_events c JOIN order_events o ON o.order_id = c.order_id AND o.market = c.market AND o.source = c.source
WHERE c.kind = 'closed' AND o.kind = 'opened' AND c.id > o.id
ORDER BY lived_ms DESC LIMIT 10;

-- 7. All order events of one minute; by the journal's index, not by reading them all
SELECT received_utc, kind, order_id, side, price, quantity FROM order_events
WHERE id >= (SELECT min(first) FROM frame_block WHERE to_at >= unixepoch('2020-01-31 12:00') * 1000000000) << 22
    AND received_at >= unixepoch('2020-01-31 12:00') * 1000000000
    AND received_at < unixepoch('2020-01-31 12:01') * 1000000000
ORDER BY id;

-- 8. The account's fills and fees by day
SELECT market, date(time / 1000000000, 'unixepoch') AS day, side, count(*) AS fills,
    sum(quantity_raw) AS quantity_raw, sum(total_raw) AS total_raw, sum(counter_fee_raw) AS counter_fee_raw
FROM fills GROUP BY market, day, side;

-- 9. The account's orders, newest first
SELECT opened_utc, market, order_id, side, price, quantity, filled, remaining, state FROM my_orders
ORDER BY opened_at DESC LIMIT 10;

-- 10. The newest balance of each asset
SELECT source, asset, available, reserved, total, received_utc FROM balances
WHERE id IN (SELECT max(id) FROM balances GROUP BY source, asset);

-- 11. What was not recorded, longest first
SELECT source, market, channel, from_utc, to_utc, (to_at - from_at) / 1000000 AS lasted_ms, cause, evidence
FROM gaps ORDER BY to_at - from_at DESC LIMIT 10;

-- 12. How late trades arrived, by hour, in ms
SELECT market, strftime('%Y-%m-%dT%H', minute_at / 1000000000, 'unixepoch') AS hour, sum(count) AS trades,
    min(min_ns) / 1000000 AS min_ms, sum(mean_ns * count) / sum(count) / 1000000 AS mean_ms,
    max(max_ns) / 1000000 AS max_ms
FROM latency WHERE kind = 'trade' GROUP BY market, hour;

-- 13. Frames that nobody understood, by reason
SELECT source, reason, what, count(*) AS frames, min(received_utc) AS first, max(received_utc) AS last
FROM frames_not_understood GROUP BY source, reason, what ORDER BY frames DESC;

-- 14. The newest book, ten levels a side; a time must be given, such as unixepoch('2020-01-31 12:00') * 1000000000
SELECT at_utc, verdict, verified_until_utc, side, level, price, quantity, orders, cumulative FROM depth
WHERE market = 'XBT:USDT' AND level <= 10 AND at = (
    SELECT max(to_at) - 1 FROM coverage WHERE market = 'XBT:USDT' AND channel = 'WatchOrders' AND verdict <> 'gap')
ORDER BY price_raw DESC;

-- 15. The same order by order, of all markets: the five best of each side
SELECT source, market, side, place, order_id, price, quantity FROM book
WHERE place <= 5 AND at = (SELECT max(to_at) - 1 FROM coverage WHERE channel = 'WatchOrders' AND verdict <> 'gap')
ORDER BY market, price_raw DESC;

-- 16. How far the books are derived while a recorder runs: seconds at most behind what is recorded
SELECT strftime('%Y-%m-%dT%H:%M:%S', at / 1000000000, 'unixepoch') AS books_until,
    (SELECT max(durable_utc) FROM runs) AS recorded_until
FROM book_progress;
