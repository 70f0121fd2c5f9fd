//! The journal: every input a session was given, in order, with the time it was given.
//!
//! The journal is the recording. All typed rows are derived from it by [`Tape`], which serves the live socket, an
//! imported capture, a rebuild and a test alike; so replaying the same records gives the same rows.
//!
//! * [`Record`], [`Input`]: one input, as bytes and as meaning.
//! * [`Batch`]: consecutive records of one session with the events concluded from them. A batch is stored whole, in
//!   one transaction, or not at all.
//! * [`block`]: how records lie on disk, many to a compressed block.

mod batch;
pub mod block;
mod input;
mod tape;
mod varint;

pub use batch::{Batch, Record, RecordHead};
pub use input::{
    Closed, Input, InputError, Look, LookStage, LookTaken, Opened, Overlap, Plan, PollPlan, RecordKind, RestAnswer,
    SubscribePlan, Timing,
};
pub use tape::Tape;
