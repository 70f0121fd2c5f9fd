//! The command line as such: help, completions, manual pages, wrong usage.

use std::process::{Command, Output};

fn feedtape(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_feedtape")).args(arguments).output().expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// The commands that `--help` lists, but for `help`.
fn commands() -> Vec<String> {
    let help = text(&feedtape(&["--help"]).stdout);
    let (_, list) = help.split_once("Commands:\n").expect("a list");
    // Wrapped lines are indented further.
    let names = list.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.strip_prefix("  "));
    names
        .filter_map(|line| line.split(' ').next().filter(|name| !matches!(*name, "" | "help")))
        .map(str::to_owned)
        .collect()
}

#[test]
fn help_is_on_standard_output_and_good() {
    let help = feedtape(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(text(&help.stdout).contains("78  the configuration is wrong"));
    assert_eq!(feedtape(&["--version"]).status.code(), Some(0));
    for command in commands() {
        let help = feedtape(&[&command, "--help"]);
        assert_eq!(help.status.code(), Some(0), "{command}");
    }
}

#[test]
fn wrong_usage_is_told_on_standard_error_and_exits_64() {
    for arguments in [&[][..], &["chekc"], &["check"], &["check", "--onlien", "x"], &["--log-level", "loud", "man"]] {
        let output = feedtape(arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = text(&feedtape(&["completions", shell]).stdout);
        for command in commands() {
            assert!(script.contains(&command), "{shell}: {command}");
        }
    }
}

#[test]
fn every_command_has_its_manual_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().to_str().expect("UTF-8");
    assert_eq!(feedtape(&["man", "--dir", dir]).status.code(), Some(0));
    for command in commands() {
        let page = std::fs::read_to_string(folder.path().join(format!("feedtape-{command}.1"))).expect("a page");
        assert!(page.contains(".SH SYNOPSIS"), "{command}");
    }
    let whole = std::fs::read_to_string(folder.path().join("feedtape.1")).expect("a page");
    assert!(whole == text(&feedtape(&["man"]).stdout));
    assert_eq!(feedtape(&["man", "--dir", "/dev/null/x"]).status.code(), Some(73));
}
