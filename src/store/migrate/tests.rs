use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::store::script::ask_connection;

const STEPS: &[&str] =
    &["CREATE TABLE one (x INTEGER) STRICT; INSERT INTO one VALUES (1);", "CREATE TABLE two (x) STRICT"];

#[test]
fn a_step_that_fails_leaves_the_file_as_it_was() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("tape.db");
    let mut connection = Connection::open(&path).unwrap();
    // The second step names no type, which STRICT refuses.
    assert!(apply(&path, &mut connection, 0, STEPS).is_err());
    assert_eq!(ask_connection(&connection, "PRAGMA user_version"), "0");
    assert_eq!(ask_connection(&connection, "SELECT name FROM sqlite_schema"), "");
    apply(&path, &mut connection, 0, &STEPS[..1]).unwrap();
    let mended = [STEPS[0], "CREATE TABLE two (x INTEGER) STRICT"];
    apply(&path, &mut connection, 1, &mended).unwrap();
    assert_eq!(ask_connection(&connection, "PRAGMA user_version"), "2");
    assert_eq!(ask_connection(&connection, "SELECT x FROM one"), "1");
}

#[test]
fn tables_are_strict_and_none_has_a_column_for_floats() {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(Path::new(":memory:"), &mut connection, 0).unwrap();
    let loose = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND NOT strict \
         AND name NOT LIKE 'sqlite_%'";
    assert_eq!(ask_connection(&connection, loose), "");
    let columns = "SELECT DISTINCT c.type FROM pragma_table_list t JOIN pragma_table_info(t.name) c \
         WHERE t.schema = 'main' AND t.type = 'table' AND t.strict ORDER BY 1";
    assert_eq!(ask_connection(&connection, columns), "BLOB\nINTEGER\nTEXT");
}
