//! A name server that never answers.

use std::fs;
use std::net::UdpSocket;
use std::process::Command;

use crate::scene::{Recorder, Recording, STOP_MAX, Scene, until, verify};

/// A command whose names are looked up where nobody answers, at an address of this machine that is nobody else's; `None`, and says so, where that cannot be arranged.
fn where_nobody_answers(scene: &Scene, name_server: &str) -> Option<(UdpSocket, Command)> {
    let mute = match UdpSocket::bind((name_server, 53)) {
        Ok(mute) => mute,
        Err(error) => {
            println!("SKIPPED: {name_server}:53: {error}; run as root");
            return None;
        }
    };
    let resolver = scene.path("resolv.conf");
    fs::write(&resolver, format!("nameserver {name_server}\noptions timeout:30 attempts:3\n")).unwrap();
    let there = || {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\""]).arg(&resolver);
        command
    };
    if !there().arg("true").status().is_ok_and(|status| status.success()) {
        println!("SKIPPED: no mount namespace can be made; run as root, with unshare of util-linux");
        return None;
    }
    Some((mute, there()))
}

#[test]
fn told_to_stop_while_a_name_server_does_not_answer_it_stops() {
    let scene = Scene::new();
    let (url, rest_url) = (scene.exchange.ws_url(), scene.exchange.rest_url());
    // Its list is had, its socket not; or not even its list.
    for (turn, rest_url) in [rest_url.as_str(), "http://nobody.example:1"].into_iter().enumerate() {
        let Some((mute, mut command)) = where_nobody_answers(&scene, "127.0.0.77") else { return };
        let config = scene.config(&scene.path("test.db"), "");
        let lost = scene.source(&format!("lost{turn}"), &["WatchOrders"]);
        let lost = lost.replace(&format!("\nurl = {url:?}"), "\nurl = \"ws://nobody.example:1/v1\"");
        let lost =
            lost.replace(&format!("rest_url = {:?}", scene.exchange.rest_url()), &format!("rest_url = {rest_url:?}"));
        fs::write(&config, fs::read_to_string(&config).unwrap() + &lost).unwrap();
        command.arg(env!("CARGO_BIN_EXE_feedtape")).args(["record", "--progress", "json"]).arg(&config);
        let mut recorder = Recorder::start(command);
        recorder.until_reported(100);
        mute.set_nonblocking(true).unwrap();
        until("the name is looked up", || mute.recv(&mut [0; 512]).is_ok());
        recorder.signal("TERM");
        assert!(recorder.wait(STOP_MAX).is_some(), "it stops");
        let (reported, status, told) = recorder.end();
        assert_eq!(status.code(), Some(0), "{told}");
        Recording::open(&scene.path("test.db")).has_all(&reported, rest_url);
        verify(&scene.path("test.db"), rest_url);
    }
}

#[test]
fn a_command_that_gave_up_on_a_name_ends() {
    let scene = Scene::new();
    let Some((_mute, mut command)) = where_nobody_answers(&scene, "127.0.0.78") else { return };
    let text = "database = \"test.db\"\n[[source]]\nname = \"lost\"\nvenue = \"coinflex\"\n\
                url = \"ws://nobody.example:1/v1\"\nrest_url = \"http://nobody.example:1/\"\n\
                timing = { connect = \"100ms\", handshake = \"100ms\", reply = \"100ms\" }\n\
                [[source.subscribe]]\nmethod = \"WatchOrders\"\nmarkets = [\"XBT:USDT\"]\n";
    fs::write(scene.path("test.toml"), text).unwrap();
    command.arg(env!("CARGO_BIN_EXE_feedtape")).arg("markets").arg(scene.path("test.toml"));
    let mut listing = Recorder::start(command);
    assert!(listing.wait(STOP_MAX).is_some(), "it ends");
    let (_, status, told) = listing.end();
    assert_eq!(status.code(), Some(69), "{told}");
}
