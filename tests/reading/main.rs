//! Reading a recording: by the user's SQL, record by record, and as files that cannot be written.

mod books;
mod escapes;
mod examples;
mod files;
mod journal;
mod querying;
mod recording;
mod standing;
