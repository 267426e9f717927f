use doorbell_book::preprocess::Runs;
use doorbell_book::walk::Walk;
fn main() {
    for s in ["rc-write", "rc-write-list", "rc-send-inline"] {
        let t = std::time::Instant::now();
        match doorbell_book::Scenarios.record(s) {
            Ok(tr) => {
                let n = tr.events.len();
                let w = Walk::new(tr);
                eprintln!("{s}: {n} {:?}", t.elapsed());
                if std::env::args().nth(1).as_deref() == Some(s) {
                    for (st, e) in w.steps.iter().zip(&w.trace.events) {
                        println!(
                            "{} {:?} {}{} | {}:{} [{}] wqe={:?}",
                            st.number,
                            e.actor,
                            "  ".repeat(e.depth as usize),
                            st.what,
                            st.file,
                            st.line,
                            st.anchor.clone().unwrap_or_default(),
                            st.wqe
                        );
                    }
                }
            }
            Err(e) => eprintln!("{s}: {e}"),
        }
    }
}
