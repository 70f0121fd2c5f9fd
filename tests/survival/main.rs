//! What kills other recorders: the program as a child process, killed, stopped, starved and lied to by its disk.

mod canary;
mod clock;
mod damage;
mod descriptors;
mod disk;
mod kill;
mod link;
mod logins;
#[path = "../support/machine.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod machine;
mod migration;
mod names;
mod outputs;
mod panics;
mod place;
mod power;
mod process;
mod reload;
#[path = "../support/rows.rs"]
mod rows;
mod scene;
mod secrets;
mod soak;
mod wire;
