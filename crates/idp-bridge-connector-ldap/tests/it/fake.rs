//! A server that answers with the bytes of a test.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A server with one answer to each message after the bind, which succeeds.
pub(crate) struct FakeServer {
    pub(crate) url: String,
    connections: Arc<AtomicUsize>,
}

impl FakeServer {
    /// Starts a server. `respond` gets the number of the message in its connection, which begins with 2.
    /// Without an answer the connection is closed.
    pub(crate) fn start(respond: impl Fn(u8) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ldap://{}", listener.local_addr().unwrap());
        let (connections, respond) = (Arc::new(AtomicUsize::new(0)), Arc::new(respond));
        let counted = Arc::clone(&connections);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                counted.fetch_add(1, Relaxed);
                let respond = Arc::clone(&respond);
                std::thread::spawn(move || serve(stream, &*respond));
            }
        });
        Self { url, connections }
    }

    /// Returns the number of accepted connections.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Relaxed)
    }
}

fn serve(mut stream: TcpStream, respond: &dyn Fn(u8) -> Option<Vec<u8>>) {
    for number in 1..=u8::MAX {
        if !read_message(&mut stream) {
            return;
        }
        let answer = if number == 1 { Some(end(1, 0x61, 0)) } else { respond(number) };
        match answer {
            Some(bytes) if stream.write_all(&bytes).is_ok() => {}
            _ => return,
        }
    }
}

/// Reads a message, and returns whether there was one.
fn read_message(stream: &mut TcpStream) -> bool {
    let mut head = [0; 2];
    if stream.read_exact(&mut head).is_err() {
        return false;
    }
    assert_eq!(head[0], 0x30, "each message is a sequence");
    let mut length = usize::from(head[1]);
    if length > 0x80 {
        let mut long = vec![0; length - 0x80];
        stream.read_exact(&mut long).unwrap();
        length = long.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    }
    stream.read_exact(&mut vec![0; length]).is_ok()
}

/// Encodes an element.
pub(crate) fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = u32::try_from(contents.len()).unwrap().to_be_bytes();
    [&[tag, 0x84], &length[..], contents].concat()
}

/// Encodes the message that ends an operation.
pub(crate) fn end(id: u8, kind: u8, code: u8) -> Vec<u8> {
    let result = [&[0x0a, 1, code][..], &[4, 0], &[4, 0]].concat();
    element(0x30, &[vec![2, 1, id], element(kind, &result)].concat())
}

/// Encodes the message that ends a page of a search, with the cookie of the next one.
pub(crate) fn end_page(id: u8, cookie: &str) -> Vec<u8> {
    let octets = |bytes: &[u8]| element(4, bytes);
    let page = element(0x30, &[vec![2, 1, 0], octets(cookie.as_bytes())].concat());
    let control = element(0x30, &[octets(b"1.2.840.113556.1.4.319"), octets(&page)].concat());
    let result = element(0x65, &[&[0x0a, 1, 0][..], &[4, 0], &[4, 0]].concat());
    element(0x30, &[vec![2, 1, id], result, element(0xa0, &control)].concat())
}

/// Encodes an entry with one value of each attribute.
pub(crate) fn entry(id: u8, attributes: &[(&str, &str)]) -> Vec<u8> {
    let octets = |text: &str| element(4, text.as_bytes());
    let attribute =
        |(name, value): &(&str, &str)| element(0x30, &[octets(name), element(0x31, &octets(value))].concat());
    let attributes: Vec<u8> = attributes.iter().flat_map(attribute).collect();
    let entry = [octets("uid=ada"), element(0x30, &attributes)].concat();
    element(0x30, &[vec![2, 1, id], element(0x64, &entry)].concat())
}
