//! Building the book: chapters and theme from the binary, runs from the scenarios, pages by mdBook.

use crate::error::BookError;
use crate::preprocess::{Preprocessor, Runs};
use crate::scenarios::Scenarios;
use crate::{files, notes};
use mdbook_driver::MDBook;
use mdbook_driver::book::BookItem;
use mdbook_driver::config::Config;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The book's configuration.
const CONFIG: &str = include_str!("../book.toml");

/// A file that marks a folder as a book of ours, which the next build may replace.
const MARKER: &str = ".doorbell-book";

/// A book that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildReport {
    /// The folder that holds it.
    pub folder: PathBuf,
    /// The page to open first.
    pub index: PathBuf,
    /// Number of chapters.
    pub chapters: usize,
}

/// Builds the book into `out`, which must be new, empty, or hold a book built before. Runs every
/// scenario that a chapter names. `progress` is told what is being done.
pub fn build(out: &Path, progress: &mut dyn FnMut(&str)) -> Result<BuildReport, BookError> {
    build_from(&Chapters::embedded(), &Scenarios, out, progress)
}

/// The pages that a book is made from: paths within the book's source, and their Markdown.
#[derive(Debug, Clone, Default)]
pub struct Chapters(pub Vec<(String, String)>);

impl Chapters {
    /// The chapters of `book/chapters/`.
    pub fn embedded() -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let chapters = files::CHAPTERS.iter();
        Self(chapters.map(|(path, bytes)| ((*path).to_owned(), text(bytes))).collect())
    }
}

/// Builds a book of these chapters, whose `SUMMARY.md` names the others, from these runs.
pub fn build_from(
    chapters: &Chapters,
    runs: &dyn Runs,
    out: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<BuildReport, BookError> {
    notes::check()?;
    check_vacant(out)?;
    let workshop = tempfile::tempdir()
        .map_err(|source| BookError::Write { path: std::env::temp_dir(), source })?;
    lay_out(workshop.path(), chapters)?;
    let count = pages(workshop.path(), runs, progress)?;
    progress("writing the pages");
    replace(&workshop.path().join("html"), out)?;
    Ok(BuildReport { folder: out.to_owned(), index: out.join("index.html"), chapters: count })
}

/// Refuses a folder with something in it that is not a book of ours.
fn check_vacant(out: &Path) -> Result<(), BookError> {
    let occupied = match fs::read_dir(out) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(source) => {
            return Err(BookError::Write { path: out.to_owned(), source });
        }
    };
    if occupied && !out.join(MARKER).exists() {
        return Err(BookError::Occupied { folder: out.to_owned() });
    }
    Ok(())
}

/// Writes chapters and theme to where mdBook reads them.
fn lay_out(workshop: &Path, chapters: &Chapters) -> Result<(), BookError> {
    for (path, text) in &chapters.0 {
        write(&workshop.join("src").join(path), text.as_bytes())?;
    }
    for (path, bytes) in files::THEME {
        write(&workshop.join("theme").join(path), bytes)?;
    }
    Ok(())
}

/// Has mdBook make the pages in `html/` of the workshop; answers the number of chapters.
fn pages(
    workshop: &Path,
    runs: &dyn Runs,
    progress: &mut dyn FnMut(&str),
) -> Result<usize, BookError> {
    let failed = |error: mdbook_driver::errors::Error| BookError::Pages(format!("{error:#}"));
    let config: Config = CONFIG.parse().map_err(failed)?;
    let mut book = MDBook::load_with_config(workshop, config).map_err(failed)?;
    let preprocessor = Preprocessor::new(runs);
    let mut first_error = None;
    let mut count = 0;
    book.book.for_each_mut(|item| {
        let BookItem::Chapter(chapter) = item else {
            return;
        };
        let Some(path) = chapter.source_path.as_ref().filter(|_| first_error.is_none()) else {
            return;
        };
        count += 1;
        progress(&format!("running what `{}` tells of", chapter.name));
        let file = format!("book/chapters/{}", path.display());
        match preprocessor.chapter(&file, &chapter.content) {
            Ok(content) => chapter.content = content,
            Err(error) => first_error = Some(error),
        }
    });
    if let Some(error) = first_error {
        return Err(error);
    }
    progress("making the pages");
    book.build().map_err(failed)?;
    Ok(count)
}

/// Puts the new book into `out`, in place of an older one.
fn replace(new: &Path, out: &Path) -> Result<(), BookError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| BookError::Write { path, source }
    };
    if out.join(MARKER).exists() {
        fs::remove_dir_all(out).map_err(failed(out))?;
    }
    // The marker comes first, so that a build that was cut short can be repeated.
    write(&out.join(MARKER), b"A book built by doorbell; the next build replaces this folder.\n")?;
    for file in crate::serve::walk_files(new).map_err(failed(new))? {
        let bytes = fs::read(new.join(&file)).map_err(failed(&file))?;
        write(&out.join(&file), &bytes)?;
    }
    Ok(())
}

/// Writes a file and the folders above it.
fn write(path: &Path, bytes: &[u8]) -> Result<(), BookError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, bytes))
        .map_err(|source| BookError::Write { path: path.to_owned(), source })
}
