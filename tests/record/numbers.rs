//! Numbers and texts that kill other recorders: as they came in the frame; exact, or NULL and told, in the columns.

use feedtape::exchange::{Action, Faults};
use feedtape::journal::RecordKind;
use feedtape::store::{Frames, Selection, StoreError};

use crate::scene::Scene;

/// Numbers as they are sent, in units of 10^-4, and what the recording has: the column and the exact decimal.
const NUMBERS: [(&str, Option<i64>, &str); 18] = [
    ("0", Some(0), "0.0000"),
    ("-0", Some(0), "0.0000"),
    ("9007199254740991", Some(9_007_199_254_740_991), "900719925474.0991"),
    ("9007199254740993", Some(9_007_199_254_740_993), "900719925474.0993"),
    ("-9007199254740993", Some(-9_007_199_254_740_993), "900719925474.0993"),
    ("9223372036854775807", Some(i64::MAX), "922337203685477.5807"),
    ("-9223372036854775807", Some(-i64::MAX), "922337203685477.5807"),
    ("9223372036854775808", None, "922337203685477.5808"),
    ("-9223372036854775809", None, "922337203685477.5809"),
    ("18446744073709551615", None, "1844674407370955.1615"),
    ("18446744073709551616", None, "1844674407370955.1616"),
    ("100000000000000000000000000000", None, "10000000000000000000000000"),
    ("1e3", Some(1_000), "0.1000"),
    ("12.5E1", Some(125), "0.0125"),
    ("1.0", Some(1), "0.0001"),
    ("0.1", None, "0.00001"),
    ("9007199254740993.5", None, "900719925474.09935"),
    ("1e30", None, "100000000000000000000000000"),
];

/// Texts that are told as not understood, and why.
fn texts() -> Vec<(String, &'static str)> {
    let order = |fields: &str| format!(r#"{{"notice":"OrderOpened","base":63488,"counter":65283,{fields}}}"#);
    let deep = |depth| format!(r#"{{"notice":"Deep","x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    vec![
        (order(r#""id":1,"id":2,"quantity":5,"price":100,"time":1"#), "duplicate_field"),
        (order(r#""id":3,"quantity":"7","price":100,"time":1"#), "wrong_type"),
        (order(r#""id":4,"quantity":NaN,"price":100,"time":1"#), "invalid_json"),
        (order(r#""id":800005,"quantity":-1e500,"price":100,"time":1"#), "number_out_of_range"),
        (order(r#""id":800007,"quantity":1e999999,"price":100,"time":1"#), "number_out_of_range"),
        (order(r#""id":6,"quantity":1,"price":100,"time":99999999999999999999"#), "number_out_of_range"),
        (deep(100), "unknown_notice"),
        (deep(100_000), "unknown_notice"),
        (r#"{"notice":"\ud800"}"#.to_owned(), "invalid_json"),
        (r#"{"notice":"Un\u0000known"}"#.to_owned(), "unknown_notice"),
        ("{\"notice\":\"Un\0known\"}".to_owned(), "invalid_json"),
        ("\u{feff}{\"notice\":\"OrderOpened\"}".to_owned(), "invalid_json"),
        (r#"{"notice":"A"}{"notice":"B"}"#.to_owned(), "invalid_json"),
        (format!(r#"{{"notice":"Long","x":{}}}"#, "9".repeat(1 << 20)), "unknown_notice"),
        ("\u{1b}]0;owned\u{7}".to_owned(), "invalid_json"),
        (String::new(), "invalid_json"),
    ]
}

#[test]
fn numbers_and_texts_are_exact_in_the_frame_and_exact_or_null_and_told_in_the_columns() {
    let number = |number: &str, id: usize| {
        format!(
            r#"{{"notice":"OrderOpened","base":63488,"counter":65283,"id":{id},"quantity":{number},"price":1,"time":1}}"#
        )
    };
    // Quantities of orders that nobody else has.
    let orders = (900_000..).zip(NUMBERS).map(|(id, (text, ..))| number(text, id));
    let frames: Vec<String> = orders.chain(texts().into_iter().map(|(text, _)| text)).collect();
    let faults = frames
        .iter()
        .zip(100..)
        .fold(Faults::new(), |faults, (text, after)| faults.on(1, after, Action::Text { text: text.clone() }));
    let scene = Scene::with_rate(500, faults);
    scene.record(&scene.config(""), |view| view.sink.frames() > 600);
    assert_eq!(scene.rows("SELECT cause FROM session"), ["stopped"]);

    // What came is what was sent, byte for byte and in order.
    let mut journal = Frames::open(&scene.database()).unwrap();
    let received = Selection { kinds: vec![RecordKind::Received], ..Selection::default() };
    let mut found = Vec::new();
    journal
        .read(&received, |frame| {
            if frames.iter().any(|sent| sent.as_bytes() == frame.record.body) {
                found.push((frame.number, String::from_utf8(frame.record.body.to_vec()).unwrap()));
            }
            Ok::<_, StoreError>(())
        })
        .unwrap();
    assert!(found.iter().map(|(_, text)| text).eq(&frames), "{} of {} frames", found.len(), frames.len());

    for ((number, _), (text, column, exact)) in found.iter().zip(NUMBERS) {
        let quantity = format!("SELECT quantity_raw, quantity FROM order_events WHERE frame = {number}");
        let column = column.map_or("-".to_owned(), |column| column.to_string());
        assert_eq!(scene.rows(&quantity), [format!("{column} {exact}")], "{text}");
        let told = format!("SELECT reason FROM not_understood WHERE id >> 22 = {number}");
        assert_eq!(scene.rows(&told).len(), 0, "{text}");
    }
    for ((number, text), (_, reason)) in found.iter().skip(NUMBERS.len()).zip(texts()) {
        let told = format!(
            "SELECT DISTINCT reason FROM not_understood WHERE id >> 22 = {number} AND reason <> 'unknown_field'"
        );
        let what = &text[..text.len().min(100)];
        assert_eq!(scene.rows(&told), [reason], "{what}");
        let whole = format!("SELECT text FROM not_understood WHERE id >> 22 = {number} AND reason = '{reason}'");
        assert!(scene.rows(&whole) == [text.as_str()], "{what}");
    }
    let beyond =
        "SELECT order_id, quantity, price_raw FROM order_events WHERE order_id IN (800005, 800007) ORDER BY order_id";
    assert_eq!(scene.rows(beyond), ["800005 - 100", "800007 - 100"], "rows without what no column can hold");
    // SQL that floats could have slipped into.
    assert_eq!(scene.rows("SELECT DISTINCT typeof(quantity) FROM order_event ORDER BY 1"), ["integer", "null"]);
}
