//! `{{#failure SCENARIO}}`: how a scenario of the failure gallery ends, what a program sees of it, why, and
//! what to check: the words of the terminal and of `doorbell decode`.

use crate::error::DirectiveError;
use doorbell_examples::scenarios;

/// The explanation as a list.
pub(super) fn failure(words: &[String]) -> Result<String, DirectiveError> {
    let [name] = words else {
        return Err(DirectiveError::Usage("write `{{#failure SCENARIO}}`".to_owned()));
    };
    let Some(failure) = doorbell_examples::failure(name) else {
        let known = scenarios().iter().filter_map(|scenario| scenario.failure);
        let known: Vec<&str> = known.map(|failure| failure.scenario).collect();
        return Err(DirectiveError::NoFailure { scenario: name.clone(), known: known.join(", ") });
    };
    let mut list = format!("- **It ends with** {}.\n", code(failure.ends));
    for (heading, text) in failure.explained() {
        list.push_str(&format!("- **{heading}.** {}\n", code(text)));
    }
    list.push_str(&format!("- **Step it:** `doorbell step {name}`\n"));
    Ok(list)
}

/// A text whose names of C stand as code: words with an underscore.
fn code(text: &str) -> String {
    let quoted = |word: &str| {
        let core = word.trim_matches(|c: char| !c.is_alphanumeric() && !"_/*".contains(c));
        if core.contains('_') && !word.contains('`') {
            word.replacen(core, &format!("`{core}`"), 1)
        } else {
            word.to_owned()
        }
    };
    text.split(' ').map(quoted).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_c_stand_as_code() {
        assert_eq!(code("poll ibv_poll_cq, (max_sge)."), "poll `ibv_poll_cq`, (`max_sge`).");
        assert_eq!(code("see `rdma link`; no names"), "see `rdma link`; no names");
    }

    #[test]
    fn one_that_is_none_is_told_which_there_are() {
        let error = failure(&["rc-write".to_owned()]).expect_err("it does not fail").to_string();
        assert!(error.contains("rc-write") && error.contains("wrong-rkey"), "{error}");
        assert!(failure(&[]).is_err());
    }
}
