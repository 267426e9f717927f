//! A ping-pong over datagrams, against itself or against rdma-core's `ibv_ud_pingpong`:
//! `cargo run -p doorbell-examples --example ud_pingpong -- --help`.

use doorbell_driver::verbs::Transport;
use std::process::ExitCode;

fn main() -> ExitCode {
    doorbell_examples::pingpong::main(Transport::UnreliableDatagram)
}
