//! Every actix message: who sends it, who handles it, on which plane.
//!
//! | message | from | to | plane |
//! |---|---|---|---|
//! | [`Write`] | connection, registry, recorder | sink | data: awaited, bounded by the sender's window |
//! | [`Ready`] | recorder | registry | control, awaited |
//! | [`Subscribe`] | recorder | registry | control |
//! | [`CatalogChanged`] | registry | connection | control |
//! | [`Replan`] | recorder | connection | control |
//! | [`Refresh`] | recorder | registry | control |
//! | [`Stop`] | recorder | connection, then registry, then sink | control, awaited, in data order |

use std::sync::Arc;

use actix::{Message, Recipient};

use crate::journal::{Batch, Plan};
use crate::model::Catalog;
use crate::sink::SinkError;

/// Store a batch. Answered when it is durable (as the durability setting means it), not before.
#[derive(Message)]
#[rtype(result = "Result<Written, SinkError>")]
pub struct Write(pub Batch);

/// A batch is durable.
#[derive(Debug)]
pub struct Written {
    /// The batch, for its memory.
    pub spent: Batch,
}

/// Another catalog is in force.
#[derive(Message, Clone)]
#[rtype(result = "()")]
pub struct CatalogChanged(pub Arc<Catalog>);

/// Asks for the first catalog. Answered once the first attempt to load it is over; `None`: there is none yet, and
/// [`CatalogChanged`] will tell of it.
#[derive(Message)]
#[rtype(result = "Option<Arc<Catalog>>")]
pub struct Ready;

/// Tell this one of every other catalog from now on, and of the current one at once.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Subscribe(pub Recipient<CatalogChanged>);

/// The configuration changed what a source is to record.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Replan(pub Plan);

/// Load the catalog now.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Refresh;

/// Finish in order: ship what is pending, await its being durable, then answer and end.
#[derive(Message)]
#[rtype(result = "Result<(), SinkError>")]
pub struct Stop;
