//! The front: what stands before the server where TLS or faults are wanted. It ends TLS, passes REST through, and
//! follows the frames of WebSockets so that faults can be played out on the TCP stream.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::faults::{Faults, Script, Step};
use super::frame::{Head, Opcode};
use super::tally::Tally;

/// Most bytes of a request's head.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// How long a client may take for its handshake, and for the head of its request.
const OPENING_MAX: Duration = Duration::from_secs(10);

/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;

/// What stands before the server.
pub(super) struct Front {
    pub listener: TcpListener,
    pub server: SocketAddr,
    pub tls: Option<TlsAcceptor>,
    pub faults: Faults,
    pub tally: Tally,
}

/// Both halves of a connection to a client.
type Reader = Box<dyn AsyncRead + Unpin>;
type Writer = Box<dyn AsyncWrite + Unpin>;

impl Front {
    /// Serves for ever. Dropping the future ends every connection.
    pub(super) async fn run(self) {
        let mut connections = JoinSet::new();
        let front = Rc::new(self);
        let upgrades = Rc::new(RefCell::new(0));
        loop {
            tokio::select! {
                accepted = front.listener.accept() => {
                    let Ok((stream, _)) = accepted else {
                        // Out of descriptors, or the client is gone already; neither is mended by haste.
                        sleep(Duration::from_millis(10)).await;
                        continue;
                    };
                    let (front, upgrades) = (front.clone(), upgrades.clone());
                    connections.spawn_local(async move {
                        // A broken connection concerns nobody but its client, who knows.
                        let _ = front.serve(stream, &upgrades).await;
                    });
                }
                Some(_) = connections.join_next() => {}
            }
        }
    }

    async fn serve(&self, stream: TcpStream, upgrades: &RefCell<u64>) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let (mut reader, writer): (Reader, Writer) = match &self.tls {
            Some(tls) => {
                let (reader, writer) = tokio::io::split(timeout(OPENING_MAX, tls.accept(stream)).await??);
                (Box::new(reader), Box::new(writer))
            }
            None => {
                let (reader, writer) = stream.into_split();
                (Box::new(reader), Box::new(writer))
            }
        };
        let head = timeout(OPENING_MAX, read_head(&mut reader)).await??;
        let mut server = TcpStream::connect(self.server).await?;
        server.set_nodelay(true)?;
        server.write_all(&head).await?;
        if is_upgrade(&head) && !self.faults.is_empty() {
            let number = upgrades.replace_with(|count| *count + 1) + 1;
            let script = Script::new(&self.faults, number);
            Play { script: RefCell::new(script), tally: &self.tally }.run(reader, writer, server).await
        } else {
            let mut client = tokio::io::join(reader, writer);
            tokio::io::copy_bidirectional(&mut client, &mut server).await.map(drop)
        }
    }
}

/// Reads to the end of a request's head, and what came with it.
async fn read_head(reader: &mut Reader) -> io::Result<BytesMut> {
    let mut head = BytesMut::with_capacity(4 * 1024);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > HEAD_BYTES_MAX || reader.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Ok(head)
}

fn is_upgrade(head: &[u8]) -> bool {
    String::from_utf8_lossy(head).to_ascii_lowercase().contains("\r\nupgrade: websocket")
}

/// The faults of one WebSocket, played out.
struct Play<'a> {
    script: RefCell<Script>,
    tally: &'a Tally,
}

impl Play<'_> {
    async fn run(&self, reader: Reader, writer: Writer, server: TcpStream) -> io::Result<()> {
        let (from_server, to_server) = server.into_split();
        let (answer, answers) = mpsc::unbounded_channel();
        tokio::select! {
            // The end of either direction is the end of the connection.
            result = self.up(reader, to_server, answer) => result,
            result = self.down(from_server, writer, answers) => result,
        }
    }

    /// From client to server: commands go by; some the script answers itself.
    async fn up(
        &self,
        mut reader: Reader,
        mut to_server: impl AsyncWrite + Unpin,
        answer: mpsc::UnboundedSender<Instead>,
    ) -> io::Result<()> {
        let mut frames = Frames::default();
        loop {
            while let Some(frame) = frames.next() {
                let instead = frame.text().and_then(|text| self.script.borrow_mut().command(&text));
                match instead {
                    Some(reply) => {
                        self.count(|counts| {
                            counts.commands += 1;
                            counts.logins += 1;
                        });
                        // The other direction lives as long as this one.
                        let _ = answer.send(Instead(reply));
                    }
                    None => to_server.write_all(&frame.bytes).await?,
                }
            }
            tokio::select! {
                read = frames.read(&mut reader) => if !read? { return Ok(()) },
                () = answer.closed() => std::future::pending().await,
            }
        }
    }

    /// From server to client: messages go by, and the script says what becomes of them.
    async fn down(
        &self,
        mut from_server: impl AsyncRead + Unpin,
        mut writer: Writer,
        mut answers: mpsc::UnboundedReceiver<Instead>,
    ) -> io::Result<()> {
        let head = read_response_head(&mut from_server).await?;
        let mut frames = Frames { buffer: head.rest };
        writer.write_all(&head.head).await?;
        let mut silent = false;
        let mut steps = self.script.borrow_mut().opened();
        loop {
            self.count(|_| {});
            for step in steps.drain(..) {
                match step {
                    Step::Write(_) if silent => {}
                    Step::Write(bytes) => writer.write_all(&bytes).await?,
                    Step::Silence => silent = true,
                    // `up` reads nothing more once nobody takes its answers.
                    Step::StopReading => answers.close(),
                    Step::End => return writer.shutdown().await,
                }
            }
            writer.flush().await?;
            if let Some(frame) = frames.next() {
                steps = match frame.text() {
                    Some(text) => self.script.borrow_mut().message(text.as_bytes()),
                    None => vec![Step::Write(frame.bytes)],
                };
                continue;
            }
            tokio::select! {
                read = frames.read(&mut from_server) => if !read? { return writer.shutdown().await },
                Some(Instead(reply)) = answers.recv() => steps.push(Step::Write(reply)),
            }
        }
    }

    /// Counts what has been played out, and more.
    fn count(&self, more: impl FnOnce(&mut super::tally::Counts)) {
        let played = self.script.borrow_mut().take_played();
        self.tally.count(|counts| {
            counts.faults += played;
            more(counts);
        });
    }
}

/// A reply that the script gives instead of the exchange.
struct Instead(Bytes);

struct ResponseHead {
    head: BytesMut,
    rest: BytesMut,
}

async fn read_response_head(from_server: &mut (impl AsyncRead + Unpin)) -> io::Result<ResponseHead> {
    let mut head = BytesMut::with_capacity(1024);
    loop {
        if let Some(end) = head.windows(4).position(|end| end == b"\r\n\r\n") {
            let rest = head.split_off(end + 4);
            return Ok(ResponseHead { head, rest });
        }
        if from_server.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Frames in a stream of bytes.
#[derive(Default)]
struct Frames {
    buffer: BytesMut,
}

/// A frame as it came.
struct Frame {
    head: Head,
    bytes: Bytes,
}

impl Frames {
    /// The next frame that is there as a whole.
    fn next(&mut self) -> Option<Frame> {
        let head = Head::parse(&self.buffer)?;
        let length = usize::try_from(head.payload).ok()?.checked_add(head.length)?;
        if self.buffer.len() < length {
            return None;
        }
        Some(Frame { head, bytes: self.buffer.split_to(length).freeze() })
    }

    /// Reads more; `false` at the end of the stream.
    async fn read(&mut self, reader: &mut (impl AsyncRead + Unpin)) -> io::Result<bool> {
        self.buffer.reserve(READ_BYTES);
        Ok(reader.read_buf(&mut self.buffer).await? > 0)
    }
}

impl Frame {
    /// The payload of a text message in one frame, unmasked; replacement characters where it is not UTF-8.
    fn text(&self) -> Option<String> {
        if self.head.opcode != Opcode::TEXT || !self.head.fin {
            return None;
        }
        let payload = &self.bytes[self.head.length..];
        let unmasked: Vec<u8> = match self.head.mask {
            Some(key) => payload.iter().zip(key.into_iter().cycle()).map(|(byte, key)| byte ^ key).collect(),
            None => payload.to_vec(),
        };
        Some(String::from_utf8_lossy(&unmasked).into_owned())
    }
}
