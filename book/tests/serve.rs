//! The server answers what was built and nothing else, on this machine only.

mod common;

use common::{Fixture, book};
use doorbell_book::{BookError, Server, build_from, serve_folder};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

/// Sends raw bytes, answers head and body.
fn ask(server: &Server, request: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(server.address()).expect("a connection");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let end = answer.windows(4).position(|end| end == b"\r\n\r\n").expect("a head");
    let body = answer.split_off(end + 4);
    (String::from_utf8(answer).expect("text"), body)
}

/// Asks for a path.
fn get(server: &Server, path: &str) -> (String, Vec<u8>) {
    ask(server, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
}

/// A book in a folder that also holds a secret beside the book.
fn with_book(inside: impl FnOnce(&Server)) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("secret"), "a-secret-of-the-folder-above").expect("a file");
    let out = folder.path().join("book");
    build_from(&book("# Page\n"), &Fixture, &out, &mut |_| {}).expect("a book");
    common::with_server(&out, inside);
}

#[test]
fn pages_come_with_their_types() {
    with_book(|server| {
        assert!(server.address().ip().is_loopback());
        for (path, kind) in [
            ("/", "text/html; charset=utf-8"),
            ("/page.html?query#part", "text/html; charset=utf-8"),
            ("/theme/player/5-player.js", "text/javascript; charset=utf-8"),
            ("/theme/doorbell.css", "text/css; charset=utf-8"),
        ] {
            // mdBook puts a part of the content into the names of such files.
            let found = find(server, path);
            let (head, body) = get(server, &found);
            assert!(head.starts_with("HTTP/1.1 200 "), "{path}: {head}");
            assert!(head.contains(&format!("Content-Type: {kind}\r\n")), "{path}: {head}");
            assert!(!body.is_empty(), "{path}");
        }
        let (head, body) = ask(server, "HEAD /page.html HTTP/1.1\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 200 ") && body.is_empty(), "{head}");
    });
}

/// The path under which the page links to a theme's file.
fn find(server: &Server, path: &str) -> String {
    let Some(stem) = path.strip_prefix("/theme/") else {
        return path.to_owned();
    };
    let (name, end) = stem.split_once('.').expect("a name");
    let page = String::from_utf8(get(server, "/page.html").1).expect("a page");
    let links = page.split('"').filter(|part| part.starts_with(&format!("theme/{name}")));
    let link = links.into_iter().find(|link| link.ends_with(end)).expect("a link");
    format!("/{link}")
}

#[test]
fn nothing_else_is_answered() {
    with_book(|server| {
        for path in ["/none.html", "/../secret", "/%2e%2e/secret", "/..%2fsecret", "//secret"] {
            let (head, body) = get(server, path);
            assert!(head.starts_with("HTTP/1.1 404 "), "{path}: {head}");
            assert!(
                !String::from_utf8_lossy(&body).contains("a-secret-of-the-folder-above"),
                "{path}"
            );
        }
        let post = ask(server, "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n").0;
        assert!(post.starts_with("HTTP/1.1 405 "), "{post}");
        for nonsense in
            ["\r\n\r\n", "GET\r\n\r\n", "GET secret HTTP/1.1\r\n\r\n", "GET / FTP\r\n\r\n"]
        {
            let head = ask(server, nonsense).0;
            assert!(head.starts_with("HTTP/1.1 400 "), "{nonsense:?}: {head}");
        }
        let (head, _) = get(server, "/page.html");
        assert!(head.starts_with("HTTP/1.1 200 "), "after all that: {head}");
    });
}

#[test]
fn a_port_in_use_says_what_to_do() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = taken.local_addr().expect("its address").port();
    let folder = tempfile::tempdir().expect("a folder");
    let error = serve_folder(folder.path(), port).err().expect("an error");
    assert!(matches!(error, BookError::PortInUse { port: named } if named == port), "{error}");
    assert!(error.to_string().contains("--port"), "{error}");
    let error = doorbell_book::serve(port, &mut |_| {}).err().expect("an error");
    assert!(matches!(error, BookError::PortInUse { .. }), "{error}");
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = serve_folder(&folder.path().join("none"), 0).err().expect("an error");
    assert!(matches!(error, BookError::Read { .. }), "{error}");
}
