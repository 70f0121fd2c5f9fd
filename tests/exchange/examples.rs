//! The example programs, run against an exchange.

use std::path::PathBuf;
use std::process::Command;

use feedtape::exchange::Running;

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
