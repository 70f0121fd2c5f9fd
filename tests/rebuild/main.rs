//! Recordings and what is derived from their journals again.

mod histories;
mod rebuilding;
mod recording;
mod released;
mod repairing;
mod verifying;
