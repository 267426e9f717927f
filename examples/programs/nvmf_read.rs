//! Reads of NVMe over RDMA, from process to process:
//! `cargo run -p doorbell-examples --example nvmf_read -- --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    doorbell_examples::nvmf::main()
}
