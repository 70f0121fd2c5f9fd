//! Random histories: whatever happened to a recording, it can be rebuilt and nothing is wrong with it.

use feedtape::journal::Input;
use feedtape::model::CloseCause;
use feedtape::replay::{rebuild, verify};
use feedtape::store::Aspect;
use proptest::prelude::*;

use super::recording::{FRAMES, Recording, rows};

/// Something that happens, to one of three sources where it happens to one.
#[derive(Clone, Debug)]
enum Step {
    Connect(usize),
    Receive(usize, usize),
    Binary(usize),
    Answer(usize, bool),
    AnswerAll(usize),
    AnswerRest(usize, bool),
    Timer(usize),
    Relist(usize, usize),
    Replan(usize, bool),
    Stall(usize),
    Ship(usize),
    ShipAgain(usize),
    Close(usize),
    Wait(i64),
    Commit,
    Mark,
    Merge(usize),
    Kill,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let source = 0..3_usize;
    prop_oneof![
        3 => source.clone().prop_map(Step::Connect),
        12 => (source.clone(), 0..FRAMES.len()).prop_map(|(source, n)| Step::Receive(source, n)),
        1 => source.clone().prop_map(Step::Binary),
        4 => (source.clone(), proptest::bool::weighted(0.8)).prop_map(|(source, accept)| Step::Answer(source, accept)),
        4 => source.clone().prop_map(Step::AnswerAll),
        2 => (source.clone(), any::<bool>()).prop_map(|(source, accept)| Step::AnswerRest(source, accept)),
        3 => source.clone().prop_map(Step::Timer),
        2 => (source.clone(), 0..4_usize).prop_map(|(source, variant)| Step::Relist(source, variant)),
        1 => (source.clone(), any::<bool>()).prop_map(|(source, less)| Step::Replan(source, less)),
        1 => source.clone().prop_map(Step::Stall),
        6 => source.clone().prop_map(Step::Ship),
        1 => source.clone().prop_map(Step::ShipAgain),
        2 => source.clone().prop_map(Step::Close),
        2 => (0..3_000_i64).prop_map(Step::Wait),
        4 => Just(Step::Commit),
        1 => Just(Step::Mark),
        1 => source.prop_map(Step::Merge),
        1 => Just(Step::Kill),
        1 => Just(Step::Restart),
    ]
}

fn take(recording: &mut Recording, step: &Step) {
    match *step {
        Step::Connect(source) => recording.connect(source),
        Step::Receive(source, n) => recording.receive(source, FRAMES[n]),
        Step::Binary(source) => recording.give(source, &Input::ReceivedBinary(b"\0")),
        Step::Answer(source, accept) => recording.answer(source, accept),
        Step::AnswerAll(source) => recording.answer_all(source),
        Step::AnswerRest(source, accept) => recording.answer_rest(source, accept),
        Step::Timer(source) => recording.timer(source),
        Step::Relist(source, variant) => recording.relist(source, variant),
        Step::Replan(source, less) => recording.replan(source, less),
        Step::Stall(source) => recording.stall(source),
        Step::Ship(source) => recording.ship(source),
        Step::ShipAgain(source) => recording.ship_again(source),
        Step::Close(source) => recording.close(source, CloseCause::EndOfStream),
        Step::Wait(milliseconds) => recording.wait(milliseconds),
        Step::Commit => recording.commit(),
        Step::Mark => recording.mark(),
        Step::Merge(source) => recording.merge(source),
        Step::Kill => recording.kill(),
        Step::Restart => recording.restart(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happened_the_journal_makes_the_same_rows_again(
        steps in proptest::collection::vec(step(), 1..80),
        is_stopped: bool,
    ) {
        let mut recording = Recording::start();
        steps.iter().for_each(|step| take(&mut recording, step));
        if is_stopped {
            recording.stop();
        } else {
            recording.settle();
            recording.vanish();
        }
        let again = recording.folder.path().join("again.db");
        rebuild(&recording.path, &again, |_, _| ()).unwrap();
        prop_assert_eq!(rows(&again), rows(&recording.path));
        let found = verify(&recording.path, false, |_, _, _| ()).unwrap().findings;
        let others: Vec<_> = found.iter().filter(|finding| finding.aspect != Aspect::Contradictions).collect();
        prop_assert!(others.is_empty(), "{others:?}");
    }
}
