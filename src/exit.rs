//! Exit codes, as in sysexits.h.

use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done as asked.
    Good = 0,
    /// The answer is "no": a check found something, a request was refused, a recording has holes.
    Negative = 1,
    /// Wrong usage.
    Usage = 64,
    /// Input data is damaged, foreign, or of a newer version.
    Data = 65,
    /// An input file does not exist.
    NoInput = 66,
    /// A service is unavailable.
    Unavailable = 69,
    /// A defect of ours.
    Internal = 70,
    /// An output file cannot be made.
    CannotCreate = 73,
    /// Reading or writing failed.
    InputOutput = 74,
    /// Try again later: another recorder holds the database.
    Locked = 75,
    /// The venue refused the login.
    LoginRefused = 77,
    /// The configuration is wrong.
    Configuration = 78,
    /// Ended by a second SIGINT.
    Interrupted = 130,
    /// Ended by a second SIGTERM.
    Terminated = 143,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
