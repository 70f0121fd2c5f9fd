//! REST answers: tickers of all markets, the best levels of one.

use serde::Deserialize;

use crate::journal::RestAnswer;
use crate::model::{
    AssetCode, BookOrder, BookSnapshot, Coverage, Event, GapCause, NotUnderstood, Patch, Price, Quantity, Stamp,
    SubscriptionChange, TickerKind, UnknownReason,
};
use crate::venue::Output;

use super::decode;
use super::fields::Key;
use super::notice::{self, Places};
use super::planner::Poll;
use super::read::{Problems, Reader};
use super::session::CoinFlexSession;
use crate::venue::streams::Asking;

/// Levels of a side that `GET /depth` answers at most.
const DEPTH_SIDE_MAX: usize = 20;

impl CoinFlexSession {
    /// A REST answer came.
    pub(super) fn rest(&mut self, at: Stamp, answer: &RestAnswer, body: &[u8], out: &mut Output) {
        let Some(n) = self.planner.poll_of_path(&answer.path) else { return };
        self.planner.rest_answered(n);
        let (stream, method) = (self.planner.poll(n).stream, self.planner.poll(n).method.clone());
        if self.streams.get(stream).asking == Asking::Idle {
            self.streams.ask(stream, &mut out.events);
        }
        let failed = match (answer.status, &answer.error) {
            (Some(200), None) => None,
            (Some(status), _) => Some((i64::from(status), format!("status {status}"))),
            (None, error) => Some((0, error.clone().unwrap_or_else(|| "no answer".to_owned()))),
        };
        if let Some((code, message)) = failed {
            let gap = Coverage::Gap(GapCause::Refused);
            self.streams.put(stream, at.wall, gap, Some(&message), &mut out.events);
            if std::mem::replace(&mut self.streams.get_mut(stream).asking, Asking::Refused) != Asking::Refused {
                out.events.push(Event::Subscription(SubscriptionChange::Refused { stream, code, message }));
            }
            return;
        }
        let mut problems = Problems::default();
        let text = std::str::from_utf8(body).unwrap_or_default();
        match method.as_str() {
            Poll::TICKERS => self.rest_tickers(n, text, &mut problems, out),
            _ => self.rest_depth(n, text, &mut problems, out),
        }
        self.acknowledged(at, stream, &problems, out);
        if let Some((reason, what)) = problems.take() {
            let body = body.to_vec();
            out.events.push(Event::NotUnderstood(Box::new(NotUnderstood { reason, what, body })));
        }
    }

    /// Section 6: of all markets a list, of one market its ticker by itself.
    fn rest_tickers(&mut self, poll: usize, text: &str, problems: &mut Problems, out: &mut Output) {
        let stated = match self.planner.poll(poll).market {
            None => decode::decode_list(text),
            Some(_) => decode::decode(text).map(|ticker| vec![(ticker, text)]),
        };
        let Ok(list) = stated else {
            return problems.add(UnknownReason::WrongType, "tickers");
        };
        for (item, raw) in list {
            let fields = &item.fields;
            let codes = fields.int(Key::Base).zip(fields.int(Key::Counter));
            let Some((base, counter)) = codes else {
                problems.add(UnknownReason::MissingField, "base, counter");
                continue;
            };
            let codes = (AssetCode(base), AssetCode(counter));
            let Some(market) = self.markets.hear_of(codes, problems, &mut out.events) else { continue };
            let read = Reader::new(raw, fields, problems);
            let ticker = notice::ticker(TickerKind::Full, market, Places::of(&self.markets, market), read);
            out.events.push(Event::Ticker(Box::new(ticker)));
        }
    }

    fn rest_depth(&mut self, poll: usize, text: &str, problems: &mut Problems, out: &mut Output) {
        /// Section 6: `{bids:[[price,quantity]],asks:[…]}`.
        #[derive(Deserialize)]
        struct Depth {
            bids: Vec<(i64, i64)>,
            asks: Vec<(i64, i64)>,
        }
        let Some(market) = self.planner.poll(poll).market else { return };
        let Ok(depth) = serde_json::from_str::<Depth>(text) else {
            return problems.add(UnknownReason::WrongType, "depth");
        };
        let level = |price, quantity| BookOrder {
            id: None,
            quantity: Some(Quantity::scaled(quantity)),
            price: Some(Price::scaled(price)),
            time: None,
            tonce: Patch::Absent,
        };
        let bids = depth.bids.iter().map(|(price, quantity)| level(*price, *quantity));
        let asks = depth.asks.iter().map(|(price, quantity)| level(*price, -quantity.abs()));
        let snapshot = BookSnapshot {
            market,
            events_from: None,
            has_orders: false,
            side_orders_max: Some(DEPTH_SIDE_MAX),
            orders: bids.chain(asks).collect(),
        };
        out.events.push(Event::BookSnapshot(Box::new(snapshot)));
    }
}
