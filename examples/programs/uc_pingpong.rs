//! A ping-pong over an unreliable connection, against itself or against rdma-core's `ibv_uc_pingpong`:
//! `cargo run -p doorbell-examples --example uc_pingpong -- --help`.

use doorbell_driver::verbs::Transport;
use std::process::ExitCode;

fn main() -> ExitCode {
    doorbell_examples::pingpong::main(Transport::UnreliableConnection)
}
