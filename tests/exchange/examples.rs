//! The example programs, run against an exchange.

use std::path::PathBuf;
use std::process::Command;

use feedtape::exchange::{Exchange, ExchangeConfig, Faults, Running, read_accounts};

use crate::client::start;

/// Runs a program with the arguments and secrets that the examples take, and returns what it printed.
fn run(mut program: Command, exchange: &Running) -> String {
    let account = &exchange.accounts()[0];
    let output = program
        .args([exchange.ws_url(), exchange.rest_url(), account.id.to_string()])
        .env("COINFLEX_COOKIE", account.cookie.expose())
        .env("COINFLEX_PASSPHRASE", account.passphrase.expose())
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn check(printed: &str) {
    for line in ["orders in the book: 0", "left of it: 5000", "open orders: 1", "XBT 1000000", "USDT 20000000000"] {
        assert!(printed.lines().any(|printed| printed == line), "{line} is not in\n{printed}");
    }
}

#[test]
fn the_files_for_an_exchange_are_as_documented() {
    let examples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples");
    let accounts = read_accounts(&examples.join("accounts.toml")).expect("accounts");
    let faults = Faults::read(&examples.join("faults.toml")).expect("faults");
    let exchange = Exchange::start(ExchangeConfig { accounts, faults, ..ExchangeConfig::default() });
    assert_eq!(exchange.expect("an exchange").accounts().len(), 2);
    // What the comment at the end of the file of faults names exists.
    let text = std::fs::read_to_string(examples.join("faults.toml")).expect("a file");
    let others = text.split("# Others:").nth(1).expect("the comment").replace("\n#", "");
    for action in split_outside_braces(&others) {
        let action = if action.starts_with('{') { action } else { format!("\"{action}\"") };
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), format!("[[fault]]\naction = {action}")).expect("written");
        Faults::read(file.path()).unwrap_or_else(|error| panic!("{action}: {error}"));
    }
}

/// The items of a list with commas, in which braces and brackets may hold others.
fn split_outside_braces(list: &str) -> Vec<String> {
    let (mut items, mut depth) = (vec![String::new()], 0);
    for character in list.chars() {
        match character {
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            _ => {}
        }
        if character == ',' && depth == 0 {
            items.push(String::new());
        } else if let Some(item) = items.last_mut() {
            item.push(character);
        }
    }
    items.iter().map(|item| item.trim().to_owned()).collect()
}

#[test]
fn the_rust_program_trades() {
    // Cargo puts it beside the tests' folder, unless only this test is built.
    let folder = std::env::current_exe().ok().and_then(|test| Some(test.parent()?.parent()?.join("examples")));
    let Some(program) = folder.map(|folder| folder.join("trade")).filter(|program| program.exists()) else {
        println!("skipped: the example is not built; run `cargo build --example trade`");
        return;
    };
    let exchange = start();
    check(&run(Command::new(program), &exchange));
}

#[test]
fn the_python_script_trades() {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/trade.py");
    let python = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    let has_packages = Command::new(&python).args(["-c", "import websockets, ecdsa"]).output();
    if !has_packages.is_ok_and(|output| output.status.success()) {
        println!("skipped: no python3 with the packages websockets and ecdsa; name one in PYTHON");
        return;
    }
    let exchange = start();
    let mut program = Command::new(python);
    program.arg(script);
    check(&run(program, &exchange));
}
