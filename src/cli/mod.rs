//! The command line: one file a command, each with its `Args` and a `run` that says how the program ends.

mod assets;
mod backup;
mod bar;
mod book;
mod check;
mod completions;
mod coverage;
mod exchange;
mod frames;
mod import;
mod listing;
mod log;
mod man;
mod markets;
mod output;
mod query;
mod rebuild;
mod record;
mod request;
mod standard;
mod status;
mod talk;
mod time;
mod venues;
mod verify;

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::config::ConfigErrors;
use crate::exit::{self, Exit, Failure};
use crate::store::StoreError;

use standard::{LAST_WORDS_WAIT, Standard};

const EXIT_CODES: &str = "\
Exit codes:
    0  done as asked
    1  the answer is no: refused, or something is missing
   64  wrong usage
   65  damaged, foreign or newer data
   66  an input file does not exist
   69  a service is unavailable
   70  a defect of feedtape
   73  an output file cannot be made
   74  reading or writing failed
   75  another recorder holds the database; try again later
   77  the venue refused the login
   78  the configuration is wrong
  130  ended by a second SIGINT
  143  ended by a second SIGTERM";

/// Records exchange WebSocket streams into SQLite, and proves what the recording contains
#[derive(Parser)]
#[command(name = "feedtape", version, after_long_help = EXIT_CODES, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    log: log::Args,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Record(record::Args),
    Check(check::Args),
    Assets(assets::Args),
    Markets(markets::Args),
    Venues(venues::Args),
    Request(Box<request::Args>),
    Query(query::Args),
    Status(status::Args),
    Coverage(coverage::Args),
    Book(book::Args),
    Verify(verify::Args),
    Frames(frames::Args),
    Import(import::Args),
    Rebuild(rebuild::Args),
    Backup(backup::Args),
    Exchange(Box<exchange::Args>),
    Completions(completions::Args),
    Man(man::Args),
}

/// Runs the program with the arguments of the process.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error).into(),
    };
    exit::end_with_the_first_panic();
    cli.log.start();
    let end = match cli.command {
        Command::Record(args) => record::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Assets(args) => assets::run(&args),
        Command::Markets(args) => markets::run(&args),
        Command::Venues(args) => venues::run(&args),
        Command::Request(args) => request::run(&args),
        Command::Query(args) => query::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Coverage(args) => coverage::run(&args),
        Command::Book(args) => book::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Frames(args) => frames::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Rebuild(args) => rebuild::run(&args),
        Command::Backup(args) => backup::run(&args),
        Command::Exchange(args) => exchange::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    };
    end.unwrap_or_else(|failure| complain(&failure)).into()
}

/// Runs a future in an actix system of its own.
fn in_system<T>(future: impl Future<Output = T>) -> T {
    let system = actix_rt::System::new();
    let output = system.block_on(future);
    // Its end would wait for names to be looked up, half a minute where the name server does not answer. What had to be
    // waited for, the future has waited for; the rest ends with the process.
    std::mem::forget(system);
    output
}

/// The whole command line, for completions and manual pages.
fn command() -> clap::Command {
    Cli::command()
}

/// Prints what clap says of the arguments: help asked for, or wrong usage.
fn usage(error: &clap::Error) -> Exit {
    let printed = error.print();
    if error.use_stderr() {
        return Exit::Usage;
    }
    written(printed).unwrap_or_else(|failure| complain(&failure))
}

/// Prints why a command failed. A reader that went away (`feedtape … | head`) needs no message.
fn complain(failure: &Failure) -> Exit {
    if !failure.message.is_empty() {
        let lines =
            failure.message.lines().map(|line| format!("feedtape: {}\n", output::shown(line))).collect::<String>();
        let mut standard = Standard::error();
        // Without a standard error, or where nobody reads it, there is nobody to tell.
        let _ = standard.take(lines.as_bytes()).and_then(|_| standard.flush(LAST_WORDS_WAIT));
    }
    failure.exit
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        error.exit().because(error)
    }
}

impl From<ConfigErrors> for Failure {
    fn from(errors: ConfigErrors) -> Self {
        errors.exit().because(errors)
    }
}

/// What became of writing to standard output: a reader that went away is no failure.
fn written(result: io::Result<()>) -> Result<Exit, Failure> {
    match result {
        Ok(()) => Ok(Exit::Good),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Good),
        Err(error) => Err(Exit::InputOutput.because(format!("standard output: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_command_says_how_it_is_used_by_example() {
        for command in command().get_subcommands() {
            let help = command.get_after_long_help().or(command.get_after_help()).unwrap_or_default().to_string();
            assert!(help.contains(&format!("feedtape {}", command.get_name())), "{}", command.get_name());
        }
    }

    #[test]
    fn every_exit_code_is_in_the_help() {
        let listed: Vec<u8> =
            EXIT_CODES.lines().skip(1).map(|line| line.split_whitespace().next().unwrap().parse().unwrap()).collect();
        assert_eq!(listed, Exit::ALL.map(|exit| exit as u8));
    }
}
