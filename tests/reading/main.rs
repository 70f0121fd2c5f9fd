//! Reading a recording: by the user's SQL, record by record, and as files that cannot be written.

mod books;
mod escapes;
mod examples;
mod files;
mod hostile;
mod journal;
#[path = "../connection/peer.rs"]
#[allow(dead_code, reason = "its scripts of broken connections are for other tests")]
mod peer;
mod querying;
mod recording;
#[path = "../venues/server.rs"]
#[allow(dead_code, reason = "what it heard is for other tests")]
mod server;
mod standing;
