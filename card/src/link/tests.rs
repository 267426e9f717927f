use super::*;

/// Sends numbered packets, one each microsecond, and answers the numbers in the order of arrival.
fn arrivals(seed: u64, faults: Faults, count: u32) -> Vec<u32> {
    let mut link = LossyLink::new(seed, faults);
    for number in 0..count {
        link.send(u64::from(number) * 1000, number.to_be_bytes().to_vec());
    }
    assert_eq!(link.count(), u64::from(count));
    let mut found = Vec::new();
    while let Some(arrival) = link.next_arrival() {
        assert!(arrival == 0 || link.receive(arrival - 1).is_none(), "not before its time");
        let packet = link.receive(arrival).expect("it has arrived");
        found.push(u32::from_be_bytes(packet.try_into().unwrap()));
    }
    found
}

#[test]
fn a_link_without_faults_changes_nothing() {
    let whole: Vec<u32> = (0..1000).collect();
    assert_eq!(arrivals(1, Faults::default(), 1000), whole);
    assert_eq!(arrivals(1, Faults { delay: 5_000_000, ..Faults::default() }, 1000), whole);
}

#[test]
fn each_fault_comes_as_often_as_asked() {
    let some = 2000..3000;
    let lost = arrivals(2, Faults { loss: 2500, ..Faults::default() }, 10_000);
    assert!(some.contains(&(10_000 - lost.len())), "{} arrived", lost.len());
    assert!(lost.is_sorted());
    let twice = arrivals(3, Faults { duplication: 2500, ..Faults::default() }, 10_000);
    assert!(some.contains(&(twice.len() - 10_000)), "{} arrived", twice.len());
    assert!(twice.is_sorted(), "without holding both come together");
    let faults = Faults { reordering: 2500, holding: 20_000, ..Faults::default() };
    let moved = arrivals(4, faults, 10_000);
    let overtaken = moved.windows(2).filter(|pair| pair[1] < pair[0]).count();
    assert!((1000..3000).contains(&overtaken), "{overtaken} were overtaken");
    let mut sorted = moved;
    sorted.sort_unstable();
    assert_eq!(sorted, (0..10_000).collect::<Vec<u32>>(), "none is lost and none comes twice");
}

#[test]
fn the_seed_decides_and_nothing_else() {
    let faults =
        Faults { loss: 1000, duplication: 1000, reordering: 1000, delay: 10, holding: 9000 };
    assert_eq!(arrivals(7, faults, 500), arrivals(7, faults, 500));
    assert_ne!(arrivals(7, faults, 500), arrivals(8, faults, 500));
}

#[test]
fn what_became_of_packets_is_counted() {
    let all = Faults { reordering: 10_000, duplication: 10_000, holding: 5, ..Faults::default() };
    let mut link = LossyLink::new(1, all);
    (0..3).for_each(|number| link.send(0, vec![number]));
    assert_eq!(link.fates(), Fates { lost: 0, duplicated: 3, held: 3 });
    link.set_faults(Faults { loss: 10_000, ..all });
    link.send(0, vec![3]);
    assert_eq!(link.fates(), Fates { lost: 1, duplicated: 3, held: 3 });
    link.set_faults(Faults::default());
    link.send(0, vec![4]);
    assert_eq!(link.fates(), Fates { lost: 1, duplicated: 3, held: 3 });
}
