//! The trace reader: any bytes as a file. What it takes must be shown, masked and written without a
//! panic, and must come back the same.

use doorbell_tracer::EventSource;
use doorbell_tracer::file::{FieldClass, Options, read, write};
use doorbell_tracer::timeline::{Cursor, reads, writes};

fn class(layout: &str, byte: usize) -> FieldClass {
    match (layout.len() + byte) % 3 {
        0 => FieldClass::Address,
        1 => FieldClass::Payload,
        _ => FieldClass::Other,
    }
}

/// Reads bytes, and shows, masks and writes what is in them.
pub fn run(bytes: &[u8]) {
    let Ok((loaded, warnings)) = read("fuzz", bytes) else { return };
    for warning in warnings {
        let _ = warning.to_string();
    }
    let mut cursor = Cursor::new();
    for step in (0..loaded.len()).rev().chain(0..loaded.len()) {
        cursor.go(Some(step), loaded.timeline(), &loaded);
        let Some(event) = loaded.get(step) else { continue };
        for span in writes(cursor.state(), &event).into_iter().chain(reads(cursor.state(), &event))
        {
            let _ = format!("{span:?}");
        }
    }
    let mut written = Vec::new();
    if write(loaded.header(), &loaded, &mut written, &Options::default()).is_err() {
        return;
    }
    let (again, _) = read("again", written.as_slice()).expect("what was written can be read");
    assert_eq!(again.header(), loaded.header());
    assert_eq!(again.len(), loaded.len());
    for step in 0..loaded.len() {
        assert_eq!(again.get(step), loaded.get(step), "step {step}");
    }
    let mask = Options { mask_payload: true, mask_addresses: true, field: Some(&class) };
    let _ = write(loaded.header(), &loaded, Vec::new(), &mask);
}
