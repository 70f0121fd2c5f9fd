//! `feedtape man`.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::exit::{Exit, Failure};

/// Print the manual page, or write those of all commands into a folder
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  feedtape man | man -l -
  feedtape man --dir ~/.local/share/man/man1")]
pub(super) struct Args {
    /// Write a page for every command into this folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let command = super::command().disable_help_subcommand(true);
    match &args.dir {
        Some(dir) => clap_mangen::generate_to(command, dir)
            .map(|()| Exit::Good)
            .map_err(|error| Exit::CannotCreate.because(format!("{}: {error}", dir.display()))),
        None => {
            let mut page = Vec::new();
            let rendered = clap_mangen::Man::new(command).render(&mut page);
            super::written(rendered.and_then(|()| io::stdout().write_all(&page)))
        }
    }
}
