//! A ping-pong over a reliable connection, against itself or against rdma-core's `ibv_rc_pingpong`:
//! `cargo run -p doorbell-examples --example rc_pingpong -- --help`.

use doorbell_driver::verbs::Transport;
use std::process::ExitCode;

fn main() -> ExitCode {
    doorbell_examples::pingpong::main(Transport::ReliableConnection)
}
