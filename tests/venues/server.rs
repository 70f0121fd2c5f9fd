//! A venue on port 0, WebSocket and REST on one port, that says what a test has it say.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::peer::{CLOSE, Conn, PING, PONG, TEXT, frame};

/// A REST request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// Method and path with query, as in `GET /a?b=c`.
    pub line: String,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Request {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

type Script = dyn Fn(&mut Talk) + Send + Sync;
type Answer = dyn Fn(&Request) -> (u16, String) + Send + Sync;

/// A venue. It ends, and tells what failed in its scripts, when it is dropped.
pub struct Server {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
    heard: Arc<Mutex<Vec<String>>>,
    requests: Arc<Mutex<Vec<Request>>>,
}

/// A way to say things on a WebSocket beside the script that hears them.
pub struct Voice(TcpStream);

/// One WebSocket, at the venue's end.
pub struct Talk {
    conn: Conn,
    stream: TcpStream,
    heard: Arc<Mutex<Vec<String>>>,
    /// What came while a pong was awaited.
    waiting: VecDeque<String>,
    /// Which socket it is, from 0.
    pub number: usize,
}

impl Server {
    /// Serves every socket with `script`, and every other request with `answer`.
    pub fn start(
        script: impl Fn(&mut Talk) + Send + Sync + 'static,
        answer: impl Fn(&Request) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (is_over, sockets) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (heard, requests) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<Mutex<Vec<Request>>>::default());
        let (script, answer): (Arc<Script>, Arc<Answer>) = (Arc::new(script), Arc::new(answer));
        let accepting = {
            let (is_over, heard, requests) = (is_over.clone(), heard.clone(), requests.clone());
            std::thread::spawn(move || {
                let mut serving = Vec::new();
                for stream in listener.incoming() {
                    if is_over.load(Ordering::SeqCst) {
                        break;
                    }
                    let (script, answer, sockets) = (script.clone(), answer.clone(), sockets.clone());
                    let (heard, requests) = (heard.clone(), requests.clone());
                    serving.push(std::thread::spawn(move || {
                        serve(stream.unwrap(), &sockets, &*script, &*answer, &heard, &requests);
                    }));
                }
                for served in serving {
                    if let Err(panic) = served.join() {
                        std::panic::resume_unwind(panic);
                    }
                }
            })
        };
        Self { address, is_over, accepting: Some(accepting), heard, requests }
    }

    pub fn url(&self) -> String {
        format!("ws://{}/ws", self.address)
    }

    pub fn rest_url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Every text frame that came, in order.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    /// Every REST request that came.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Wakes it from accepting.
        drop(TcpStream::connect(self.address));
        // A test that fails must not hang on a script that waits for it.
        if let Some(accepting) = self.accepting.take().filter(|_| !std::thread::panicking())
            && let Err(panic) = accepting.join()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

impl Voice {
    /// Sends a text; `false`: the client has gone.
    pub fn say(&mut self, text: &str) -> bool {
        self.0.write_all(&frame(TEXT, text.as_bytes())).is_ok()
    }

    /// Hangs up without a word.
    pub fn hang_up(&self) {
        let _ = self.0.shutdown(Shutdown::Write);
    }
}

impl Talk {
    /// Another way to say things.
    pub fn voice(&self) -> Voice {
        Voice(self.stream.try_clone().unwrap())
    }

    /// Sends a text.
    pub fn say(&mut self, text: &str) {
        self.conn.write(&frame(TEXT, text.as_bytes()));
    }

    /// Sends these bytes as they are.
    #[allow(dead_code, reason = "for a venue that means harm, in other tests")]
    pub fn write(&mut self, bytes: &[u8]) {
        self.conn.write(bytes);
    }

    /// Pings, and waits for the pong with the same payload; what is said meanwhile is kept.
    pub fn ping(&mut self, payload: &[u8]) {
        self.conn.write(&frame(PING, payload));
        while let Some((first, answer)) = self.conn.read_frame() {
            match first {
                PONG => return assert_eq!(answer, payload),
                TEXT => self.waiting.push_back(String::from_utf8(answer).unwrap()),
                _ => {}
            }
        }
        panic!("no pong came");
    }

    /// The next text that comes; `None`: the client has gone.
    pub fn hear(&mut self) -> Option<String> {
        let text = match self.waiting.pop_front() {
            Some(text) => text,
            None => self.next_text()?,
        };
        self.heard.lock().unwrap().push(text.clone());
        Some(text)
    }

    fn next_text(&mut self) -> Option<String> {
        loop {
            match self.conn.read_frame()? {
                (TEXT, payload) => return Some(String::from_utf8(payload).unwrap()),
                (PING, payload) => self.conn.write(&frame(PONG, &payload)),
                (CLOSE, payload) => {
                    self.conn.write(&frame(CLOSE, &payload));
                    return None;
                }
                _ => {}
            }
        }
    }

    /// The next text that comes, as JSON.
    pub fn hear_json(&mut self) -> Option<serde_json::Value> {
        self.hear().map(|text| serde_json::from_str(&text).unwrap())
    }
}

fn serve(
    stream: TcpStream,
    sockets: &AtomicUsize,
    script: &Script,
    answer: &Answer,
    heard: &Arc<Mutex<Vec<String>>>,
    requests: &Mutex<Vec<Request>>,
) {
    stream.set_read_timeout(Some(crate::peer::PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut raw = stream.try_clone().unwrap();
    let mut conn = Conn::new(stream);
    let head = conn.request();
    if head.is_empty() {
        return;
    }
    let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let headers: Vec<_> = headers.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
    let line = head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
    let find = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
    if let Some(key) = find("sec-websocket-key") {
        let accept = String::from_utf8(actix_http::ws::hash_key(key.as_bytes()).to_vec()).unwrap();
        let upgraded = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
        conn.write(format!("{upgraded}Sec-WebSocket-Accept: {accept}\r\n\r\n").as_bytes());
        let number = sockets.fetch_add(1, Ordering::SeqCst);
        let (heard, waiting) = (heard.clone(), VecDeque::new());
        return script(&mut Talk { conn, stream: raw, heard, waiting, number });
    }
    let length = find("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    raw.read_exact(&mut body).unwrap();
    let request = Request { line, headers, body: String::from_utf8(body).unwrap() };
    let (status, body) = answer(&request);
    requests.lock().unwrap().push(request);
    let length = body.len();
    let answer = format!("HTTP/1.1 {status} As Asked\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    raw.write_all(answer.as_bytes()).unwrap();
}
