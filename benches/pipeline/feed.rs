//! The generator: a process of its own that serves as an exchange and sends what the pool has, as fast as the sockets
//! take it or at a rate.

use std::io::{BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::pool::{self, Cursor, Pool};

/// Bytes handed to the kernel at once.
const CHUNK_BYTES: usize = 128 << 10;

/// How often messages are sent at a rate.
const TURN: Duration = Duration::from_millis(1);

/// What to send.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Args {
    /// Messages of the lap that is sent again and again
    #[arg(long)]
    pub lap: usize,
    /// Messages on each connection
    #[arg(long)]
    pub messages: u64,
    /// Messages a second on each connection; 0: as fast as it takes them
    #[arg(long, default_value_t = 0)]
    pub rate: u64,
    /// Watch commands to answer before the first
    #[arg(long)]
    pub commands: usize,
}

/// The generator's process, which ends with this.
pub struct Feed {
    process: Child,
    /// Where it listens.
    pub url: String,
}

impl Feed {
    /// Starts it, and waits until it listens.
    pub fn start(args: &Args) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("this program has a path"))
            .args(["feed", "--lap", &args.lap.to_string(), "--messages", &args.messages.to_string()])
            .args(["--rate", &args.rate.to_string(), "--commands", &args.commands.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the generator starts");
        let mut port = String::new();
        let mut out = process.stdout.take().expect("its output is piped");
        let mut byte = [0];
        while out.read(&mut byte).expect("the generator says its port") == 1 && byte != *b"\n" {
            port.push(char::from(byte[0]));
        }
        Self { process, url: format!("ws://127.0.0.1:{port}/v1") }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The generator's own main: serves until it is killed.
pub fn run(args: Args) {
    let pool = Arc::new(Pool::new(args.lap));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let mut out = std::io::stdout();
    writeln!(out, "{port}").and_then(|()| out.flush()).expect("somebody listens");
    for stream in listener.incoming().flatten() {
        let pool = pool.clone();
        thread::spawn(move || serve(stream, pool, args));
    }
}

/// Serves a connection to its end, which is the recorder's to choose.
fn serve(stream: TcpStream, pool: Arc<Pool>, args: Args) {
    stream.set_nodelay(true).expect("a socket");
    let mut input = BufReader::new(stream.try_clone().expect("a socket"));
    let out = Arc::new(Mutex::new(stream));
    if upgrade(&mut input, &out).is_none() {
        return;
    }
    send(&out, &welcome());
    let (answered, commands) = mpsc::channel();
    let answers = out.clone();
    thread::spawn(move || {
        while let Some((opcode, payload)) = client_frame(&mut input) {
            match opcode {
                1 => {
                    let Some(answer) = answer(&payload) else { continue };
                    if send(&answers, &answer).is_none() || answered.send(()).is_err() {
                        break;
                    }
                }
                8 => break,
                9 => {
                    let mut frame = vec![0x8a, payload.len() as u8];
                    frame.extend(payload);
                    let _ = write(&answers, &frame);
                }
                _ => {}
            }
        }
        let _ = write(&answers, &[0x88, 0]);
        let _ = answers.lock().expect("nobody panics with it").shutdown(std::net::Shutdown::Both);
    });
    for _ in 0..args.commands {
        if commands.recv().is_err() {
            return;
        }
    }
    pour(&out, pool, args);
    // Until the reader ends.
    while commands.recv().is_ok() {}
}

/// Sends the messages.
fn pour(out: &Mutex<TcpStream>, pool: Arc<Pool>, args: Args) -> Option<()> {
    let mut cursor = Cursor::new(pool);
    let mut chunk = Vec::with_capacity(CHUNK_BYTES + 4096);
    let start = Instant::now();
    let mut sent = 0;
    while sent < args.messages {
        let due = match args.rate {
            0 => args.messages,
            rate => (start.elapsed().as_secs_f64() * rate as f64) as u64,
        };
        let due = due.min(args.messages) - sent;
        if due == 0 {
            thread::sleep(TURN);
            continue;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64);
        chunk.clear();
        sent += cursor.fill(&mut chunk, due, CHUNK_BYTES, now);
        write(out, &chunk)?;
        if args.rate > 0 {
            thread::sleep(TURN);
        }
    }
    Some(())
}

fn write(out: &Mutex<TcpStream>, bytes: &[u8]) -> Option<()> {
    out.lock().expect("nobody panics with it").write_all(bytes).ok()
}

fn send(out: &Mutex<TcpStream>, message: &Value) -> Option<()> {
    let text = message.to_string();
    let mut frame = Vec::new();
    pool::head(text.len(), &mut frame);
    frame.extend(text.as_bytes());
    write(out, &frame)
}

/// What is said first.
pub fn welcome() -> Value {
    json!({"notice": "Welcome", "nonce": "AAAAAAAAAAAAAAAAAAAAAA=="})
}

/// The answer to a watch command: books are empty, and nothing has been traded.
pub fn answer(command: &[u8]) -> Option<Value> {
    let command: Value = serde_json::from_slice(command).ok()?;
    let tag = &command["tag"];
    match command["method"].as_str()? {
        "WatchOrders" => Some(json!({"tag": tag, "error_code": 0, "orders": []})),
        "WatchTicker" => {
            let none = Value::Null;
            Some(json!({"tag": tag, "error_code": 0, "last": none, "bid": none, "ask": none, "low": none,
                "high": none, "volume": 0}))
        }
        _ => None,
    }
}

/// Reads the request and agrees to a WebSocket.
fn upgrade(input: &mut impl Read, out: &Mutex<TcpStream>) -> Option<()> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        input.read_exact(&mut byte).ok()?;
        request.push(byte[0]);
    }
    let request = String::from_utf8(request).ok()?;
    let header = |line: &str| line.to_ascii_lowercase().starts_with("sec-websocket-key:");
    let key = request.lines().find(|line| header(line))?.split_once(':')?.1.trim();
    let accept = actix_http::ws::hash_key(key.as_bytes());
    let accept = std::str::from_utf8(&accept).ok()?;
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    write(out, answer.as_bytes())
}

/// Reads a frame of the client, which masks them and sends short ones only.
fn client_frame(input: &mut impl Read) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 2];
    input.read_exact(&mut head).ok()?;
    let length = match head[1] & 0x7f {
        126 => {
            let mut length = [0; 2];
            input.read_exact(&mut length).ok()?;
            usize::from(u16::from_be_bytes(length))
        }
        127 => return None,
        short => usize::from(short),
    };
    let mut mask = [0; 4];
    input.read_exact(&mut mask).ok()?;
    let mut payload = vec![0; length];
    input.read_exact(&mut payload).ok()?;
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    Some((head[0] & 0x0f, payload))
}
