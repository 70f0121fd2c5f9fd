//! `feedtape completions`.

use std::io::{self, Write};

use clap_complete::Shell;

use crate::exit::{Exit, Failure};

/// Print the completion script of a shell
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  feedtape completions bash > ~/.local/share/bash-completion/completions/feedtape
  feedtape completions zsh > ~/.zfunc/_feedtape
  feedtape completions fish > ~/.config/fish/completions/feedtape.fish")]
pub(super) struct Args {
    /// Which shell
    shell: Shell,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "feedtape", &mut script);
    super::written(io::stdout().write_all(&script))
}
