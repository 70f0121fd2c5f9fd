//! An exchange and a recorder in simulated time: no socket, no waiting, everything from seeds.

mod books;
mod day;
mod gaps;
mod histories;
#[path = "../support/machine.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod machine;
mod oracle;
mod told;
mod world;
