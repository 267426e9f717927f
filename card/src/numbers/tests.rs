use super::*;
use proptest::prelude::*;

proptest! {
    /// Numbers are taken and given back in any order, a few that were never given out among them; each
    /// one taken is what a search for the lowest free one finds.
    #[test]
    fn the_lowest_free_number_is_given_out(
        count in 0_u32..40,
        takes in prop::collection::vec(prop::option::weighted(0.4, 0_u32..60), 0..200),
    ) {
        let mut numbers = Numbers::new(10, count);
        let mut taken = BTreeSet::new();
        for back in takes {
            match back {
                Some(number) => prop_assert_eq!(numbers.give_back(number), taken.remove(&number)),
                None => {
                    let lowest = (10..10 + count).find(|number| !taken.contains(number));
                    prop_assert_eq!(numbers.take().ok(), lowest);
                    taken.extend(lowest);
                }
            }
            prop_assert!((0..60).all(|number| numbers.contains(number) == taken.contains(&number)));
        }
    }
}
