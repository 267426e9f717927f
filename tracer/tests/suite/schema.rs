//! Every trace that is written is what the published schema says, and the schema says enough.

use crate::samples::{events, header, one_of_each, trace};
use doorbell_tracer::file::{Options, write};
use doorbell_tracer::{Kind, SCHEMA, Trace};
use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Value, json};

/// The schema's text.
const PUBLISHED: &str = include_str!("../../schema/trace-1.schema.json");

/// The published schema, cut to one of its definitions.
fn validator(definition: &str) -> Validator {
    let mut schema: Value = serde_json::from_str(PUBLISHED).unwrap();
    schema["oneOf"] = json!([{ "$ref": format!("#/$defs/{definition}") }]);
    jsonschema::draft202012::new(&schema).unwrap()
}

/// The lines of a written trace.
fn lines(trace: &Trace, options: &Options<'_>) -> Vec<Value> {
    let mut file = Vec::new();
    write(&trace.header, trace, &mut file, options).unwrap();
    let text = String::from_utf8(file).unwrap();
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap()
}

/// Holds a written trace against the schema.
fn check(trace: &Trace, options: &Options<'_>) {
    let lines = lines(trace, options);
    if let Err(error) = validator("header").validate(&lines[0]) {
        panic!("{error} at {}: {}", error.instance_path(), lines[0]);
    }
    let event = validator("event");
    for line in &lines[1..] {
        if let Err(error) = event.validate(line) {
            panic!("{error}: {line}");
        }
    }
}

#[test]
fn the_schema_is_one() {
    let schema: Value = serde_json::from_str(PUBLISHED).unwrap();
    assert!(jsonschema::meta::is_valid(&schema));
    assert_eq!(schema["$defs"]["header"]["properties"]["schema"]["const"], SCHEMA);
}

#[test]
fn every_kind_is_in_the_schema() {
    let schema: Value = serde_json::from_str(PUBLISHED).unwrap();
    let branches = schema["$defs"]["event"]["oneOf"].as_array().unwrap();
    let kinds = branches.iter().map(|branch| {
        let name = branch["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        schema["$defs"][name]["properties"]["kind"]["const"].as_str().unwrap()
    });
    assert_eq!(kinds.collect::<Vec<_>>(), Kind::NAMES);
}

#[test]
fn a_trace_of_every_kind_is_valid() {
    let trace = trace(one_of_each());
    check(&trace, &Options::default());
    let masked = Options { mask_payload: true, mask_addresses: true, field: None };
    check(&trace, &masked);
}

#[test]
fn a_trace_that_probes_made_is_valid() {
    check(&crate::recorders::probed(), &Options::default());
}

#[test]
fn a_header_that_lacks_or_adds_something_is_refused() {
    let validator = validator("header");
    let header = lines(&trace([]), &Options::default()).remove(0);
    assert!(validator.is_valid(&header));
    assert_wrong_if_changed(&validator, &header, &["masked", "events"]);
    let changed = |pointer: &str, value: Value| {
        let mut changed = header.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        changed
    };
    assert!(!validator.is_valid(&changed("/schema", json!(2))));
    assert!(!validator.is_valid(&changed("/format", json!("other"))));
    assert!(!validator.is_valid(&changed("/clock", json!("sundial"))));
    assert!(!validator.is_valid(&changed("/sites/0/group", json!("other"))));
    assert!(!validator.is_valid(&changed("/sites/0/origins/0", json!(["one"]))));
    assert!(!validator.is_valid(&changed("/sources/0", json!({ "path": "x" }))));
}

#[test]
fn an_event_that_lacks_or_adds_something_is_refused() {
    let validator = validator("event");
    for line in &lines(&trace(one_of_each()), &Options::default())[1..] {
        assert_wrong_if_changed(&validator, line, &[]);
    }
}

#[test]
fn a_wrong_detail_is_refused() {
    let validator = validator("event");
    let lines = lines(&trace(one_of_each()), &Options::default());
    for (kind, pointer, wrong) in [
        ("call", "/arguments/0/value", json!({ "hex": 1, "number": 1 })),
        ("call", "/arguments/0/value", json!({ "hex": -1 })),
        ("return", "/result", json!(0)),
        ("dispatch", "/actor", json!({ "cpu": 256 })),
        ("check", "/relation", json!("=")),
        ("lock", "/action", json!("taken")),
        ("map", "/role", json!("queue")),
        ("unmap", "/region", json!(4_294_967_296_u64)),
        ("store", "/bytes", json!("0")),
        ("load", "/bytes", json!("AB")),
        ("barrier", "/depth", json!(65536)),
        ("register_write", "/bytes", json!([1])),
        ("register_read", "/offset", json!("4")),
        ("command", "/opcode", json!(65536)),
        ("dma", "/direction", json!("out")),
        ("packet", "/psn", json!(0.5)),
        ("state", "/kind", json!("status")),
        ("index", "/actor", json!("cpu")),
        ("completion", "/attributes/0", json!({ "name": "x" })),
        ("discovery", "/found", json!("yes")),
        ("note", "/values", json!({})),
    ] {
        let line = lines.iter().find(|line| line["kind"] == kind).unwrap();
        let mut line = line.clone();
        *line.pointer_mut(pointer).unwrap() = wrong.clone();
        assert!(!validator.is_valid(&line), "{kind} with {pointer} = {wrong}");
    }
}

/// Takes out every member that is not optional, one at a time, gives each a wrong type, and adds
/// one: none of the results may be valid.
fn assert_wrong_if_changed(validator: &Validator, right: &Value, optional: &[&str]) {
    let members = right.as_object().unwrap();
    for name in members.keys() {
        let mut wrong = right.clone();
        wrong[name] = json!([[null]]);
        assert!(!validator.is_valid(&wrong), "{name} of a wrong type: {wrong}");
        wrong.as_object_mut().unwrap().remove(name);
        let is_optional = optional.contains(&name.as_str());
        assert_eq!(validator.is_valid(&wrong), is_optional, "without {name}: {wrong}");
    }
    let mut wrong = right.clone();
    wrong["surplus"] = json!(1);
    assert!(!validator.is_valid(&wrong), "with one too many: {wrong}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn random_traces_are_valid(events in events(40)) {
        check(&Trace { header: header(), events }, &Options::default());
    }
}

#[test]
fn a_trace_out_of_a_ring_is_in_the_schema() {
    let mut trace = trace(one_of_each());
    trace.header.ring = Some(doorbell_tracer::RingInfo { capacity: 64, lost: 7 });
    check(&trace, &Options::default());
    let mut line = lines(&trace, &Options::default())[0].clone();
    line["ring"]["lost"] = json!(-1);
    assert!(!validator("header").is_valid(&line));
}
