//! Reading one HTTP request, as far as a folder of pages needs it.

use std::io::{self, Read};

/// The longest head of a request that is read, in bytes.
const LONGEST_HEAD: usize = 16 * 1024;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    /// How it is asked for.
    pub(super) method: Method,
    /// The path, without query.
    pub(super) path: String,
}

/// How something is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// The page.
    Get,
    /// What would come before the page.
    Head,
    /// Anything else.
    Other,
}

impl Request {
    /// Reads a request up to the end of its head; `None` if it is none, or its head is too long.
    pub(super) fn read(stream: &mut impl Read) -> io::Result<Option<Self>> {
        let mut head = Vec::new();
        let mut piece = [0; 1024];
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            let count = stream.read(&mut piece)?;
            if count == 0 || head.len() > LONGEST_HEAD {
                return Ok(None);
            }
            head.extend_from_slice(piece.get(..count).unwrap_or_default());
        }
        Ok(Self::parse(&head))
    }

    /// Reads the first line.
    fn parse(head: &[u8]) -> Option<Self> {
        let line = head.split(|byte| *byte == b'\r').next()?;
        let mut words = std::str::from_utf8(line).ok()?.split(' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        if !version.starts_with("HTTP/1.") || !target.starts_with('/') || words.next().is_some() {
            return None;
        }
        let path = target.split(['?', '#']).next()?;
        Some(Self {
            method: match method {
                "GET" => Method::Get,
                "HEAD" => Method::Head,
                _ => Method::Other,
            },
            path: path.to_owned(),
        })
    }
}
