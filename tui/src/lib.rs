//! The terminal: a live `ibv_post_send` on mlx5, one step at a time, beside the source that runs.
//!
//! A run of a scenario is a sequence of events. [`state`] holds one walk through it: where the
//! reader stands, what is folded, and what each pane shows there. [`view`] draws that and knows
//! nothing else; [`input`] turns keys into actions on it. Without a terminal, [`text`] prints the
//! same walk, one line a step. Both say a step in the words that
//! `doorbell_examples` has for it, the book's too, and take bytes apart by [`decode`], from the field
//! tables of `doorbell_prm`.
//!
//! [`dump`] finds dumps and error messages in logs, and says what they mean.
//!
//! [`command`] is the command line: each subcommand is one short function.

pub mod cli;
pub mod command;
pub mod compare;
pub mod decode;
pub mod dump;
pub mod export;
pub mod input;
pub mod state;
pub mod terminal;
pub mod text;
pub mod view;
