//! The book's runs: the scenarios that the terminal steps through too. Those that need the lab are
//! shown as they were recorded there: a book must build everywhere.

use crate::error::DirectiveError;
use crate::preprocess::Runs;
use doorbell_examples::Named;
use doorbell_tracer::Trace;

/// Runs the scenarios of `examples/` on the software card; gives the recording of those of the lab.
pub struct Scenarios;

impl Runs for Scenarios {
    fn record(&self, scenario: &str) -> Result<Trace, DirectiveError> {
        let named = doorbell_examples::named(scenario)
            .map_err(|unknown| DirectiveError::Scenario(unknown.to_string()))?;
        let found = match named {
            Named::Anywhere(found) => found,
            Named::InLab(found) => {
                let recording = found.recording();
                return recording.map_err(|error| DirectiveError::Scenario(error.to_string()));
            }
        };
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
