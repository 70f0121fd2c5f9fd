//! What a client really sends, heard on its way to a server.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Headers of HTTP that prove who asks.
const PROOFS: [&str; 6] =
    ["authorization:", "api-key:", "api-sign:", "x-auth:", "x-auth-signature:", "sec-websocket-protocol:"];

/// Stands before a server and keeps what goes to it, a connection each. Ends with the process.
pub struct Wire {
    pub address: SocketAddr,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Wire {
    pub fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heard: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let kept = Arc::clone(&heard);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(server) else { continue };
                let connection = {
                    let mut heard = kept.lock().unwrap();
                    heard.push(Vec::new());
                    heard.len() - 1
                };
                let kept = Arc::clone(&kept);
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || {
                    pass(from, to, |bytes| kept.lock().unwrap()[connection].extend_from_slice(bytes))
                });
                thread::spawn(move || pass(server, client, |_| {}));
            }
        });
        Self { address, heard }
    }

    /// What proves to the server who speaks: headers of HTTP, and texts of what logs in by frame.
    pub fn proofs(&self) -> Vec<String> {
        let mut proofs = Vec::new();
        for heard in self.heard.lock().unwrap().iter() {
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
