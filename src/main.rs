//! The `feedtape` program.

fn main() -> std::process::ExitCode {
    feedtape::cli::run()
}
