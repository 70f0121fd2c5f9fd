use super::*;

/// What each of some positions says after the ones before it: `f`ollows, `r`epeated, `p`ending, `u`nsaid, or what is
/// broken.
fn steps(tracker: &mut Tracker, positions: &[(Position, Kind)]) -> Vec<String> {
    let said = |step| match step {
        Step::Follows => "f".to_owned(),
        Step::Repeated => "r".to_owned(),
        Step::Pending => "p".to_owned(),
        Step::Unsaid => "u".to_owned(),
        Step::Broken { evidence } => evidence,
    };
    positions.iter().map(|(position, kind)| said(tracker.take(position, *kind))).collect()
}

fn counter(step: u64, start: Option<u64>, restart: Option<u64>, reorder: u8) -> Tracker {
    Tracker::new(Scheme::Counter { step, start, restart, reorder })
}

fn numbers(numbers: &[u64]) -> Vec<(Position, Kind)> {
    numbers.iter().map(|number| (Position::Number(*number), Kind::Update)).collect()
}

fn link(previous: Option<u64>, this: u64, kind: Kind) -> (Position, Kind) {
    let name = |number: u64| Id::Int(number as i64);
    (Position::Link { previous: previous.map(name), this: name(this) }, kind)
}

fn range(first: u64, last: u64, previous: Option<u64>) -> (Position, Kind) {
    (Position::Range { first, last, previous }, Kind::Update)
}

#[test]
fn a_counter_follows_by_its_step_and_names_what_is_missing() {
    let mut tracker = counter(2, None, None, 0);
    assert!(!tracker.has_begun());
    assert_eq!(tracker.numbers(), None);
    assert_eq!(steps(&mut tracker, &numbers(&[7, 9, 9, 8, 11])), ["f", "f", "r", "r", "f"]);
    assert!(tracker.has_begun());
    assert_eq!(tracker.numbers(), Some((5, 11)));
    assert_eq!(steps(&mut tracker, &numbers(&[15, 17])), ["expected 13, got 15", "f"]);
    assert_eq!(tracker.numbers(), Some((13, 17)), "those before the hole are not among them");
    tracker.forget();
    assert!(!tracker.has_begun());
    assert_eq!(tracker.numbers(), None);
    assert_eq!(steps(&mut tracker, &numbers(&[3])), ["f"]);
}

#[test]
fn a_counter_with_a_start_begins_there_or_where_it_restarts() {
    for (first, said) in [(1, "f"), (0, "f"), (2, "expected 1, got 2")] {
        assert_eq!(steps(&mut counter(1, Some(1), Some(0), 0), &numbers(&[first])), [said], "{first}");
    }
    assert_eq!(steps(&mut counter(1, None, Some(0), 0), &numbers(&[5])), ["f"], "without a start any will do");
}

#[test]
fn a_counter_that_restarts_waits_for_nothing_of_before() {
    let mut tracker = counter(1, None, Some(0), 2);
    assert_eq!(steps(&mut tracker, &numbers(&[5, 7, 0, 1])), ["f", "p", "f", "f"]);
    assert!(!tracker.is_waiting());
    assert_eq!(tracker.numbers(), Some((u64::MAX, 1)));
}

#[test]
fn as_many_may_overtake_as_the_rule_says() {
    let mut tracker = counter(1, None, None, 2);
    assert_eq!(steps(&mut tracker, &numbers(&[5, 7, 8])), ["f", "p", "p"]);
    assert!(tracker.is_waiting());
    assert_eq!(steps(&mut tracker, &numbers(&[6, 9])), ["f", "f"]);
    assert!(!tracker.is_waiting());
    assert_eq!(tracker.numbers(), Some((4, 9)));
    assert_eq!(steps(&mut tracker, &numbers(&[11, 12, 13])), ["p", "p", "expected 10, got 13"]);
    assert!(!tracker.is_waiting());
    assert_eq!(tracker.numbers(), Some((12, 13)));
}

#[test]
fn a_snapshot_may_say_again_where_the_venue_is_and_not_less() {
    let mut tracker = counter(1, None, None, 0);
    let snapshot = |number| (Position::Number(number), Kind::Snapshot);
    assert_eq!(steps(&mut tracker, &[snapshot(5), snapshot(5)]), ["f", "r"]);
    assert_eq!(steps(&mut tracker, &[snapshot(3)]), ["expected 6, got 3"]);
    assert_eq!(tracker.numbers(), Some((2, 3)));
}

#[test]
fn a_chain_names_the_one_before() {
    let mut tracker = Tracker::new(Scheme::Chain);
    let (update, snapshot) = (Kind::Update, Kind::Snapshot);
    let first = [link(None, 4, snapshot), link(Some(4), 6, update), link(Some(4), 6, update)];
    assert_eq!(steps(&mut tracker, &first), ["f", "f", "r"]);
    assert!(tracker.has_begun());
    assert_eq!(tracker.numbers(), None, "names are no numbers");
    let broken = [link(Some(7), 8, update), link(None, 9, update), link(None, 9, snapshot), link(None, 10, snapshot)];
    assert_eq!(
        steps(&mut tracker, &broken),
        [
            "expected after 6, got 8 after 7",
            "expected after 8, got 9 after nothing",
            "r",
            "expected after 9, got a snapshot at 10"
        ]
    );
}

#[test]
fn a_range_goes_on_where_the_one_before_ended() {
    let mut tracker = Tracker::new(Scheme::Range);
    let first = [range(10, 12, None), range(13, 13, None), range(12, 13, None), range(12, 15, None)];
    assert_eq!(steps(&mut tracker, &first), ["f", "f", "r", "f"]);
    assert_eq!(tracker.numbers(), Some((9, 15)));
    assert_eq!(steps(&mut tracker, &[range(17, 18, None)]), ["expected 16, got 17 to 18"]);
    assert_eq!(tracker.numbers(), Some((16, 18)));
    let named = [range(30, 31, Some(18)), range(32, 33, Some(30))];
    assert_eq!(steps(&mut tracker, &named), ["f", "expected after 31, got 32 to 33 after 30"]);
    let behind = (Position::Range { first: 20, last: 22, previous: None }, Kind::Snapshot);
    assert_eq!(steps(&mut tracker, &[behind]), ["f"], "a snapshot may be behind the changes");
}

#[test]
fn times_do_not_go_back_and_a_checksum_holds_or_not() {
    let mut tracker = Tracker::new(Scheme::TimeOnly);
    let at = |time| (Position::Time(Timestamp(time)), Kind::Update);
    let said = steps(&mut tracker, &[at(5), at(5), at(6), at(4), at(6)]);
    assert_eq!((said[..3].join(""), said[3].starts_with("expected not before "), &*said[4]), ("fff".into(), true, "f"));
    let mut tracker = Tracker::new(Scheme::Checksum { blind: "" });
    let checksum = |holds| (Position::Checksum { holds }, Kind::Update);
    let said = steps(&mut tracker, &[checksum(true), checksum(false), (Position::Number(1), Kind::Update)]);
    assert_eq!(said, ["f", "the checksum does not hold", "u"]);
}
