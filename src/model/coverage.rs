//! What can be said of a stream at a time: a verdict, or a gap with its cause.

use serde::{Deserialize, Serialize};

/// What the file can say of an interval that was recorded. A gap is not a verdict of this kind: see [`Coverage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// A counter or a chain without a hole.
    Proved,
    /// Checksums held.
    Checked,
    /// The venue offers neither; connected, subscribed, snapshot taken, no contradiction found.
    Consistent,
    /// In doubt, or the feed has no means at all.
    Unverifiable,
}

/// Why nothing was, or may have been, recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapCause {
    /// No recorder was running.
    NotRunning,
    /// No connection.
    NotConnected,
    /// Connected, but the venue has not greeted.
    NotGreeted,
    /// Greeted, but not logged in, which the stream needs.
    NotAuthenticated,
    /// Asked for (or about to be), not acknowledged with a snapshot yet.
    NotAcknowledged,
    /// The venue refused it.
    Refused,
    /// The link answers, but the stream was silent for longer than it ever should be.
    Stale,
    /// The sink could not take rows, and the connection was not read.
    SinkStalled,
    /// Process or machine stood still, and the connection was not read; or the clock was set forward.
    Suspended,
    /// A frame of this stream could not be understood.
    NotUnderstood,
    /// The scale of its numbers is unknown.
    ScaleUnknown,
    /// A counter, chain or range was broken.
    SequenceBroken,
    /// A checksum did not hold.
    ChecksumFailed,
    /// The configuration no longer asks for it.
    Reconfigured,
    /// The market expired.
    Expired,
}

/// The state of a stream from one instant to its next transition. The transitions of a stream partition time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coverage {
    /// Recorded, and this much can be said of it.
    Covered(Verdict),
    /// Not recorded, or not surely.
    Gap(GapCause),
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseCause {
    /// We were told to stop.
    Stopped,
    /// The configuration no longer has the source, or changed its connection.
    Reconfigured,
    /// The peer sent a Close frame; the session's code has its number.
    ClosedByPeer,
    /// The stream ended without a Close frame.
    EndOfStream,
    /// Reset or another transport error.
    Transport,
    /// No address of the name could be reached, or the name could not be resolved.
    Unreachable,
    /// TLS failed.
    Tls,
    /// The upgrade was answered with another status than 101; the session's code has it.
    UpgradeRefused,
    /// Connecting, the handshake, the greeting or a reply took too long.
    TimedOut,
    /// Nothing came for longer than the keepalive allows.
    Silent,
    /// The peer broke RFC 6455.
    Protocol,
    /// A frame or message was larger than the limit.
    TooLarge,
    /// The greeting could not be used.
    BadGreeting,
    /// The session asked for it (a resynchronisation, a planned lifetime).
    Session,
    /// The process ended without closing it; found at the next start.
    Killed,
    /// The end of an imported capture.
    EndOfCapture,
}

impl CloseCause {
    /// Whether the link gave out: nothing arrived that says it ended, as a Close frame or the end of the stream would,
    /// which come behind all that was sent before. An end of ours gives no reason to doubt the link.
    #[must_use]
    pub fn gave_out(self) -> bool {
        matches!(self, Self::Silent | Self::TimedOut | Self::Transport)
    }

    /// Why the session's streams are not recorded from then on.
    #[must_use]
    pub fn gap(self) -> GapCause {
        match self {
            Self::Stopped | Self::Killed | Self::EndOfCapture => GapCause::NotRunning,
            _ => GapCause::NotConnected,
        }
    }
}

macro_rules! as_str {
    ($type:ident { $($variant:ident => $text:literal,)* }) => {
        impl $type {
            /// The text that tables, logs and the command line use.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The value of that text.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

as_str!(Verdict {
    Proved => "proved",
    Checked => "checked",
    Consistent => "consistent",
    Unverifiable => "unverifiable",
});
as_str!(GapCause {
    NotRunning => "not_running",
    NotConnected => "not_connected",
    NotGreeted => "not_greeted",
    NotAuthenticated => "not_authenticated",
    NotAcknowledged => "not_acknowledged",
    Refused => "refused",
    Stale => "stale",
    SinkStalled => "sink_stalled",
    Suspended => "suspended",
    NotUnderstood => "not_understood",
    ScaleUnknown => "scale_unknown",
    SequenceBroken => "sequence_broken",
    ChecksumFailed => "checksum_failed",
    Reconfigured => "reconfigured",
    Expired => "expired",
});
as_str!(CloseCause {
    Stopped => "stopped",
    Reconfigured => "reconfigured",
    ClosedByPeer => "closed_by_peer",
    EndOfStream => "end_of_stream",
    Transport => "transport",
    Unreachable => "unreachable",
    Tls => "tls",
    UpgradeRefused => "upgrade_refused",
    TimedOut => "timed_out",
    Silent => "silent",
    Protocol => "protocol",
    TooLarge => "too_large",
    BadGreeting => "bad_greeting",
    Session => "session",
    Killed => "killed",
    EndOfCapture => "end_of_capture",
});
