//! The way of batches to the sink: in order, a window of them at a time, and back as memory for the next.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::Poll;
use std::time::Duration;

use actix::Recipient;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::Progress;
use crate::journal::Batch;
use crate::message::{Write, Written};
use crate::sink::SinkError;

/// Sizes of the data path between a connection and the sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// A batch of this many records is shipped.
    pub batch_records_max: usize,
    /// A batch of this many bytes is shipped. A chunk of frames, or one large frame, may take it beyond.
    pub batch_bytes_max: usize,
    /// A batch is shipped this long after its first record at the latest. Far below the sink's commit interval, which
    /// it adds to.
    pub batch_age_max: Duration,
    /// With this many bytes on the way the socket is not read. It bounds what a connection costs while the sink is
    /// slow, and what is in memory but not durable.
    pub window_bytes: usize,
    /// With this many bytes on the way from all connections together, one that has anything on the way ships no more.
    /// It bounds what many connections cost.
    pub traffic_bytes: usize,
}

/// What all connections of a recorder have on the way to the sink, in bytes.
#[derive(Clone, Debug, Default)]
pub struct Traffic(Arc<AtomicUsize>);

impl Default for Flow {
    fn default() -> Self {
        Self {
            batch_records_max: 4096,
            batch_bytes_max: 1 << 20,
            batch_age_max: Duration::from_millis(5),
            window_bytes: 8 << 20,
            traffic_bytes: 12 << 20,
        }
    }
}

/// The number of a batch, its size, and what became of it.
type Answer = (u64, usize, Result<Written, SinkError>);

/// Ships batches.
pub(super) struct Outlet {
    sink: Recipient<Write>,
    flow: Flow,
    traffic: Traffic,
    progress: Arc<Progress>,
    on_the_way: FuturesUnordered<Pin<Box<dyn Future<Output = Answer>>>>,
    unacknowledged: usize,
    /// How many batches were shipped, and how many of them are durable: as many as the last that was answered for, for the
    /// sink takes them in order.
    shipped: u64,
    durable: u64,
    spare: Vec<Batch>,
}

impl Outlet {
    pub(super) fn new(sink: Recipient<Write>, flow: Flow, traffic: Traffic, progress: Arc<Progress>) -> Self {
        let on_the_way = FuturesUnordered::new();
        Self { sink, flow, traffic, progress, on_the_way, unacknowledged: 0, shipped: 0, durable: 0, spare: Vec::new() }
    }

    /// Whether a batch has waited or grown enough to be shipped.
    pub(super) fn wants(&self, batch: &Batch) -> bool {
        batch.len() >= self.flow.batch_records_max || batch.bytes() >= self.flow.batch_bytes_max
    }

    /// Whether there may be more on the way than there is. Where there is not, an answer to come will change that.
    pub(super) fn has_room(&self) -> bool {
        let is_alone = self.unacknowledged == 0;
        is_alone
            || (self.unacknowledged < self.flow.window_bytes && self.traffic.0.load(Relaxed) < self.flow.traffic_bytes)
    }

    /// Whether anything is on the way.
    pub(super) fn is_idle(&self) -> bool {
        self.on_the_way.is_empty()
    }

    /// An empty batch, with the memory of a spent one if there is one.
    pub(super) fn spare(&mut self) -> Batch {
        self.spare.pop().unwrap_or_default()
    }

    /// Whether that batch is durable, and all that were shipped before it.
    pub(super) fn is_durable(&self, batch: u64) -> bool {
        batch <= self.durable
    }

    /// Ships a batch behind those shipped before, and returns its number.
    pub(super) async fn ship(&mut self, batch: Batch) -> u64 {
        self.shipped += 1;
        let number = self.shipped;
        let bytes = batch.bytes();
        self.unacknowledged += bytes;
        self.traffic.0.fetch_add(bytes, Relaxed);
        self.progress.set_unacknowledged(self.unacknowledged);
        let request = self.sink.send(Write(batch));
        let mut answer: Pin<Box<dyn Future<Output = Answer>>> = Box::pin(async move {
            let gone = |_| Err(SinkError::Fatal("the sink has ended before its connections".to_owned()));
            (number, bytes, request.await.unwrap_or_else(gone))
        });
        // A full mailbox takes a message when its request is first polled, so polling at once keeps the order.
        match poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await {
            Poll::Pending => self.on_the_way.push(answer),
            Poll::Ready(answer) => self.on_the_way.push(Box::pin(async { answer })),
        }
        number
    }

    /// Waits for a batch to be durable; never, if none is on the way.
    pub(super) async fn acknowledged(&mut self) -> Result<(), SinkError> {
        let Some((number, bytes, answer)) = self.on_the_way.next().await else { return std::future::pending().await };
        self.unacknowledged -= bytes;
        self.traffic.0.fetch_sub(bytes, Relaxed);
        self.progress.set_unacknowledged(self.unacknowledged);
        let Written { spent } = answer?;
        self.durable = self.durable.max(number);
        // As many as are on the way and will be missed, and none that one large frame has blown up.
        let kept = self.spare.iter().map(Batch::capacity).sum::<usize>();
        if kept <= self.unacknowledged + self.flow.batch_bytes_max && spent.capacity() <= 4 * self.flow.batch_bytes_max
        {
            self.spare.push(spent);
        }
        Ok(())
    }

    /// Waits until everything shipped is durable.
    pub(super) async fn drain(&mut self) -> Result<(), SinkError> {
        while !self.is_idle() {
            self.acknowledged().await?;
        }
        Ok(())
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.traffic.0.fetch_sub(self.unacknowledged, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use actix::{Actor, Context, Handler};

    use super::*;
    use crate::journal::RecordKind;
    use crate::model::{Seq, SessionId, Stamp};

    /// Calls everything durable at once, and remembers the order.
    #[derive(Default)]
    struct Taking(Arc<std::sync::Mutex<Vec<Seq>>>);

    impl Actor for Taking {
        type Context = Context<Self>;

        fn started(&mut self, context: &mut Context<Self>) {
            // As small as can be, so that senders find it full.
            context.set_mailbox_capacity(1);
        }
    }

    impl Handler<Write> for Taking {
        type Result = Result<Written, SinkError>;

        fn handle(&mut self, Write(spent): Write, _: &mut Context<Self>) -> Self::Result {
            self.0.lock().unwrap().push(spent.first());
            Ok(Written { spent })
        }
    }

    fn batch(mut memory: Batch, first: u64, bytes: usize) -> Batch {
        memory.reset(SessionId(1), Seq(first));
        memory.push(RecordKind::Received, Stamp::default(), &vec![b'x'; bytes]);
        memory
    }

    #[actix::test]
    async fn batches_arrive_in_order_even_if_the_sink_is_full() {
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let sink = Taking(Arc::clone(&order)).start().recipient();
        let mut outlet = Outlet::new(sink, Flow::default(), Traffic::default(), Arc::default());
        for first in 0..200 {
            outlet.ship(batch(Batch::default(), first, 10)).await;
            // Now and then the sink gets on, while nobody waits for its answers.
            if first % 3 == 0 {
                tokio::task::yield_now().await;
            }
        }
        outlet.drain().await.unwrap();
        assert_eq!(*order.lock().unwrap(), (0..200).map(Seq).collect::<Vec<_>>());
    }

    #[actix::test]
    async fn the_memory_of_a_spent_batch_is_used_again_unless_it_is_huge() {
        let flow = Flow { batch_bytes_max: 1_000, window_bytes: 50_000, ..Flow::default() };
        let mut outlet = Outlet::new(Taking::default().start().recipient(), flow, Traffic::default(), Arc::default());
        outlet.ship(batch(Batch::default(), 0, 1_000)).await;
        assert!(outlet.has_room() && !outlet.is_idle());
        outlet.drain().await.unwrap();
        let spare = outlet.spare();
        let capacity = spare.capacity();
        assert!(capacity >= 1_000);

        outlet.ship(batch(spare, 1, 900)).await;
        outlet.ship(batch(Batch::default(), 2, 40_000)).await;
        assert!(outlet.has_room());
        outlet.ship(batch(Batch::default(), 3, 10_000)).await;
        assert!(!outlet.has_room());
        outlet.drain().await.unwrap();
        assert!(outlet.has_room());
        assert_eq!((outlet.spare().capacity(), outlet.spare().capacity()), (capacity, 0));
    }
    #[actix::test]
    async fn many_connections_share_a_bound_and_none_is_left_without() {
        let flow = Flow { window_bytes: 5_000, traffic_bytes: 4_000, ..Flow::default() };
        let (sink, traffic) = (Taking::default().start().recipient(), Traffic::default());
        let outlet = || Outlet::new(sink.clone(), flow, traffic.clone(), Arc::default());
        let (mut one, mut other, third) = (outlet(), outlet(), outlet());
        one.ship(batch(Batch::default(), 0, 3_000)).await;
        assert!(one.has_room());
        other.ship(batch(Batch::default(), 0, 3_000)).await;
        assert!(!one.has_room() && !other.has_room() && third.has_room());
        one.drain().await.unwrap();
        assert!(one.has_room() && other.has_room());
        drop(other);
        assert_eq!(traffic.0.load(Relaxed), 0);
    }
}
