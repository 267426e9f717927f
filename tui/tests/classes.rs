//! Which values `doorbell diff` takes for numbers, keys and addresses: the field tables are the
//! measure, so that a new layout with such a field cannot be forgotten.

use doorbell::compare::{Class, class_of};
use doorbell_prm::layouts;

#[test]
fn every_field_that_is_named_like_a_number_of_an_object_is_one() {
    let like = |name: &str| {
        let ends = ["qpn", "cqn", "eqn", "srqn", "rmpn", "sqn", "rqn", "tisn", "tirn"];
        ends.iter().any(|end| name.ends_with(end)) || ["pd", "uar", "uar_page"].contains(&name)
    };
    let mut seen = 0;
    for layout in layouts() {
        for field in layout.fields.iter().filter(|field| like(field.name) && field.width > 1) {
            let class = class_of(field);
            assert_eq!(class, Some(Class::Qpn), "{}.{}", layout.name, field.name);
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen} fields");
}

#[test]
fn sequence_numbers_and_signatures_are_known() {
    for (end, class) in [("psn", Class::Counters), ("signature", Class::Derived)] {
        let fields = layouts().iter().flat_map(|layout| layout.fields);
        let mut fields = fields.filter(|field| field.name.ends_with(end) && field.width > 1);
        assert!(fields.all(|field| class_of(field) == Some(class)), "{end}");
    }
}
