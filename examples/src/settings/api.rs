//! The way in which work requests are handed over.

/// How a program posts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Api {
    /// `ibv_post_send`: a list of structs in one call.
    #[default]
    List,
    /// `ibv_wr_start` to `ibv_wr_complete`: calls for each work request, and one for all of them.
    Batch,
}

impl Api {
    /// All of them.
    const ALL: [Self; 2] = [Self::List, Self::Batch];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Batch => "batch",
        }
    }

    /// The one of that word.
    pub(super) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|api| api.word() == word)
    }
}
