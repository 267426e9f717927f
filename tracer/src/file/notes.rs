//! What opening counts on its way and tells at its end.

use super::error::Warning;

/// Kinds that are counted one by one among the unknown.
const MOST_UNKNOWN: usize = 16;

/// Counts that become warnings at the end.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Line after the first gap, number of gaps, events left out.
    gaps: Option<(u64, u64, u64)>,
    /// Kind, first line, count.
    unknown: Vec<(String, u64, u64)>,
    /// First line, count.
    sites: Option<(u64, u64)>,
    /// What ended the pass before the end of the file.
    pub(super) end: Option<Warning>,
}

impl Notes {
    /// Counts the events that are missing before a line.
    pub(super) fn sequence(&mut self, line: u64, missing: u64) {
        if missing > 0 {
            let (_, gaps, events) = self.gaps.get_or_insert((line, 0, 0));
            *gaps += 1;
            *events += missing;
        }
    }

    /// Counts an event of an unknown kind.
    pub(super) fn unknown(&mut self, line: u64, kind: String) {
        let known = self.unknown.iter_mut().find(|(name, _, _)| *name == kind);
        if let Some((_, _, count)) = known {
            *count += 1;
        } else if self.unknown.len() < MOST_UNKNOWN {
            self.unknown.push((kind, line, 1));
        }
    }

    /// Counts an event whose site is not in the header.
    pub(super) fn site(&mut self, line: u64) {
        let (_, count) = self.sites.get_or_insert((line, 0));
        *count += 1;
    }

    /// The warnings, what ended the pass first.
    pub(super) fn into_warnings(self, promised: Option<u64>, found: usize) -> Vec<Warning> {
        let missing = promised.filter(|expected| self.end.is_none() && *expected > found as u64);
        let end = missing.map(|expected| Warning::EndMissing { expected, found });
        let gaps = self.gaps.map(|(line, gaps, events)| Warning::Gaps { line, gaps, events });
        let sites = self.sites.map(|(line, count)| Warning::UnknownSite { line, count });
        let unknown = self.unknown.into_iter();
        let unknown = unknown.map(|(kind, line, count)| Warning::UnknownKind { kind, line, count });
        self.end.into_iter().chain(end).chain(gaps).chain(sites).chain(unknown).collect()
    }
}
