//! The trace reader: any bytes as a file. What it takes must be shown, masked and written without a
//! panic, and must come back the same.
#![no_main]

use doorbell_fuzz::trace_reader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| trace_reader::run(bytes));
