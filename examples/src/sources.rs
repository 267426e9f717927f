//! The text of the source files that events come from.

/// Path from the root of the workspace, and text, of every file of the driver, the card and the
/// scenarios; in the order of their paths.
pub fn sources() -> &'static [(&'static str, &'static str)] {
    include!(concat!(env!("OUT_DIR"), "/sources.rs"))
}

/// The text of one file.
pub fn source(path: &str) -> Option<&'static str> {
    let sources = sources();
    let found = sources.binary_search_by_key(&path, |(path, _)| path).ok()?;
    sources.get(found).map(|(_, text)| *text)
}
