//! Numbers that kill other recorders, as decimals in texts: exact in the frame, exact or NULL and told in the columns.

use super::okx;
use super::recording::Recording;
use super::server::Server;

/// Sizes as they are sent, at 8 places, and what the recording has: the column and the exact decimal.
const SIZES: [(&str, &str, &str); 12] = [
    ("0.00009007", "9007", "0.00009007"),
    ("90071992.54740991", "9007199254740991", "90071992.54740991"),
    ("90071992.54740993", "9007199254740993", "90071992.54740993"),
    ("92233720368.54775807", "9223372036854775807", "92233720368.54775807"),
    ("92233720368.54775808", "-", "92233720368.54775808"),
    ("184467440737.09551615", "-", "184467440737.09551615"),
    ("184467440737.09551616", "-", "184467440737.09551616"),
    ("100000000000000000000", "-", "100000000000000000000"),
    ("1e3", "100000000000", "1000.00000000"),
    ("1.5E-7", "15", "0.00000015"),
    ("1e30", "-", "1000000000000000000000000000000"),
    ("1.000000000", "100000000", "1.00000000"),
];

#[test]
fn sizes_are_exact_in_the_frame_and_exact_or_null_in_the_column() {
    let trade = |size: &str, id: usize| {
        okx::TRADE.replace("\"sz\":\"0.12060306\"", &format!("\"sz\":\"{size}\"")).replace("130639474", &id.to_string())
    };
    let server = Server::start(
        move |talk| {
            while let Some(asked) = talk.hear_json() {
                let arg = &asked["args"][0];
                talk.say(&format!(r#"{{"id":{},"event":"subscribe","arg":{arg},"connId":"a4d3ae55"}}"#, asked["id"]));
                for ((size, ..), id) in SIZES.iter().zip(1..) {
                    talk.say(&trade(size, id));
                }
            }
        },
        |request| match request.line.as_str() {
            "GET /api/v5/public/instruments?instType=SPOT" => (200, okx::SPOT.to_owned()),
            _ => (200, okx::NONE.to_owned()),
        },
    );
    let recording = Recording::new(&[]);
    let sources = format!(
        "[[source]]\nname = \"test\"\nvenue = \"okx\"\nurl = \"{}\"\nrest_url = \"{}\"\n\
         [[source.subscribe]]\nmethod = \"trades\"\nmarkets = [\"BTC-USDT\"]\n",
        server.url(),
        server.rest_url()
    );
    recording.until(&sources, &format!("SELECT count(*) = {} FROM trades", SIZES.len()));
    let rows = recording.rows("SELECT quantity_raw, quantity FROM trades ORDER BY id");
    for ((size, column, exact), row) in SIZES.iter().zip(rows) {
        assert_eq!(row, format!("{column} {exact}"), "{size}");
        assert!(recording.holds(&format!("\"sz\":\"{size}\"")), "{size}");
    }
    assert_eq!(recording.rows("SELECT reason, what FROM not_understood"), Vec::<String>::new());
    assert_eq!(recording.verify(), "");
}
