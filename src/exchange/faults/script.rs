//! The faults of one connection, played out as its messages go by. Pure: messages in, steps for the wire out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use foldhash::HashSet;
use serde_json::{Value, json};

use super::{Action, Fault, Faults};
use crate::exchange::frame::{self, Opcode};
use crate::venue::coinflex::wire::{Command, Refusal, Request};

/// Something to do on the wire to the client, or from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::exchange) enum Step {
    /// Write these bytes to the client.
    Write(Bytes),
    /// End the TCP connection.
    End,
    /// Write nothing any more.
    Silence,
    /// Read nothing from the client any more.
    StopReading,
}

/// The faults of one connection that are still to come, and what is held back.
#[derive(Debug)]
pub(in crate::exchange) struct Script {
    faults: Vec<Fault>,
    /// Messages of the exchange that have gone by.
    passed: u64,
    /// Faults played out.
    played: u64,
    /// Tags of the `WatchOrders` that are not answered yet.
    asked_snapshots: HashSet<i64>,
    held: Vec<Held>,
}

/// A reply that comes later.
#[derive(Debug)]
struct Held {
    frame: Bytes,
    until: Until,
}

#[derive(Debug)]
enum Until {
    Notices(u64),
    Reply,
}

/// What a message of the exchange is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Greeting,
    Notice,
    Reply,
    Snapshot,
}

impl Script {
    pub(in crate::exchange) fn new(faults: &Faults, connection: u64) -> Self {
        Self {
            faults: faults.of_connection(connection).cloned().collect(),
            passed: 0,
            played: 0,
            asked_snapshots: HashSet::default(),
            held: Vec::new(),
        }
    }

    /// How many faults have been played out since this was last asked.
    pub(in crate::exchange) fn take_played(&mut self) -> u64 {
        std::mem::take(&mut self.played)
    }

    /// What goes wrong before anything is said.
    pub(in crate::exchange) fn opened(&mut self) -> Vec<Step> {
        self.due_now()
    }

    /// A command of the client goes by: `Some` with the message to answer it with instead of the exchange.
    pub(in crate::exchange) fn command(&mut self, text: &str) -> Option<Bytes> {
        let Request { tag, command } = Request::decode(text).ok()?;
        match command {
            Command::WatchOrders(watch) if watch.watch => {
                self.asked_snapshots.extend(tag);
                None
            }
            Command::Authenticate(_) => {
                let passed = self.passed;
                let refusing = self.faults.iter().filter(|fault| fault.after <= passed);
                let mut codes = refusing.filter_map(|fault| match fault.action {
                    Action::RefuseLogin { code } => Some(code),
                    _ => None,
                });
                let code = codes.next_back()?;
                self.played += 1;
                let mut reply = json!({"error_code": code, "error_msg": refusal_text(code)});
                if let Some(tag) = tag {
                    reply["tag"] = tag.into();
                }
                Some(frame::text(reply.to_string().as_bytes()))
            }
            _ => None,
        }
    }

    /// A message of the exchange goes by: what is done instead of passing it on.
    pub(in crate::exchange) fn message(&mut self, payload: &[u8]) -> Vec<Step> {
        let kind = self.kind(payload);
        let mut steps = self.pass(kind, payload);
        self.passed += 1;
        self.release(kind, &mut steps);
        steps.extend(self.due_now());
        steps
    }

    fn kind(&mut self, payload: &[u8]) -> Kind {
        let message: Value = serde_json::from_slice(payload).unwrap_or_default();
        match message.get("notice") {
            Some(notice) if notice == "Welcome" => Kind::Greeting,
            Some(_) => Kind::Notice,
            None => {
                let tag = message.get("tag").and_then(Value::as_i64);
                let snapshot = tag.is_some_and(|tag| self.asked_snapshots.remove(&tag));
                if snapshot && message.get("orders").is_some() { Kind::Snapshot } else { Kind::Reply }
            }
        }
    }

    /// Passes a message on, changed by at most one fault.
    fn pass(&mut self, kind: Kind, payload: &[u8]) -> Vec<Step> {
        let whole = frame::text(payload);
        let Some(action) = self.take(|action| changes(action, kind)) else { return vec![Step::Write(whole)] };
        match action {
            Action::NeverGreet => vec![],
            Action::Nonce { bytes } => {
                let greeting = json!({"notice": "Welcome", "nonce": STANDARD.encode(vec![0x5a; bytes])});
                vec![write_text(greeting.to_string())]
            }
            Action::DropMidFrame => vec![Step::Write(whole.slice(..whole.len() / 2)), Step::End],
            Action::Fragment { frames } => fragments(payload, frames),
            Action::UnknownField => {
                let end = payload.len().saturating_sub(1);
                vec![write_text([&payload[..end], br#","mood":"fair"}"#].concat())]
            }
            Action::DuplicateReply => vec![Step::Write(whole.clone()), Step::Write(whole)],
            Action::SwapReplies => {
                self.held.push(Held { frame: whole, until: Until::Reply });
                vec![]
            }
            Action::DelaySnapshot { notices } => {
                self.held.push(Held { frame: whole, until: Until::Notices(notices.max(1)) });
                vec![]
            }
            _ => vec![Step::Write(whole)],
        }
    }

    /// Lets go what has waited for a message such as this.
    fn release(&mut self, kind: Kind, steps: &mut Vec<Step>) {
        // What this very message was held for does not count.
        let passed_on = !steps.is_empty();
        self.held.retain_mut(|held| {
            let free = match &mut held.until {
                Until::Notices(left) if kind == Kind::Notice => {
                    *left -= 1;
                    *left == 0
                }
                Until::Reply => passed_on && matches!(kind, Kind::Reply | Kind::Snapshot),
                Until::Notices(_) => false,
            };
            if free {
                steps.push(Step::Write(held.frame.clone()));
            }
            !free
        });
    }

    /// Plays out what is due and needs no message to act on.
    fn due_now(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        while let Some(action) = self.take(|action| !changes_any(action)) {
            steps.extend(added(&action));
        }
        steps
    }

    /// Takes the first fault that is due and suits.
    fn take(&mut self, suits: impl Fn(&Action) -> bool) -> Option<Action> {
        let passed = self.passed;
        let place = self.faults.iter().position(|fault| fault.after <= passed && suits(&fault.action))?;
        self.played += 1;
        Some(self.faults.remove(place).action)
    }
}

/// Whether the action changes a message of that kind.
fn changes(action: &Action, kind: Kind) -> bool {
    match action {
        Action::NeverGreet | Action::Nonce { .. } => kind == Kind::Greeting,
        Action::DropMidFrame | Action::Fragment { .. } => true,
        Action::UnknownField => kind == Kind::Notice,
        Action::SwapReplies | Action::DuplicateReply => matches!(kind, Kind::Reply | Kind::Snapshot),
        Action::DelaySnapshot { .. } => kind == Kind::Snapshot,
        _ => false,
    }
}

/// Whether the action acts on messages, of whichever side, instead of by itself.
fn changes_any(action: &Action) -> bool {
    matches!(action, Action::RefuseLogin { .. })
        || [Kind::Greeting, Kind::Notice, Kind::Reply, Kind::Snapshot].into_iter().any(|kind| changes(action, kind))
}

/// What an action adds by itself.
fn added(action: &Action) -> Vec<Step> {
    match action {
        Action::Drop => vec![Step::End],
        Action::StopReading => vec![Step::StopReading],
        Action::GoSilent => vec![Step::Silence],
        Action::Close { code } => vec![Step::Write(frame::close(*code, "scripted")), Step::End],
        Action::Pings { count } => {
            let ping = |number: u32| Step::Write(frame::encode(true, Opcode::PING, &number.to_be_bytes()));
            (0..*count).map(ping).collect()
        }
        Action::Oversized { bytes } => {
            let (head, tail) = (r#"{"notice":"Padding","padding":""#, r#""}"#);
            let padding = "x".repeat(bytes.saturating_sub(head.len() + tail.len()));
            vec![write_text([head, &padding, tail].concat())]
        }
        Action::InvalidUtf8 => vec![write_text(b"{\"notice\":\"\xff\xfe\"}")],
        Action::InvalidJson => vec![write_text(r#"{"notice":"OrderOpened","id":"#)],
        Action::UnknownNotice => vec![write_text(r#"{"notice":"Weather","temperature":-4}"#)],
        Action::UnknownAssets => vec![write_text(
            r#"{"notice":"OrderOpened","id":9000000001,"base":49999,"counter":49998,"quantity":10000,"price":10000,"time":1600000000000000}"#,
        )],
        Action::HugeInteger => {
            vec![write_text(r#"{"notice":"BalanceChanged","asset":63488,"balance":123456789012345678901234567890}"#)]
        }
        Action::Text { text } => vec![write_text(text)],
        Action::Bytes { bytes } => vec![Step::Write(Bytes::copy_from_slice(bytes))],
        _ => vec![],
    }
}

fn write_text(payload: impl AsRef<[u8]>) -> Step {
    Step::Write(frame::text(payload.as_ref()))
}

/// The message in so many frames, which may cut it in the middle of a character.
fn fragments(payload: &[u8], frames: usize) -> Vec<Step> {
    let frames = frames.clamp(1, payload.len().max(1));
    let cut = |number: usize| payload.len() * number / frames;
    let fragment = |number: usize| {
        let opcode = if number == 0 { Opcode::TEXT } else { Opcode::CONTINUATION };
        Step::Write(frame::encode(number + 1 == frames, opcode, &payload[cut(number)..cut(number + 1)]))
    };
    (0..frames).map(fragment).collect()
}

fn refusal_text(code: i64) -> String {
    match code {
        1 => Refusal::NoSuchUser.to_string(),
        6 => Refusal::AuthenticatingTooRapidly.to_string(),
        7 => Refusal::IncorrectSignature.to_string(),
        _ => "The login is refused.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELCOME: &[u8] = br#"{"notice":"Welcome","nonce":"azRzAi5rm1ry/l0drnz1vw=="}"#;
    const NOTICE: &[u8] = br#"{"notice":"BalanceChanged","asset":1,"balance":2}"#;
    const REPLY: &[u8] = br#"{"tag":1,"error_code":0}"#;
    const SNAPSHOT: &[u8] = br#"{"tag":2,"error_code":0,"orders":[]}"#;
    const WATCH: &str = r#"{"tag":2,"method":"WatchOrders","base":1,"counter":2,"watch":true}"#;

    fn script(after: u64, action: Action) -> Script {
        Script::new(&Faults::new().on(1, after, action).on(2, 0, Action::Drop), 1)
    }

    fn whole(payload: &[u8]) -> Step {
        write_text(payload)
    }

    #[test]
    fn faults_act_after_their_number_of_messages_and_on_their_connection() {
        let mut script = script(2, Action::Drop);
        assert_eq!(script.opened(), []);
        assert_eq!(script.message(WELCOME), [whole(WELCOME)]);
        assert_eq!(script.message(NOTICE), [whole(NOTICE), Step::End]);
        assert_eq!(script.take_played(), 1);
    }

    #[test]
    fn the_greeting_is_swallowed_or_has_another_nonce() {
        assert_eq!(script(0, Action::NeverGreet).message(WELCOME), []);
        let steps = script(0, Action::Nonce { bytes: 3 }).message(WELCOME);
        assert_eq!(steps, [whole(br#"{"nonce":"Wlpa","notice":"Welcome"}"#)]);
    }

    #[test]
    fn replies_are_swapped_and_doubled() {
        let mut script = script(0, Action::SwapReplies);
        assert_eq!(script.message(REPLY), []);
        assert_eq!(script.message(NOTICE), [whole(NOTICE)]);
        assert_eq!(script.message(b"{}"), [whole(b"{}"), whole(REPLY)]);
        assert_eq!(self::script(0, Action::DuplicateReply).message(REPLY), [whole(REPLY), whole(REPLY)]);
    }

    #[test]
    fn a_snapshot_comes_after_the_notices_that_follow_it() {
        let mut script = script(0, Action::DelaySnapshot { notices: 2 });
        assert_eq!(script.command(WATCH), None);
        assert_eq!(script.message(REPLY), [whole(REPLY)], "no snapshot");
        assert_eq!(script.message(SNAPSHOT), []);
        assert_eq!(script.message(NOTICE), [whole(NOTICE)]);
        assert_eq!(script.message(NOTICE), [whole(NOTICE), whole(SNAPSHOT)]);
    }

    #[test]
    fn fragments_make_the_message() {
        let steps = fragments(NOTICE, 7);
        assert_eq!(steps.len(), 7);
        let mut joined = Vec::new();
        for (number, step) in steps.iter().enumerate() {
            let Step::Write(frame) = step else { panic!("{step:?}") };
            let head = frame::Head::parse(frame).expect("a head");
            assert_eq!((head.fin, head.opcode.0), (number == 6, u8::from(number == 0)));
            joined.extend_from_slice(&frame[head.length..]);
        }
        assert_eq!(joined, NOTICE);
    }

    #[test]
    fn logins_are_refused_every_time_and_other_commands_are_not() {
        let mut script = script(0, Action::RefuseLogin { code: 6 });
        let login = r#"{"tag":4,"method":"Authenticate","user_id":1,"cookie":"","nonce":"","signature":["",""]}"#;
        for _ in 0..2 {
            let answer = script.command(login).expect("answered");
            let answer: Value = serde_json::from_slice(&answer[2..]).expect("JSON");
            let text = "You are making authentication attempts too rapidly.";
            assert_eq!(answer, json!({"tag": 4, "error_code": 6, "error_msg": text}));
        }
        assert_eq!(script.command(WATCH), None);
        assert_eq!(script.command("{"), None);
    }

    #[test]
    fn an_unknown_field_leaves_json_and_an_oversized_message_has_its_size() {
        let steps = script(0, Action::UnknownField).message(NOTICE);
        let Step::Write(frame) = &steps[0] else { panic!("{steps:?}") };
        let notice: Value = serde_json::from_slice(&frame[2..]).expect("JSON");
        assert_eq!(notice["mood"], "fair");
        let steps = added(&Action::Oversized { bytes: 100_000 });
        let Step::Write(frame) = &steps[0] else { panic!("{steps:?}") };
        assert_eq!(frame::Head::parse(frame).expect("a head").payload, 100_000);
    }
}
