//! Exit codes, as in sysexits.h.

use std::fmt;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use thiserror::Error;

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

impl Exit {
    /// Every one.
    pub const ALL: [Self; 14] = [
        Self::Good,
        Self::Negative,
        Self::Usage,
        Self::Data,
        Self::NoInput,
        Self::Unavailable,
        Self::Internal,
        Self::CannotCreate,
        Self::InputOutput,
        Self::Locked,
        Self::LoginRefused,
        Self::Configuration,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// A failure with this exit code and a message: one lowercase clause with the remedy.
    pub fn because(self, message: impl fmt::Display) -> Failure {
        Failure { exit: self, message: message.to_string() }
    }
}

/// Why a command failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Failure {
    /// How the program ends.
    pub exit: Exit,
    /// What the person at the terminal is told.
    pub message: String,
}

/// How long a panic may take to be reported.
const REPORT_WAIT: Duration = Duration::from_secs(1);

/// Has a panic anywhere end the whole process with [`Exit::Internal`], from now on: a recorder that runs on half alive is
/// the worst failure.
pub fn end_with_the_first_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // Nor does it live on where nobody reads what is reported. Without a thread that ends it, the report does.
        let _ = thread::Builder::new().spawn(|| {
            thread::sleep(REPORT_WAIT);
            std::process::exit(Exit::Internal as i32);
        });
        report(panic);
        std::process::exit(Exit::Internal as i32);
    }));
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
