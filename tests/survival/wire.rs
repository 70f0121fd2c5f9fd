//! What a client and a server really send each other, heard on its way.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::scene::now;

/// Headers of HTTP that prove who asks.
const PROOFS: [&str; 6] =
    ["authorization:", "api-key:", "api-sign:", "x-auth:", "x-auth-signature:", "sec-websocket-protocol:"];

/// Stands before a server and keeps what goes by, a connection each. Ends with the process.
pub struct Wire {
    pub address: SocketAddr,
    passed: Arc<Mutex<Vec<Passed>>>,
}

/// What has gone by on a connection.
#[derive(Default)]
struct Passed {
    to_server: Vec<u8>,
    to_client: Messages,
}

/// A message of the server: when it was passed on, by the wall clock, and [`digest`] of it.
pub type Message = (i64, u64);

/// Tells messages apart.
pub fn digest(message: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    message.hash(&mut hasher);
    hasher.finish()
}

impl Wire {
    pub fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let passed: Arc<Mutex<Vec<Passed>>> = Arc::default();
        let kept = Arc::clone(&passed);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(server) else { continue };
                let n = {
                    let mut passed = kept.lock().unwrap();
                    passed.push(Passed::default());
                    passed.len() - 1
                };
                let (there, back) = (Arc::clone(&kept), Arc::clone(&kept));
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || pass(from, to, |bytes| there.lock().unwrap()[n].to_server.extend(bytes)));
                thread::spawn(move || pass(server, client, |bytes| back.lock().unwrap()[n].to_client.take(bytes)));
            }
        });
        Self { address, passed }
    }

    /// The messages of the server on each WebSocket, in the order in which they were opened.
    pub fn messages(&self) -> Vec<Vec<Message>> {
        let mut passed = self.passed.lock().unwrap();
        let sockets = passed.iter_mut().filter(|passed| passed.to_client.is_open);
        sockets.map(|passed| std::mem::take(&mut passed.to_client.whole)).collect()
    }

    /// What proves to the server who speaks: headers of HTTP, and texts of what logs in by frame.
    pub fn proofs(&self) -> Vec<String> {
        let mut proofs = Vec::new();
        for Passed { to_server: heard, .. } in self.passed.lock().unwrap().iter() {
            let Some(end) = heard.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&heard[..end]).into_owned();
            for line in head.lines() {
                let lower = line.to_lowercase();
                if let Some(name) = PROOFS.iter().find(|name| lower.starts_with(**name)) {
                    proofs.push(line[name.len()..].trim().to_owned());
                }
            }
            if head.to_lowercase().contains("upgrade: websocket") {
                for text in texts(&heard[end + 4..]) {
                    let Ok(frame) = serde_json::from_slice(&text) else { continue };
                    signatures(&frame, false, &mut proofs);
                }
            }
        }
        proofs
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, mut hear: impl FnMut(&[u8])) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(n) = from.read(&mut buffer) {
        hear(&buffer[..n]);
        if n == 0 || to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    // Whichever is gone already.
    let _ = to.shutdown(Shutdown::Write);
}

/// The payloads of a client's frames, which are masked.
fn texts(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut texts = Vec::new();
    while let [_, length, rest @ ..] = bytes {
        let (length, rest) = match (length & 0x7f, rest) {
            (126, [a, b, rest @ ..]) => (usize::from(u16::from_be_bytes([*a, *b])), rest),
            (127, _) => break,
            (length, rest) => (usize::from(length), rest),
        };
        let Some((mask, rest)) = rest.split_at_checked(4) else { break };
        let Some((payload, rest)) = rest.split_at_checked(length) else { break };
        texts.push(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect());
        bytes = rest;
    }
    texts
}

/// The messages among the bytes of a server, made whole as they come, until one is not as RFC 6455 has it.
#[derive(Default)]
struct Messages {
    /// Whether what comes are frames.
    is_open: bool,
    is_broken: bool,
    /// What is not a whole frame yet.
    rest: Vec<u8>,
    /// Of a message that is not whole yet.
    fragments: Vec<u8>,
    whole: Vec<Message>,
}

impl Messages {
    fn take(&mut self, bytes: &[u8]) {
        if self.is_broken {
            return;
        }
        self.rest.extend(bytes);
        if !self.is_open {
            let Some(end) = self.rest.windows(4).position(|four| four == b"\r\n\r\n") else { return };
            self.is_open = self.rest.starts_with(b"HTTP/1.1 101");
            self.is_broken = !self.is_open;
            self.rest.drain(..end + 4);
        }
        while let [first, length, rest @ ..] = &self.rest[..] {
            let (length, rest) = match (*length, rest) {
                (126, [a, b, rest @ ..]) => (u64::from(u16::from_be_bytes([*a, *b])), rest),
                (127, [a, b, c, d, e, f, g, h, rest @ ..]) => {
                    (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), rest)
                }
                (126 | 127, _) => return,
                (length, rest) => (u64::from(length), rest),
            };
            let (is_final, opcode) = (first & 0x80 != 0, first & 0x0f);
            self.is_broken = self.rest[1] > 127 || first & 0x70 != 0 || !matches!(opcode, 0..=2 | 8..=10);
            let length = usize::try_from(length).unwrap();
            if self.is_broken || rest.len() < length {
                return;
            }
            let frame = self.rest.len() - rest.len() + length;
            if opcode < 8 {
                self.fragments.extend(&rest[..length]);
                if is_final {
                    self.whole.push((now(), digest(&self.fragments)));
                    self.fragments.clear();
                }
            }
            self.rest.drain(..frame);
        }
    }
}

/// The texts below what is called a signature.
fn signatures(value: &serde_json::Value, within: bool, found: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) if within => found.push(text.clone()),
        serde_json::Value::Array(values) => values.iter().for_each(|value| signatures(value, within, found)),
        serde_json::Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| signatures(value, within || name.starts_with("sign"), found));
        }
        _ => {}
    }
}
