//! What the README tells a new user to type.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

fn feedtape() -> Command {
    Command::cargo_bin("feedtape").unwrap()
}

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// The demonstration in a folder of its own, recorded for a moment.
fn recorded() -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/demo.toml");
    let config = folder.path().join("demo.toml");
    fs::copy(demo, &config).unwrap();
    let run = feedtape().arg("record").arg(&config).args(["--for", "3s"]).assert().success();
    (folder, String::from_utf8(run.get_output().stdout.clone()).unwrap())
}

#[test]
fn the_demonstration_records_and_says_what_to_type_next() {
    assert!(readme().contains("cargo run --release -- record examples/demo.toml --for 20s"));
    let (folder, said) = recorded();
    let next = said.lines().find_map(|line| line.strip_prefix("next: feedtape query ")).unwrap();
    let (database, sql) = next.split_once(' ').unwrap();
    assert_eq!(Path::new(database), folder.path().join("demo.db"));
    let answer = feedtape().args(["query", database, sql.trim_matches('"'), "--format", "jsonl"]).assert().success();
    let rows = String::from_utf8(answer.get_output().stdout.clone()).unwrap();
    assert_eq!(rows.lines().count(), 10, "{rows}");

    // The exchange is honest and nothing was missed, so nothing but begin and end is a gap.
    let findings =
        feedtape().args(["query", database, "SELECT * FROM findings", "--format", "jsonl"]).assert().success();
    assert_eq!(String::from_utf8_lossy(&findings.get_output().stdout), "");
    let gaps = "SELECT DISTINCT cause FROM gaps WHERE cause NOT LIKE 'not_%'";
    let gaps = feedtape().args(["query", database, gaps, "--format", "jsonl"]).assert().success();
    assert_eq!(String::from_utf8_lossy(&gaps.get_output().stdout), "");
}

#[test]
fn every_query_of_the_readme_can_be_asked() {
    let readme = readme();
    let block = readme.split("```sql\n").nth(1).unwrap().split("```").next().unwrap();
    let queries: Vec<_> = block.split(";\n").map(str::trim).filter(|query| !query.is_empty()).collect();
    assert!(queries.len() >= 10, "{}", queries.len());
    let (folder, _) = recorded();
    let database = folder.path().join("demo.db");
    for query in queries {
        feedtape().arg("query").arg(&database).arg(query).args(["--format", "csv"]).assert().success();
    }
}

#[test]
fn every_table_and_view_is_told_with_what_it_proves() {
    let names: Vec<_> =
        documented(&readme()).into_iter().chain(documented(include_str!("../migrations/README.md"))).collect();
    let (folder, _) = recorded();
    let connection = rusqlite::Connection::open(folder.path().join("demo.db")).unwrap();
    let mut made = connection
        .prepare(
            "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
        )
        .unwrap();
    let made: Vec<String> = made.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    for name in &made {
        assert_eq!(names.iter().filter(|named| *named == name).count(), 1, "{name} is in one of the two tables");
    }
    for name in &names {
        assert!(made.contains(name), "there is no {name}");
    }
}

/// The names in the first column of the table of tables and views, and in the sentence on views that serve others.
fn documented(text: &str) -> Vec<String> {
    let section = text.split("\n| view |").nth(1).or_else(|| text.split("\n| table |").nth(1)).unwrap();
    let (table, rest) = section.split_once("\n\n").unwrap();
    let cells = table.lines().skip(2).map(|line| line.split('|').nth(1).unwrap());
    let helpers = rest.split("\n\n").filter(|paragraph| paragraph.starts_with("Views that only serve others"));
    cells.chain(helpers).flat_map(|text| text.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

#[test]
fn every_command_of_the_readme_exists() {
    let readme = readme();
    let table = readme.split("## Commands").nth(1).unwrap().split("## Operations").next().unwrap();
    let names: Vec<_> = table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .flat_map(|line| line.split('|').nth(1).unwrap().split('`').skip(1).step_by(2))
        .map(|usage| usage.split_whitespace().next().unwrap().to_owned())
        .collect();
    assert!(names.len() >= 12, "{names:?}");
    for name in names {
        feedtape().args([&name, "--help"]).assert().success();
    }
}
