//! Serving the book to a browser on this machine.
//!
//! The pages are read once and answered from memory: a request can name nothing but what was
//! built, and nothing is left behind when the server is stopped with Ctrl-C. One request a
//! connection, one short-lived thread each; nothing more is needed for a reader or two.

mod request;

use crate::error::BookError;
use request::{Method, Request};
use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Connections that are answered at a time; more are closed at once.
const MOST_CONNECTIONS: usize = 64;

/// How long a browser may take for each piece of its request or of our answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server that holds the book and listens on 127.0.0.1.
pub struct Server {
    shared: Arc<Shared>,
    listener: TcpListener,
    address: SocketAddr,
}

/// What the server's threads share.
struct Shared {
    pages: HashMap<String, Vec<u8>>,
    connections: AtomicUsize,
    stopped: AtomicBool,
}

/// Stops a [`Server`] from another thread.
pub struct Stop {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl Stop {
    /// Makes [`Server::run`] return.
    pub fn stop(&self) {
        self.shared.stopped.store(true, Ordering::Release);
        // One more connection, so that the server looks. If it fails, nobody listens any more.
        drop(TcpStream::connect(self.address));
    }
}

/// Builds the book in a folder that is gone afterwards, and starts to listen on 127.0.0.1.
/// Port 0 takes any that is free.
pub fn serve(port: u16, progress: &mut dyn FnMut(&str)) -> Result<Server, BookError> {
    // The port first: whoever has to choose another one should not wait for the book.
    let listener = listen(port)?;
    let folder = tempfile::tempdir()
        .map_err(|source| BookError::Write { path: std::env::temp_dir(), source })?;
    let built = crate::build(&folder.path().join("book"), progress)?;
    Server::new(&built.folder, listener)
}

/// Serves a book that was built before.
pub fn serve_folder(folder: &Path, port: u16) -> Result<Server, BookError> {
    Server::new(folder, listen(port)?)
}

/// Listens on 127.0.0.1.
fn listen(port: u16) -> Result<TcpListener, BookError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => BookError::PortInUse { port },
        _ => BookError::Listen { port, reason: error.to_string() },
    })
}

impl Server {
    fn new(folder: &Path, listener: TcpListener) -> Result<Self, BookError> {
        let failed = |source| BookError::Read { path: folder.to_owned(), source };
        let mut pages = HashMap::new();
        for file in walk_files(folder).map_err(failed)? {
            let bytes = std::fs::read(folder.join(&file)).map_err(failed)?;
            pages.insert(url_path(&file), bytes);
        }
        Ok(Self {
            address: listener.local_addr().map_err(failed)?,
            listener,
            shared: Arc::new(Shared {
                pages,
                connections: AtomicUsize::new(0),
                stopped: AtomicBool::new(false),
            }),
        })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A handle that stops it.
    pub fn stopper(&self) -> Stop {
        Stop { shared: Arc::clone(&self.shared), address: self.address }
    }

    /// Answers requests until it is stopped.
    pub fn run(&self) {
        for stream in self.listener.incoming() {
            if self.shared.stopped.load(Ordering::Acquire) {
                return;
            }
            match stream {
                Ok(stream) => self.spawn(stream),
                // Out of file descriptors, most likely: others must end first.
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Answers a connection on a thread of its own.
    fn spawn(&self, stream: TcpStream) {
        let shared = Arc::clone(&self.shared);
        if shared.connections.fetch_add(1, Ordering::AcqRel) >= MOST_CONNECTIONS {
            shared.connections.fetch_sub(1, Ordering::AcqRel);
            return;
        }
        let thread = std::thread::Builder::new().spawn(move || {
            // A browser that went away is not our trouble.
            let _ = shared.answer(stream);
            shared.connections.fetch_sub(1, Ordering::AcqRel);
        });
        if thread.is_err() {
            self.shared.connections.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Shared {
    /// Reads one request and answers it.
    fn answer(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let Some(request) = Request::read(&mut stream)? else {
            return respond(&mut stream, "400 Bad Request", PLAIN, b"no HTTP request\n", true);
        };
        let body = request.method != Method::Head;
        if request.method == Method::Other {
            let text = b"only GET and HEAD\n";
            return respond(&mut stream, "405 Method Not Allowed", PLAIN, text, body);
        }
        let mut path = request.path;
        if path.ends_with('/') {
            path.push_str("index.html");
        }
        match self.pages.get(&path) {
            Some(bytes) => respond(&mut stream, "200 OK", content_type(&path), bytes, body),
            None => {
                let page = self.pages.get("/404.html");
                let (kind, text) =
                    page.map_or((PLAIN, &b"no such page\n"[..]), |page| (HTML, page));
                respond(&mut stream, "404 Not Found", kind, text, body)
            }
        }
    }
}

/// Text and pages, as content types.
const PLAIN: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

/// Writes an answer, and closes the connection.
fn respond(
    stream: &mut TcpStream,
    status: &str,
    kind: &str,
    bytes: &[u8],
    body: bool,
) -> io::Result<()> {
    let length = bytes.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    if body {
        stream.write_all(bytes)?;
    }
    stream.flush()
}

/// The path of a file as a request names it.
fn url_path(file: &Path) -> String {
    let parts = file.iter().map(|part| part.to_string_lossy());
    parts.fold(String::new(), |path, part| format!("{path}/{part}"))
}

/// What a browser should take a file for, by its name.
fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => HTML,
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/vnd.microsoft.icon",
        "woff2" => "font/woff2",
        "woff" => "font/woff",
        "ttf" => "font/ttf",
        "txt" => PLAIN,
        _ => "application/octet-stream",
    }
}

/// The files below a folder, by their paths in it, sorted.
pub(crate) fn walk_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(inner) = folders.pop() {
        for entry in std::fs::read_dir(folder.join(&inner))? {
            let entry = entry?;
            let path = inner.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
