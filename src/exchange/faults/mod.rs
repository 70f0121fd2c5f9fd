//! Scripted faults: what goes wrong on purpose, on which connection, and when.
//!
//! The exchange itself is always honest. Faults happen on the wire: the [`super::front`] that stands before it when
//! there are any cuts, holds, changes and adds frames as the [`script`] of each connection says.

mod script;

use std::path::Path;

use serde::Deserialize;
use thiserror::Error;

pub(super) use script::{Script, Step};

/// What goes wrong on purpose.
///
/// ```
/// use feedtape::exchange::{Action, Faults};
/// let faults = Faults::new()
///     .on(1, 100, Action::Drop) // the first connection is lost after 100 messages,
///     .on(2, 0, Action::NeverGreet) // the second is not greeted,
///     .always(10, Action::UnknownNotice); // and every one gets a strange notice.
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Faults {
    #[serde(default, rename = "fault")]
    faults: Vec<Fault>,
}

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// On which WebSocket connections, counted from 1 over the exchange's life; on every one if there are none here.
    #[serde(default)]
    pub connections: Vec<u64>,
    /// After how many messages of the exchange on that connection, the greeting included.
    #[serde(default)]
    pub after: u64,
    /// What.
    pub action: Action,
}

/// What goes wrong. "The next" is the first one after [`Fault::after`] messages.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// The TCP connection ends, without a Close frame.
    Drop,
    /// The TCP connection ends in the middle of the next message's frame.
    DropMidFrame,
    /// Nothing that the client sends is read any more.
    StopReading,
    /// Nothing is sent any more, not even pongs, and the connection stays open.
    GoSilent,
    /// The greeting is swallowed.
    NeverGreet,
    /// The greeting's nonce has so many bytes instead of 16.
    Nonce {
        /// How many.
        bytes: usize,
    },
    /// Every login is answered with this error code, without asking the exchange.
    RefuseLogin {
        /// The code.
        code: i64,
    },
    /// The next reply comes after the one that follows it.
    SwapReplies,
    /// The next reply comes twice.
    DuplicateReply,
    /// The next snapshot comes only after so many of the notices that follow it.
    DelaySnapshot {
        /// How many.
        notices: u64,
    },
    /// The next message comes in so many frames.
    Fragment {
        /// How many; at least 1.
        frames: usize,
    },
    /// The next notice has a field nobody knows.
    UnknownField,
    /// A well-formed message of so many bytes comes.
    Oversized {
        /// How many.
        bytes: usize,
    },
    /// A text message that is not UTF-8 comes.
    InvalidUtf8,
    /// A text message that is not JSON comes.
    InvalidJson,
    /// A notice nobody knows comes.
    UnknownNotice,
    /// A notice of a market whose assets nobody knows comes.
    UnknownAssets,
    /// A notice with an integer beyond 64 bits comes.
    HugeInteger,
    /// The exchange says goodbye with this close code.
    Close {
        /// The code.
        code: u16,
    },
    /// So many pings come at once.
    Pings {
        /// How many.
        count: u32,
    },
    /// This text message comes.
    Text {
        /// The message.
        text: String,
    },
    /// These bytes come, whatever they are as frames.
    Bytes {
        /// The bytes.
        bytes: Vec<u8>,
    },
}

/// A file of faults that cannot be used.
#[derive(Debug, Error)]
pub enum FaultsError {
    /// It cannot be read.
    #[error("{file}: cannot be read: {error}")]
    Unreadable {
        /// Which.
        file: String,
        /// Why.
        error: std::io::Error,
    },
    /// It is not as documented.
    #[error("{file}: {error}")]
    Malformed {
        /// Which.
        file: String,
        /// Where and why.
        error: Box<toml::de::Error>,
    },
}

impl Faults {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a file of faults: TOML with a `[[fault]]` for each, its `action` being a name (`"drop"`) or a name with
    /// what it needs (`{ close = { code = 1012 } }`).
    ///
    /// # Errors
    /// If it cannot be read, or is not as documented.
    pub fn read(path: &Path) -> Result<Self, FaultsError> {
        let file = path.display().to_string();
        let text =
            std::fs::read_to_string(path).map_err(|error| FaultsError::Unreadable { file: file.clone(), error })?;
        toml::from_str(&text).map_err(|error| FaultsError::Malformed { file, error: Box::new(error) })
    }

    /// Adds a fault on one connection (the first is 1) after so many messages of the exchange.
    #[must_use]
    pub fn on(mut self, connection: u64, after: u64, action: Action) -> Self {
        self.faults.push(Fault { connections: vec![connection], after, action });
        self
    }

    /// Adds a fault on every connection after so many messages of the exchange.
    #[must_use]
    pub fn always(mut self, after: u64, action: Action) -> Self {
        self.faults.push(Fault { connections: Vec::new(), after, action });
        self
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    /// What goes wrong on that connection.
    pub(super) fn of_connection(&self, connection: u64) -> impl Iterator<Item = &Fault> {
        let concerns = move |fault: &&Fault| fault.connections.is_empty() || fault.connections.contains(&connection);
        self.faults.iter().filter(concerns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_faults_is_read() {
        let faults: Faults = toml::from_str(
            r#"
            [[fault]]
            connections = [1]
            after = 100
            action = "drop"

            [[fault]]
            action = { close = { code = 1012 } }
            "#,
        )
        .expect("as documented");
        assert_eq!(faults, Faults::new().on(1, 100, Action::Drop).always(0, Action::Close { code: 1012 }));
        for bad in ["[[fault]]\naction = \"explode\"", "[[fault]]\nafter = 1", "[[fault]]\naction = \"drop\"\nx = 1"] {
            assert!(toml::from_str::<Faults>(bad).is_err(), "{bad}");
        }
    }
}
