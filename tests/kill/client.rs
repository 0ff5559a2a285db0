//! One client of one server: a connection that is kept, and answers that are whole or none.

use std::net::SocketAddr;

use crate::sign::{Sign as _, escape};
use crate::wire::{Connection, Request, Response};

pub struct Client {
    pub address: SocketAddr,
    connection: Option<Connection>,
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, connection: None }
    }

    /// Presigns and sends; `None` if no whole answer comes, because the server is gone.
    pub fn try_send(&mut self, request: &Request) -> Option<Response> {
        let request = Request { address: self.address, ..request.clone() };
        let request = request.set("Host", &self.address.to_string()).presign();
        if self.connection.is_none() {
            self.connection = Connection::try_open(self.address);
        }
        let connection = self.connection.as_mut()?;
        // Whether it could be written shows when the answer is read.
        connection.write(&[request.head(), request.body.clone()].concat());
        let response = connection.try_response(&request.method);
        let framed = |response: &Response| {
            request.method == "HEAD" || response.status == 204 || response.header("content-length").is_some()
        };
        assert!(response.as_ref().is_none_or(framed), "an answer without a length: {response:?}");
        let closes = |response: &Response| response.header("connection") == Some("close");
        if response.as_ref().is_none_or(closes) {
            self.connection = None;
        }
        response
    }

    /// Sends to a server that nobody kills.
    #[track_caller]
    pub fn send(&mut self, method: &str, target: &str) -> Response {
        self.try_send(&request(method, target)).expect("the server answers")
    }
}

/// A request to a server that is not known yet.
pub fn request(method: &str, target: &str) -> Request {
    Request::to(SocketAddr::from(([127, 0, 0, 1], 0)), method, target)
}

/// The path of a key, its slashes kept.
pub fn path(bucket: &str, key: &str) -> String {
    let key: Vec<String> = key.split('/').map(escape).collect();
    format!("/{bucket}/{}", key.join("/"))
}

/// The text of every element of this name, outermost first.
pub fn elements<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    text.split(&open).skip(1).map(|piece| piece.split(&close).next().unwrap_or_default()).collect()
}

/// The text of the first element of this name.
pub fn element(text: &str, name: &str) -> Option<String> {
    elements(text, name).first().map(|text| crate::wire::unescape(text))
}
