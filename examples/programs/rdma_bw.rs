//! Bandwidth and message rate of writes, reads and sends, from process to process:
//! `cargo run -p doorbell-examples --example rdma_bw -- --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    doorbell_examples::rdma::bandwidth_main()
}
