//! The example queries, on a recording with everything in it.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use feedtape::store::Query;

use super::recording::everything;

/// The queries of examples/queries.sql with their titles.
fn examples() -> Vec<(String, String)> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/queries.sql");
    let text = fs::read_to_string(file).unwrap();
    text.split("\n\n")
        .filter_map(|block| block.strip_prefix("-- ")?.split_once('\n'))
        .filter(|(title, _)| title.starts_with(char::is_numeric))
        .map(|(title, sql)| (title.to_owned(), sql.trim().to_owned()))
        .collect()
}

#[test]
fn every_example_answers_something_here_and_in_the_plain_shell() {
    let (_folder, path) = everything();
    let examples = examples();
    let number = |title: &str| title.split('.').next().unwrap().parse::<usize>().unwrap();
    let numbers: Vec<_> = examples.iter().map(|(title, _)| number(title)).collect();
    assert!(numbers.len() >= 10 && numbers.iter().copied().eq(1..=numbers.len()), "{numbers:?}");
    let has_shell = Command::new("sqlite3").arg("--version").output().is_ok();
    if !has_shell {
        println!("skipped the shell: no sqlite3 here");
    }
    let mut query = Query::open(&path, Duration::from_secs(60)).unwrap();
    for (title, sql) in examples {
        let mut rows = 0;
        let mut answer = query.prepare(&sql).unwrap_or_else(|error| panic!("{title}: {error}"));
        answer
            .rows(|_| {
                rows += 1;
                ControlFlow::Continue(())
            })
            .unwrap_or_else(|error| panic!("{title}: {error}"));
        assert!(rows > 0, "{title}");
        if has_shell {
            let shell = Command::new("sqlite3").arg("-readonly").arg(&path).arg(&sql).output().unwrap();
            assert!(shell.status.success(), "{title}: {}", String::from_utf8_lossy(&shell.stderr));
            assert_eq!(String::from_utf8(shell.stdout).unwrap().lines().count(), rows, "{title}");
        }
    }
}
