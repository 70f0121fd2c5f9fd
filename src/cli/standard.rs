//! Standard output and standard error of a program that goes on when nobody reads them.

use std::io::{self, Stderr, Stdout};
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, write};

/// A pipe that takes anything takes as much as this at once, on Linux.
const WRITE_BYTES_MAX: usize = 4096;

/// How long a program that ends waits for whoever reads its last words.
pub(super) const LAST_WORDS_WAIT: Duration = Duration::from_secs(1);

/// A stream that is written to only while that holds nothing up. What it has begun to take goes before all else.
pub(super) struct Standard<S> {
    stream: S,
    rest: Vec<u8>,
}

impl Standard<Stdout> {
    /// Standard output.
    pub(super) fn output() -> Self {
        Self::new(io::stdout())
    }
}

impl Standard<Stderr> {
    /// Standard error.
    pub(super) fn error() -> Self {
        Self::new(io::stderr())
    }
}

impl<S: AsFd> Standard<S> {
    fn new(stream: S) -> Self {
        Self { stream, rest: Vec::new() }
    }

    /// Whether something that is written now is read, or can be.
    pub(super) fn is_ready(&self) -> bool {
        self.waits_for(Duration::ZERO)
    }

    /// Whether all that was taken is written. Writes of it what can be written now, and for so long waits for the rest.
    ///
    /// # Errors
    /// If it cannot be written: the reader went away, the disk is full. Then what was taken is forgotten.
    pub(super) fn flush(&mut self, patience: Duration) -> io::Result<bool> {
        while !self.rest.is_empty() && self.waits_for(patience) {
            match write(&self.stream, &self.rest[..self.rest.len().min(WRITE_BYTES_MAX)]) {
                Ok(written) => drop(self.rest.drain(..written)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(error) => {
                    self.rest.clear();
                    return Err(error.into());
                }
            }
        }
        Ok(self.rest.is_empty())
    }

    /// Takes these bytes, if all that it took before is written; whether it did.
    ///
    /// # Errors
    /// As [`Standard::flush`].
    pub(super) fn take(&mut self, bytes: &[u8]) -> io::Result<bool> {
        if !self.flush(Duration::ZERO)? {
            return Ok(false);
        }
        self.rest.extend_from_slice(bytes);
        self.flush(Duration::ZERO).map(|_| true)
    }

    fn waits_for(&self, patience: Duration) -> bool {
        let mut asked = [PollFd::new(&self.stream, PollFlags::OUT)];
        let patience = Timespec::try_from(patience).unwrap_or_default();
        // Whoever cannot be asked is written to. An error or a reader that went away is for the write to find.
        poll(&mut asked, Some(&patience)).map_or(true, |ready| ready > 0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_nobody_reads_is_left_out_and_what_was_begun_is_finished() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut standard = Standard::new(writer);
        let line = |n: usize| format!("{n:>99}\n");
        let taken = (0..10_000).take_while(|n| standard.take(line(*n).as_bytes()).unwrap()).count();
        assert!((100..10_000).contains(&taken), "{taken}");
        assert!(!standard.is_ready());
        assert!(!standard.flush(Duration::from_millis(1)).unwrap());
        let mut begun = vec![0; 60_000];
        reader.read_exact(&mut begun).unwrap();
        assert!(standard.take(line(taken).as_bytes()).unwrap());
        assert!(standard.flush(LAST_WORDS_WAIT).unwrap());
        drop(standard);
        reader.read_to_end(&mut begun).unwrap();
        assert_eq!(String::from_utf8(begun).unwrap(), (0..=taken).map(line).collect::<String>());
    }

    #[test]
    fn a_reader_that_went_away_is_an_error_and_nothing_more() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let mut standard = Standard::new(writer);
        for _ in 0..2 {
            assert_eq!(standard.take(b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        }
    }
}
