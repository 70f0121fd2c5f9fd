//! Two sessions of a source at once, because the venue ends connections for their age: one speaks for the streams, the
//! other is about to, or did.

use crate::journal::Overlap;
use crate::model::{Stamp, StreamKey};
use crate::venue::{Output, Standing};

use super::session::{Feed, Sequence};
use super::tracker::Tracker;
use super::{Protocol, Topic};

impl<P: Protocol> Feed<P> {
    /// Takes what the plan says of another session.
    pub(super) fn take_overlap(&mut self, at: Stamp, overlap: Option<&Overlap>, out: &mut Output) {
        match overlap {
            None => self.streams.speak(at.wall, &mut out.events),
            Some(Overlap::Newcomer) => self.streams.fall_silent(),
            Some(Overlap::HandedOver { unjoined }) => {
                for StreamKey { channel, market, .. } in unjoined {
                    if let Some(stream) = self.find(&Topic::new(channel, market.as_deref())) {
                        self.retract_tail(at, stream, out);
                    }
                }
                self.streams.fall_silent();
            }
        }
    }

    /// What can be said of the streams now.
    pub(super) fn stand(&self) -> Vec<Standing> {
        let standing = self.streams.iter().filter_map(|(reference, stream)| {
            // What numbers all of a connection says nothing about another one.
            let tracker = self.trackers.get(&Sequence::Stream(reference));
            Some(Standing {
                key: stream.key.clone(),
                state: self.streams.state(reference)?,
                since: self.streams.since(reference),
                good_at: stream.kind.good_at,
                numbers: tracker.and_then(Tracker::numbers),
            })
        });
        standing.collect()
    }
}
