//! An exchange and a recorder in simulated time: no socket, no waiting, everything from seeds.

mod books;
mod day;
mod gaps;
mod world;
