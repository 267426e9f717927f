//! Latency of writes, reads and sends, from process to process:
//! `cargo run -p doorbell-examples --example rdma_lat -- --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    doorbell_examples::rdma::latency_main()
}
