//! The example configurations of the venues.

use std::fs;
use std::path::Path;

use assert_cmd::Command;

#[test]
fn every_example_that_names_a_venue_is_good() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut checked = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_config = path.extension().is_some_and(|kind| kind == "toml");
        if !is_config || !fs::read_to_string(&path).unwrap().contains("\nvenue = ") {
            continue;
        }
        let check = Command::new(env!("CARGO_BIN_EXE_feedtape")).arg("check").arg(&path).output().unwrap();
        assert!(check.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&check.stderr));
        checked += 1;
    }
    assert!(checked >= 2, "{checked}");
}
