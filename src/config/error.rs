//! What is wrong with a configuration, and where.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::exit::Exit;

/// Where something is written: file, line and column, and the path of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Arc<Path>,
    /// Line and column in characters, both from 1; `None` for the file as a whole.
    pub position: Option<(usize, usize)>,
    /// The key's path, such as `source[0].subscribe[1].method`; empty for the file as a whole.
    pub key: String,
}

impl Place {
    /// A file as a whole.
    #[must_use]
    pub fn file(file: &Path) -> Self {
        Self { file: file.into(), position: None, key: String::new() }
    }

    /// A mistake at this place.
    #[must_use]
    pub fn error(&self, message: impl Into<String>) -> ConfigError {
        ConfigError { place: self.clone(), message: message.into(), exit: Exit::Configuration }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some((line, column)) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        if self.key.is_empty() { Ok(()) } else { write!(f, ": {}", self.key) }
    }
}

/// One mistake: what was found and what would be right.
///
/// It never has text out of a file's account table in it, nor a whole line of any.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct ConfigError {
    /// Where.
    pub place: Place,
    /// What, one clause, with the remedy.
    pub message: String,
    /// The exit code for it.
    pub exit: Exit,
}

/// Every mistake found, in the order of the files. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// `Err` with the mistakes, if there are any.
    ///
    /// # Errors
    /// If there is a mistake.
    pub fn check(mut errors: Vec<ConfigError>) -> Result<(), Self> {
        if errors.is_empty() {
            return Ok(());
        }
        errors.sort_by(|a, b| (&a.place.file, a.place.position).cmp(&(&b.place.file, b.place.position)));
        Err(Self(errors))
    }

    /// The mistakes.
    #[must_use]
    pub fn into_errors(self) -> Vec<ConfigError> {
        self.0
    }

    /// How the program ends: without an input file where there is none, else with a wrong configuration.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.0.first().map_or(Exit::Configuration, |error| error.exit)
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, error) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
