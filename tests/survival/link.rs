//! A link that is cut without a word: the recorder runs in a network namespace of its own, at the other end of a pair of
//! virtual cards, and one of them is put out.
//!
//! As root, where there are namespaces: `cargo test --test survival link -- --ignored --nocapture`.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio, id};

use feedtape::exchange::Faults;

use crate::scene::{Recorder, Scene, feedtape, now, until};

/// Addresses for tests (RFC 2544), ours and the recorder's.
const OURS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
const THEIRS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 2);

/// Two waits of 20 s by default, and a second for the machine.
const DETECTED_MAX_S: i64 = 41;

/// A namespace with a link to it. Removed when dropped, and its link with it.
struct Namespace {
    name: String,
    card: String,
}

fn ip(arguments: &str) -> bool {
    let ip = Command::new("ip").args(arguments.split(' ')).stderr(Stdio::null()).status();
    ip.is_ok_and(|status| status.success())
}

impl Namespace {
    fn new() -> Option<Self> {
        let (name, card) = (format!("feedtape-{}", id()), format!("ft{}", id()));
        if !ip(&format!("netns add {name}")) {
            return None;
        }
        let namespace = Self { name, card };
        let Self { name, card } = &namespace;
        let steps = [
            format!("link add {card} type veth peer name {card}p netns {name}"),
            format!("addr add {OURS}/30 dev {card}"),
            format!("link set {card} up"),
            format!("-n {name} addr add {THEIRS}/30 dev {card}p"),
            format!("-n {name} link set {card}p up"),
        ];
        steps.iter().all(|step| ip(step)).then_some(namespace)
    }

    /// The program in it.
    fn run(&self, program: &Command) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program.get_program());
        command
    }

    fn cut(&self, is_cut: bool) {
        assert!(ip(&format!("link set {} {}", self.card, if is_cut { "down" } else { "up" })));
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        ip(&format!("link del {}", self.card));
        ip(&format!("netns del {}", self.name));
    }
}

#[test]
#[ignore = "takes a minute, and needs root and network namespaces"]
fn a_link_that_is_cut_without_a_word_is_noticed_within_forty_seconds() {
    let Some(namespace) = Namespace::new() else {
        return println!("SKIPPED: no network namespace can be made here");
    };
    let scene = Scene::at(SocketAddr::from((OURS, 0)), Faults::new(), 500);
    let config = scene.config(&scene.path("test.db"), "");
    let mut command = namespace.run(&feedtape());
    command.args(["record", "--progress", "json"]).arg(config);
    let mut recorder = Recorder::start(command);
    recorder.until_reported(300);
    namespace.cut(true);
    let cut_at = now();
    until("it notices", || recorder.said("disconnected source") > 0);
    namespace.cut(false);
    until("it is connected again", || recorder.said(" connected source") == 2);
    recorder.until_it_goes_on();
    recorder.until_it_goes_on();
    let recording = scene.stopped(recorder, "cut");
    assert_eq!(recording.rows("SELECT cause FROM session WHERE id = 1"), ["silent"]);
    let took = recording.number(&format!("SELECT (closed_at - {cut_at}) / 1000000 FROM session WHERE id = 1"));
    println!("noticed after {took} ms");
    assert!(took < DETECTED_MAX_S * 1_000, "{took} ms");
}
