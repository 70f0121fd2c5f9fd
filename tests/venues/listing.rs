//! `feedtape venues`, and what a configuration of such a venue may say.

use std::path::Path;
use std::process::Command;

use feedtape::config::Config;
use feedtape::venue::VENUES;

fn feedtape(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_feedtape")).args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

#[test]
fn every_channel_of_every_venue_is_listed_with_what_judges_it() {
    let listed = feedtape(&["venues", "--format", "csv"]);
    for venue in VENUES {
        for channel in venue.profile().channels.iter() {
            let start = format!("{},{},", venue.name(), channel.method);
            let line = listed.lines().find(|line| line.starts_with(&start)).expect(&start);
            assert!(line.contains(channel.integrity.scheme.as_str()), "{line}");
        }
    }
    let kraken = feedtape(&["venues", "kraken", "--format", "csv"]);
    assert!(kraken.contains(
        "kraken,book,price levels,no,live,depth=10|25|100|500|1000,checksum by subscription,checked,in band,us,by number"
    ));
    let generic = feedtape(&["venues", "generic", "--format", "csv"]);
    for judged in ["counter by subscription,proved", "counter by connection,proved", "chain by subscription,proved"] {
        assert!(generic.contains(judged), "{judged}: {generic}");
    }
    assert!(feedtape(&["venues", "krakn"]).contains("unknown venue `krakn`, did you mean `kraken`"));
}

#[test]
fn a_lifetime_is_no_longer_than_the_venues_own() {
    let check = |venue: &str, lifetime: &str| {
        let text = format!(
            "database = \"x.db\"\n[[source]]\nname = \"s\"\nvenue = \"{venue}\"\nendpoint = \"live\"\n\
             timing = {{ lifetime = \"{lifetime}\" }}\n[[source.subscribe]]\nmethod = \"trade\"\nmarkets = [\"A\"]\n"
        );
        Config::parse(Path::new("x.toml"), &text)
    };
    let lifetime = |config: Result<Config, _>| config.ok().unwrap().sources[0].pace.lifetime.unwrap().as_secs() / 3600;
    assert_eq!(lifetime(check("binance", "12h")), 12);
    let told = |venue, lifetime| check(venue, lifetime).err().unwrap().to_string();
    assert!(
        told("binance", "25h").contains("`binance` ends a connection after 1day; write at most that, or leave it out")
    );
    assert!(told("kraken", "12h").contains("`kraken` ends no connection for its age; leave it out"));
    let unsaid = "database = \"x.db\"\n[[source]]\nname = \"s\"\nvenue = \"binance\"\nendpoint = \"live\"\n\
         [[source.subscribe]]\nmethod = \"trade\"\nmarkets = [\"A\"]\n";
    assert_eq!(lifetime(Config::parse(Path::new("x.toml"), unsaid)), 24);
}

#[test]
fn more_streams_than_a_connection_may_have_are_refused_by_the_configuration() {
    let check = |count: usize| {
        let names: Vec<_> = (0..count).map(|n| format!("\"M{n}\"")).collect();
        let text = format!(
            "database = \"x.db\"\n[[source]]\nname = \"s\"\nvenue = \"binance\"\nendpoint = \"live\"\n\
             [[source.subscribe]]\nmethod = \"trade\"\nmarkets = [{}]\n",
            names.join(",")
        );
        Config::parse(Path::new("x.toml"), &text).err().map(|errors| errors.to_string())
    };
    assert!(check(1024).is_none());
    assert!(check(1025).unwrap().contains("`binance` allows 1024 streams on a connection, these are 1025"));
}

#[test]
fn what_a_venue_does_not_have_is_told_with_what_it_has() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("kraken.toml");
    let wrong = |subscribe: &str| {
        let text = format!(
            "database = \"x.db\"\n[[source]]\nname = \"k\"\nvenue = \"kraken\"\nendpoint = \"live\"\n[[source.subscribe]]\n{subscribe}"
        );
        std::fs::write(&path, text).unwrap();
        feedtape(&["check", path.to_str().unwrap()])
    };
    assert!(wrong("method = \"bok\"\nmarkets = [\"*\"]").contains("unknown method `bok`, did you mean `book`"));
    assert!(wrong("method = \"book\"\nmarkets = [\"*\"]\ndepth = 11").contains("unknown `11`, did you mean `10`"));
    assert!(wrong("method = \"executions\"").contains("`executions` needs a login; add [source.account]"));
    assert!(wrong("method = \"instrument\"\nmarkets = [\"*\"]").contains("`instrument` is for all markets"));
    let wrong = wrong("method = \"executions\"\n[source.account]\nkey = { env = \"K\" }\nsecret = { env = \"S\" }");
    assert!(wrong.contains("the endpoint `live` does not have `executions`; it is at `private`"), "{wrong}");
}
