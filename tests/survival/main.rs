//! What kills other recorders: the program as a child process, killed, stopped, starved and lied to by its disk.

mod backup;
mod breakers;
mod canary;
mod clock;
mod damage;
mod descriptors;
mod disk;
mod flood;
mod kill;
mod link;
mod logins;
#[path = "../support/machine.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod machine;
mod migration;
mod mounted;
mod names;
mod outputs;
mod panics;
#[path = "../connection/peer.rs"]
#[allow(dead_code, reason = "its scripts of broken connections are for other tests")]
mod peer;
mod place;
mod power;
mod process;
mod readers;
mod readonly;
mod reload;
#[path = "../support/rows.rs"]
mod rows;
mod scene;
mod secrets;
#[path = "../venues/server.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod server;
mod snapshot;
mod soak;
mod wire;
