use super::*;

fn wanted(max_wr: u32, max_sge: u32) -> SharedReceiveAttributes {
    SharedReceiveAttributes { max_wr, max_sge, srq_limit: 0 }
}

#[test]
fn sizes_are_those_of_libmlx5() {
    assert_eq!(sizes(wanted(1, 1)), Ok((1, 5)));
    assert_eq!(sizes(wanted(16, 1)), Ok((5, 5)));
    assert_eq!(sizes(wanted(15, 2)), Ok((4, 6)));
    assert_eq!(sizes(wanted(15, 31)), Ok((4, 9)));
    for (max_wr, max_sge, what) in
        [(0, 1, "max_wr"), (1 << 15, 1, "max_wr"), (1, 0, "max_sge"), (1, 32, "max_sge")]
    {
        let error = sizes(wanted(max_wr, max_sge)).expect_err(what).to_string();
        assert!(error.starts_with(what), "{error}");
    }
}
