//! A file that somebody prepared: whatever its names and texts are, no command lets them steer a terminal.

use std::path::Path;
use std::process::Command;

use rusqlite::Connection;

use crate::recording::everything;

/// What would set the title of a terminal's window, clear it, and turn text around.
pub const EVIL: &str = "\u{1b}]0;pwned\u{7}\u{9b}2J\u{202e}";

/// Appends that to every text of these columns, or of all.
fn prepare(path: &Path, wanted: impl Fn(&str) -> bool) {
    let connection = Connection::open(path).unwrap();
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    let columns = "SELECT t.name, c.name FROM pragma_table_list t JOIN pragma_table_info(t.name) c \
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND c.type = 'TEXT'";
    let mut columns = connection.prepare(columns).unwrap();
    let columns = columns.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    let columns: Vec<(String, String)> = columns.unwrap().map(Result::unwrap).collect();
    let mut changed = 0;
    for (table, column) in columns.into_iter().filter(|(_, column)| wanted(column)) {
        let update = format!("UPDATE \"{table}\" SET \"{column}\" = \"{column}\" || ?");
        changed += connection.execute(&update, [EVIL]).unwrap();
    }
    assert!(changed > 10);
}

/// What a command prints on a terminal, on standard output and standard error.
pub fn on_terminal(args: &[&str]) -> Option<String> {
    let quoted = |arg: &str| format!("'{}'", arg.replace('\'', "'\\''"));
    let mut command = quoted(env!("CARGO_BIN_EXE_feedtape"));
    args.iter().for_each(|arg| command += &format!(" {}", quoted(arg)));
    let output = Command::new("script").args(["-qec", &command, "/dev/null"]).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn nothing_in_a_file_steers_the_terminal_of_who_reads_it() {
    let names = ["name", "base", "counter", "market", "detail", "evidence", "text", "what", "error_message", "url"];
    for is_everything in [false, true] {
        let (_folder, path) = everything();
        prepare(&path, |column| is_everything || names.contains(&column));
        let db = path.to_str().unwrap();
        let market = format!("XBT:USDT{EVIL}");
        let sql = "SELECT * FROM stream, asset, market, not_understood";
        let mut commands: Vec<Vec<&str>> = vec![
            vec!["status", db],
            vec!["status", db, "--format", "csv"],
            vec!["coverage", db],
            vec!["coverage", db, "--market", &market],
            vec!["coverage", db, "--market", "nothing of the kind"],
            vec!["book", db, &market],
            vec!["book", db, "nothing:ofthekind"],
            vec!["verify", db],
            vec!["verify", db, "--quick"],
            vec!["query", db, "SELECT nothing FROM stream"],
            vec!["query", db, EVIL],
        ];
        for format in ["table", "csv", "json", "jsonl", "markdown"] {
            commands.push(vec!["query", db, sql, "--format", format]);
        }
        for format in ["text", "json", "import"] {
            commands.push(vec!["frames", db, "--session", "1", "--format", format]);
        }
        let (mut escaped, mut told) = (0, 0);
        for args in commands {
            let Some(printed) = on_terminal(&args) else {
                return println!("SKIPPED: there is no script(1), which has a terminal");
            };
            let steers = ["\u{1b}]", "\u{7}", "\u{9b}", "\u{202e}"].map(|evil| printed.contains(evil));
            assert_eq!(steers, [false; 4], "{args:?}: {printed:?}");
            told += usize::from(!printed.is_empty());
            escaped += usize::from(printed.contains("pwned"));
        }
        assert!(told >= 18 && escaped >= 12, "{told} printed something, {escaped} of them what was prepared");
    }
}
