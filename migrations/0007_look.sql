-- Second looks: sessions that only look at the books, beside the one that records, and the snapshots they took. A look
-- begins no book and covers nothing; what came of comparing it is a finding (check `second_look`), or that there is none.

ALTER TABLE session ADD COLUMN is_look INTEGER NOT NULL DEFAULT 0;
ALTER TABLE book_snapshot ADD COLUMN is_look INTEGER NOT NULL DEFAULT 0;

DROP VIEW sessions;
CREATE VIEW sessions AS                 -- `is_look` 1: a second look, beside the one that records
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
    c.cause, c.code, c.detail, c.is_look
FROM session c JOIN source s ON s.id = c.source;

DROP VIEW book_snapshots;
CREATE VIEW book_snapshots AS           -- `has_orders` 0: price levels; `is_look` 1: not where a book begins
SELECT b.id, b.id >> 22 AS frame, n.source, n.venue, n.market, n.base, n.counter,
    nullif(b.received_at, 0) AS received_at,
    strftime('%Y-%m-%dT%H:%M:%S', nullif(b.received_at, 0) / 1000000000, 'unixepoch')
        || printf('.%09dZ', nullif(b.received_at, 0) % 1000000000) AS received_utc,
    b.has_orders, b.orders, b.is_look
FROM book_snapshot b CROSS JOIN instrument_format n ON n.instrument = b.instrument;
