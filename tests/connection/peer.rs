//! The other end: raw TCP on port 0, in a thread of its own, that says exactly what a test wants it to say.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What no test waits longer for.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Opcodes with FIN set, as the first byte of a frame.
pub const TEXT: u8 = 0x81;
pub const BINARY: u8 = 0x82;
pub const CLOSE: u8 = 0x88;
pub const PING: u8 = 0x89;
pub const PONG: u8 = 0x8a;

/// A peer that serves one connection after the other.
pub struct Peer {
    pub address: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    /// Accepts as many connections as there are scripts, and hands the n-th to the n-th.
    pub fn accepting<const N: usize>(scripts: [Box<dyn FnOnce(Conn) + Send>; N]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            for script in scripts {
                script(Conn::new(accept(&listener)));
            }
        });
        Self { address, thread: Some(thread) }
    }

    /// Accepts one connection and leaves it to the script.
    pub fn raw(script: impl FnOnce(Conn) + Send + 'static) -> Self {
        Self::accepting([Box::new(script)])
    }

    /// Accepts one connection and leaves its socket to the script.
    pub fn raw_stream(script: impl FnOnce(TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let stream = accept(&listener);
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            script(stream);
        });
        Self { address, thread: Some(thread) }
    }

    /// Accepts one connection, upgrades it and leaves it to the script.
    pub fn upgraded(script: impl FnOnce(Conn) + Send + 'static) -> Self {
        Self::raw(|mut conn| {
            conn.upgrade(b"");
            script(conn);
        })
    }

    pub fn url(&self) -> String {
        format!("ws://{}/v1", self.address)
    }

    /// Waits for the scripts to end; what failed in them fails here.
    pub fn join(mut self) {
        self.finish();
    }

    fn finish(&mut self) {
        if let Some(thread) = self.thread.take()
            && let Err(panic) = thread.join()
            && !std::thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // A test that fails must not hang on a script that waits for it.
        if !std::thread::panicking() {
            self.finish();
        }
    }
}

/// Accepts a connection, or fails rather than wait for ever for one that nobody makes.
fn accept(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let until = Instant::now() + PATIENCE;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).unwrap();
                return stream;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                assert!(Instant::now() < until, "nobody connects");
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// Anything a connection can run over.
pub trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

/// One connection, at the peer's end.
pub struct Conn {
    wire: Box<dyn Wire>,
}

impl Conn {
    pub fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { wire: Box::new(stream) }
    }

    pub fn over(wire: impl Wire + 'static) -> Self {
        Self { wire: Box::new(wire) }
    }

    /// Reads the head of a request, up to its empty line; empty if the other side hung up before.
    pub fn request(&mut self) -> String {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && matches!(self.wire.read(&mut byte), Ok(1)) {
            head.push(byte[0]);
        }
        String::from_utf8(head).unwrap()
    }

    /// Answers the upgrade as RFC 6455 wants, with `after` in the same segment, and returns the request.
    pub fn upgrade(&mut self, after: &[u8]) -> String {
        self.upgrade_with("", after)
    }

    /// Answers the upgrade with further headers.
    pub fn upgrade_with(&mut self, headers: &str, after: &[u8]) -> String {
        let request = self.request();
        let key = request
            .lines()
            .find_map(|line| line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key")))
            .map(|(_, key)| key.trim().to_owned())
            .expect("a request to upgrade has a key");
        let accept = actix_http::ws::hash_key(key.as_bytes());
        let mut answer =
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
                .to_vec();
        answer.extend_from_slice(&accept);
        answer.extend_from_slice(b"\r\n");
        answer.extend_from_slice(headers.as_bytes());
        answer.extend_from_slice(b"\r\n");
        answer.extend_from_slice(after);
        self.write(&answer);
        request
    }

    /// Writes bytes as they are; a client that hung up meanwhile is no failure of the peer.
    pub fn write(&mut self, bytes: &[u8]) {
        let _ = self.wire.write_all(bytes).and_then(|()| self.wire.flush());
    }

    /// Writes until the client hangs up, or `times` times.
    pub fn write_repeatedly(&mut self, bytes: &[u8], times: usize) {
        for _ in 0..times {
            if self.wire.write_all(bytes).is_err() {
                return;
            }
        }
    }

    /// Reads a frame of a client: its first byte and its payload, unmasked. `None` at the end of the stream.
    pub fn read_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.wire.read_exact(&mut head).ok()?;
        assert_eq!(head[1] & 0x80, 0x80, "a client masks its frames");
        let length = match head[1] & 0x7f {
            126 => {
                let mut length = [0; 2];
                self.wire.read_exact(&mut length).ok()?;
                usize::from(u16::from_be_bytes(length))
            }
            127 => {
                let mut length = [0; 8];
                self.wire.read_exact(&mut length).ok()?;
                usize::try_from(u64::from_be_bytes(length)).unwrap()
            }
            length => usize::from(length),
        };
        let mut mask = [0; 4];
        self.wire.read_exact(&mut mask).ok()?;
        let mut payload = vec![0; length];
        self.wire.read_exact(&mut payload).ok()?;
        for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= mask;
        }
        Some((head[0], payload))
    }

    /// Reads until a Close comes, and returns its code.
    pub fn read_close(&mut self) -> Option<u16> {
        loop {
            let (first, payload) = self.read_frame()?;
            if first == CLOSE {
                return Some(payload.get(..2).map_or(0, |code| u16::from_be_bytes([code[0], code[1]])));
            }
        }
    }

    /// Waits for a Close, and hangs up.
    pub fn until_closed(mut self) {
        self.read_close();
    }

    /// Waits until the client hangs up, ignoring what it says.
    pub fn drain(&mut self) {
        let mut bytes = [0; 4096];
        while !matches!(self.wire.read(&mut bytes), Ok(0) | Err(_)) {}
    }
}

/// A frame as a server sends it, not masked.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ ..126 => bytes.push(short as u8),
        medium @ ..0x1_0000 => {
            bytes.push(126);
            bytes.extend_from_slice(&(medium as u16).to_be_bytes());
        }
        long => {
            bytes.push(127);
            bytes.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
    bytes
}

/// A Close with that code and reason.
pub fn close(code: u16, reason: &str) -> Vec<u8> {
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(reason.as_bytes());
    frame(CLOSE, &payload)
}
