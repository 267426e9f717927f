//! What the terminal shows, without a word about drawing: the walk, the tree, the panes' contents.

pub mod action;
pub mod acts;
pub mod app;
pub mod facts;
pub mod focus;
pub mod opening;
pub mod queues;
pub mod scene;
pub mod session;
pub mod source;
pub mod supply;
pub mod tree;
pub mod what_if;
