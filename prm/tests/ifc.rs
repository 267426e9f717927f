//! Every layout that cites `mlx5_ifc.h` is compared with facts taken from that file.

use doorbell_prm::{LayoutInfo, layouts};
use std::collections::{BTreeMap, BTreeSet};

/// Fields whose name here is not that of `mlx5_ifc.h`: Rust reserves `type`, `len` would be taken
/// for a collection's, and names are in lower case.
const RENAMED: &[(&str, &str, &str)] = &[
    ("cmd_queue_entry", "kind", "type"),
    ("qp_events", "queue_type", "type"),
    ("mkc", "length", "len"),
    ("atomic_caps", "atomic_req_8b_endianness_mode", "atomic_req_8B_endianness_mode"),
    (
        "atomic_caps",
        "supported_atomic_req_8b_endianness_mode_1",
        "supported_atomic_req_8B_endianness_mode_1",
    ),
];

/// Structures of which only the fields in use are described.
const PARTIAL: &[&str] = &["cmd_hca_cap", "roce_cap", "atomic_caps"];

/// Members that are left to other layouts or to nobody.
const LEFT_OUT: &[&str] = &["initial_seg.health_buffer"];

struct Fact {
    bit: u32,
    width: u32,
    count: u32,
}

fn facts() -> BTreeMap<&'static str, Fact> {
    let mut facts = BTreeMap::new();
    for line in include_str!("ifc-excerpt.txt").lines() {
        if line.starts_with('#') {
            continue;
        }
        let mut words = line.split_whitespace();
        let name = words.next().expect("a name");
        let mut number = || words.next().expect("a number").parse().expect("decimal");
        let fact = Fact { bit: number(), width: number(), count: number() };
        assert!(facts.insert(name, fact).is_none(), "{name} is there twice");
    }
    facts
}

fn from_ifc() -> impl Iterator<Item = &'static LayoutInfo> {
    let cites = |layout: &&LayoutInfo| layout.source.contains("mlx5_ifc");
    layouts().iter().copied().filter(cites)
}

/// What `mlx5_ifc.h` calls a field of ours.
fn name_there(layout: &str, field: &'static str) -> &'static str {
    let renamed = |row: &&(&str, &str, &'static str)| row.0 == layout && row.1 == field;
    RENAMED.iter().find(renamed).map_or(field, |row| row.2)
}

#[test]
fn sizes_are_those_of_the_header() {
    let facts = facts();
    for layout in from_ifc() {
        let fact = facts.get(layout.name);
        let fact = fact.unwrap_or_else(|| panic!("no facts about {}", layout.name));
        assert_eq!(layout.size as u32 * 8, fact.width, "size of {}", layout.name);
    }
}

#[test]
fn fields_lie_where_the_header_has_them() {
    let facts = facts();
    let mut compared = 0;
    for layout in from_ifc() {
        let nested = layout.nested.iter();
        let nested = nested.map(|inner| (inner.name, inner.bit, inner.layout.size as u32 * 8));
        let fields = layout.fields.iter();
        let fields = fields.map(|field| (field.name, field.bit, field.width));
        for (name, bit, width) in fields.chain(nested) {
            let path = format!("{}.{}", layout.name, name_there(layout.name, name));
            let fact = facts.get(path.as_str());
            let fact = fact.unwrap_or_else(|| panic!("no facts about {path}"));
            assert_eq!(bit, fact.bit, "bit offset of {path}");
            // The union of capability groups is wider than the one group that is described.
            if name != "capability" {
                assert_eq!(width, fact.width * fact.count, "width of {path}");
            }
            compared += 1;
        }
    }
    assert!(compared > 400, "only {compared} fields were compared");
}

#[test]
fn no_field_of_the_header_is_missing() {
    let known: BTreeMap<_, _> = from_ifc().map(|layout| (layout.name, layout)).collect();
    for (path, fact) in facts() {
        let Some((structure, field)) = path.split_once('.') else {
            continue;
        };
        if fact.count == 0 || PARTIAL.contains(&structure) || LEFT_OUT.contains(&path) {
            continue;
        }
        let layout = known[structure];
        let fields = layout.fields.iter().map(|field| field.name);
        let mut names = fields.chain(layout.nested.iter().map(|inner| inner.name));
        assert!(names.any(|name| name_there(structure, name) == field), "{path} has no row");
    }
}

#[test]
fn names_of_layouts_are_unique() {
    let names: BTreeSet<_> = layouts().iter().map(|layout| layout.name).collect();
    assert_eq!(names.len(), layouts().len());
    assert!(layouts().len() > 100);
}
