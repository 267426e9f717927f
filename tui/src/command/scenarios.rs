//! `doorbell scenarios`: what can be run, by topic.

use super::Failure;
use super::decode::text::{hanging, indented};
use crate::cli::DEFAULT_SCENARIO;
use doorbell_examples::{Scenario, Topic, lab_scenarios, scenarios};
use serde_json::{Value, json};
use std::io::{self, Write};

/// Lists the scenarios.
pub fn list(as_json: bool) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    if as_json {
        serde_json::to_writer_pretty(&mut out, &value()).map_err(io::Error::from)?;
        return Ok(writeln!(out)?);
    }
    for (number, topic) in Topic::ALL.into_iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        writeln!(out, "{}", topic.title())?;
        for scenario in scenarios().iter().filter(|scenario| scenario.topic == topic) {
            let is_default = scenario.name == DEFAULT_SCENARIO;
            let mark = if is_default { " (the default)" } else { "" };
            entry(scenario.name, &format!("{}{mark}", scenario.title), scenario.summary, &mut out)?;
        }
        for scenario in lab_scenarios().iter().filter(|scenario| scenario.topic == topic) {
            let title = format!("{} (in the lab; elsewhere its recording)", scenario.title);
            entry(scenario.name, &title, scenario.summary, &mut out)?;
        }
    }
    writeln!(out)?;
    let more = "`doorbell step NAME --set length=4096,inline=on` changes settings; `doorbell scenarios --json` \
                lists them. Each failure ends as its title says, and counts as a success then.";
    Ok(indented(&mut out, "", more)?)
}

/// One scenario: name and title on a line, the summary below.
fn entry(name: &str, title: &str, summary: &str, out: &mut dyn Write) -> io::Result<()> {
    hanging(out, &format!("  {name:<23} "), &format!("{:26}", ""), title)?;
    indented(out, &format!("{:26}", ""), summary)
}

/// All scenarios.
fn value() -> Value {
    let topics = Topic::ALL.map(|topic| json!({"name": topic.name(), "title": topic.title()}));
    let lab = lab_scenarios().iter().map(|scenario| {
        json!({
            "name": scenario.name,
            "title": scenario.title,
            "topic": scenario.topic.name(),
            "summary": scenario.summary,
            "lab": true,
            "settings": [],
        })
    });
    let all: Vec<Value> = scenarios().iter().map(one).chain(lab).collect();
    json!({"topics": topics, "scenarios": all})
}

/// One that runs on any device.
fn one(scenario: &Scenario) -> Value {
    let setting = |key: &doorbell_examples::Key| {
        json!({
            "name": key.name(),
            "what": key.words(),
            "value": scenario.own.get(*key).to_string(),
            "allowed": key.allowed(),
        })
    };
    let mut value = json!({
        "name": scenario.name,
        "title": scenario.title,
        "topic": scenario.topic.name(),
        "summary": scenario.summary,
        "lab": false,
        "default": scenario.name == DEFAULT_SCENARIO,
        "settings": scenario.keys.iter().map(setting).collect::<Vec<_>>(),
    });
    if let Some(failure) = scenario.failure {
        value["failure"] = json!({
            "ends": failure.ends,
            "see": failure.see,
            "why": failure.why,
            "check": failure.check,
        });
    }
    value
}
