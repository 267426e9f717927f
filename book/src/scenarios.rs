//! The book's runs: the scenarios that the terminal steps through too.

use crate::error::DirectiveError;
use crate::preprocess::Runs;
use doorbell_tracer::Trace;

/// Runs the scenarios of `examples/` on the software card.
pub struct Scenarios;

impl Runs for Scenarios {
    fn record(&self, scenario: &str) -> Result<Trace, DirectiveError> {
        let found = doorbell_examples::scenario(scenario)
            .map_err(|unknown| DirectiveError::Scenario(unknown.to_string()))?;
        let recording = doorbell_examples::record(found, &doorbell_examples::Device::Card);
        match recording.outcome {
            Ok(_) => Ok(recording.trace),
            Err(reason) => Err(DirectiveError::Failed { scenario: scenario.to_owned(), reason }),
        }
    }

    fn source(&self, path: &str) -> Option<String> {
        doorbell_examples::source(path).map(str::to_owned)
    }
}
