//! As much of HTTP/2 as a client needs that does what no library lets it do.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// SETTINGS with the window that each stream begins with.
pub fn settings(window: u32) -> Vec<u8> {
    frame(4, 0, 0, &[&[0, 4], &window.to_be_bytes()[..]].concat())
}

pub fn ping() -> Vec<u8> {
    frame(6, 0, 0, &[0; 8])
}

/// Lets the server send so many bytes more, on a stream or, as stream 0, on the connection.
pub fn window_update(stream: u32, bytes: u32) -> Vec<u8> {
    frame(8, 0, stream, &bytes.to_be_bytes())
}

/// The head of a GET, without Huffman and without the dynamic table.
pub fn get(stream: u32, path: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    // :method GET, :scheme http from the static table; path and authority literal.
    let mut block = vec![0x82, 0x86, 0x04];
    block.extend(text(path));
    block.push(0x01);
    block.extend(text("localhost"));
    for (name, value) in headers {
        block.push(0);
        block.extend(text(name));
        block.extend(text(value));
    }
    frame(1, 5, stream, &block)
}

fn text(text: &str) -> Vec<u8> {
    let length = text.len();
    if length < 127 {
        return [&[length as u8], text.as_bytes()].concat();
    }
    let mut rest = length - 127;
    let mut out = vec![127];
    while rest >= 128 {
        out.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    out.push(rest as u8);
    [out.as_slice(), text.as_bytes()].concat()
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("a connection");
    stream.set_nodelay(true).expect("set");
    stream
}

/// A connection that has begun, on which streams begin with this window.
pub fn begin(address: SocketAddr, window: u32) -> TcpStream {
    let mut stream = connect(address);
    stream.write_all(&[PREFACE, &settings(window)].concat()).expect("sent");
    stream
}

/// Reads frames until one of this kind comes on this stream, and gives its payload; `None` when nothing more comes.
pub fn wait_for(connection: &mut TcpStream, stream: u32, kinds: &[u8]) -> Option<(u8, Vec<u8>)> {
    connection.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
    loop {
        let mut head = [0; 9];
        connection.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        connection.read_exact(&mut payload).ok()?;
        let on = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
        if on == stream && kinds.contains(&head[3]) {
            return Some((head[3], payload));
        }
    }
}
