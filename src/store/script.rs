//! What tests of the store write, and how they look at what came of it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::types::Value;
use tempfile::TempDir;

use crate::config::Durability;
use crate::journal::block::Reader;
use crate::journal::{Batch, RecordKind};
use crate::model::{
    Asset, AssetCode, Catalog, CatalogOrigin, Coverage, Event, Id, Market, MarketRef, OrderEvent, OrderKind, Patch,
    Price, Quantity, Seq, SessionChange, SessionId, Stamp, StreamKey, StreamRef, Timestamp, Transition,
};

use super::{Begun, RunInfo, RunKind, Settings, Store};

pub(super) const T0: i64 = 1_580_000_000_000_000_000;
pub(super) const MARKET: MarketRef = MarketRef(0);
pub(super) const STREAM: StreamRef = StreamRef(0);

pub(super) fn settings(folder: &TempDir) -> Settings {
    Settings { path: folder.path().join("tape.db"), durability: Durability::PowerLoss, min_free_space: 0 }
}

pub(super) fn stamp(step: i64) -> Stamp {
    Stamp { wall: Timestamp(T0 + step), mono: step }
}

pub(super) fn begin_at(store: &mut Store, step: i64) -> Begun {
    let info =
        RunInfo { kind: RunKind::Live, config: "demo.toml".to_owned(), commit_interval: Duration::from_millis(50) };
    store.begin_run(stamp(step), &info).unwrap()
}

pub(super) fn recording(folder: &TempDir) -> Store {
    let mut store = Store::open(settings(folder)).unwrap();
    begin_at(&mut store, 0);
    store
}

/// What a query answers, rows joined by lines and columns by bars.
pub(super) fn ask_connection(connection: &Connection, sql: &str) -> String {
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let text = |value: Value| match value {
        Value::Null => "-".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => format!("real {number}"),
        Value::Text(text) => text,
        Value::Blob(bytes) => format!("{bytes:?}"),
    };
    let rows = statement.query_map([], |row| {
        Ok((0..columns).map(|column| text(row.get(column).unwrap())).collect::<Vec<_>>().join("|"))
    });
    rows.unwrap().collect::<Result<Vec<_>, _>>().unwrap().join("\n")
}

pub(super) fn ask_file(path: &Path, sql: &str) -> String {
    ask_connection(&Connection::open(path).unwrap(), sql)
}

pub(super) fn ask(store: &Store, sql: &str) -> String {
    ask_file(&store.settings().path, sql)
}

pub(super) fn listed(name: &str, base: i64, counter: i64) -> Arc<Market> {
    let (base_name, counter_name) = name.split_once(':').unwrap();
    Arc::new(Market {
        name: name.to_owned(),
        base: base_name.to_owned(),
        counter: counter_name.to_owned(),
        base_code: Some(AssetCode(base)),
        counter_code: Some(AssetCode(counter)),
        price_places: Some(0),
        quantity_places: Some(4),
        tick: Some(1),
        starts: None,
        expires: None,
    })
}

pub(super) fn asset(code: i64, name: &str, places: u8) -> Asset {
    Asset { code: Some(AssetCode(code)), name: name.to_owned(), places: Some(places), spot: None }
}

pub(super) fn catalog(from: i64, assets: Vec<Asset>, markets: Vec<Arc<Market>>) -> Event {
    Event::Catalog(Arc::new(Catalog {
        valid_from: Timestamp(T0 + from),
        other_until: None,
        origin: CatalogOrigin::Exchange,
        assets,
        markets: markets.into_iter().map(Arc::unwrap_or_clone).collect(),
    }))
}

pub(super) fn connecting() -> Event {
    Event::Session(SessionChange::Connecting {
        source: "coinflex".into(),
        venue: "coinflex".into(),
        url: "wss://localhost/v1".to_owned(),
        user: None,
    })
}

pub(super) fn stream() -> Event {
    let key =
        StreamKey { channel: "WatchOrders".to_owned(), market: Some("XBT:USD".to_owned()), detail: String::new() };
    Event::Stream(STREAM, Arc::new(key), Arc::default())
}

pub(super) fn transition(at: i64, state: Coverage) -> Event {
    Event::Transition(Transition { stream: STREAM, at: Timestamp(T0 + at), state, evidence: None })
}

pub(super) fn order(id: i64) -> OrderEvent {
    OrderEvent {
        kind: OrderKind::Opened,
        market: MARKET,
        id: Id::Int(id),
        quantity: Some(Quantity::scaled(-10_000)),
        price: Some(Price::scaled(40)),
        time: Some(Timestamp(T0 - 5_000)),
        tonce: Patch::Absent,
        own: false,
    }
}

/// A session whose next records each have one received frame and the events given.
pub(super) struct Script {
    pub(super) batch: Batch,
    pub(super) step: i64,
}

impl Script {
    pub(super) fn new(session: i64) -> Self {
        Self { batch: Batch::new(SessionId(session), Seq(0)), step: 0 }
    }

    /// A session that has a market and a stream.
    pub(super) fn opened(session: i64) -> Self {
        let mut script = Self::new(session);
        script.record(RecordKind::Connecting, "{}", [connecting()]);
        script.record(RecordKind::Opened, "{}", [Event::Market(MARKET, listed("XBT:USD", 63488, 64136)), stream()]);
        script
    }

    pub(super) fn record(
        &mut self,
        kind: RecordKind,
        body: &str,
        events: impl IntoIterator<Item = Event>,
    ) -> &mut Self {
        self.step += 100;
        self.batch.push(kind, stamp(self.step), body.as_bytes());
        events.into_iter().for_each(|event| self.batch.conclude(event));
        self
    }

    pub(super) fn frame(&mut self, events: impl IntoIterator<Item = Event>) -> &mut Self {
        let body = format!(r#"{{"notice":"Test","n":{}}}"#, self.step);
        self.record(RecordKind::Received, &body, events)
    }

    pub(super) fn ship(&mut self) -> Batch {
        let next = Batch::new(self.batch.session(), self.batch.next());
        std::mem::replace(&mut self.batch, next)
    }
}

/// A record of the journal: its number, session, place, kind, time and body.
pub(super) type Stored = (i64, SessionId, Seq, RecordKind, Stamp, Vec<u8>);

/// Every record of a file in order, as its blocks have them.
pub(super) fn records(path: &Path) -> Vec<Stored> {
    let connection = Connection::open(path).unwrap();
    let mut blocks =
        connection.prepare("SELECT first, codec, raw_bytes, body, frames FROM frame_block ORDER BY first").unwrap();
    let mut reader = Reader::new().unwrap();
    let mut rows = blocks.query([]).unwrap();
    let mut records = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let (first, body): (i64, Vec<u8>) = (row.get(0).unwrap(), row.get(3).unwrap());
        let block = reader.read(row.get(1).unwrap(), row.get(2).unwrap(), &body).unwrap();
        assert_eq!(block.len() as i64, row.get::<_, i64>(4).unwrap());
        for ((session, seq, record), number) in block.records().zip(first..) {
            records.push((number, session, seq, record.kind, record.at, record.body.to_vec()));
        }
    }
    records
}
