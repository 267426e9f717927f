//! Programs of two processes, on software cards that are plugged into one network.

mod processes;

use processes::{Sides, address, alone, free_port};

/// Both sides end well; what they have printed.
fn both_work(program: &str, options: &[&str], (ours, theirs): (&str, &str)) -> [String; 2] {
    let sides = Sides::of(program, options, (&device(1, ours), &device(2, theirs)));
    sides.map(|side| {
        assert!(side.success, "{program} {options:?} {ours} {theirs}: {}{}", side.out, side.err);
        side.out
    })
}

/// A card of this test, with more options.
fn device(number: u8, more: &str) -> String {
    format!("card,address={}{more}", address(number))
}

#[test]
fn the_ping_pong_plays_between_two_processes() {
    for options in [
        &["-n", "30", "-c"][..],
        &["-n", "30", "-c", "-s", "32", "-g", "0"],
        &["-n", "30", "-c", "-e"],
        &["-n", "5", "-c", "-s", "65536", "-m", "4096", "-r", "2"],
    ] {
        for (text, other) in both_work("rc_pingpong", options, ("", "")).iter().zip([2, 1]) {
            let remote = format!("GID ::ffff:{}", address(other));
            assert!(text.contains(&remote), "{text}");
            assert!(!text.contains("both sides"), "{text}");
            assert_eq!(text.contains("completion events"), options.contains(&"-e"), "{text}");
        }
    }
}

#[test]
fn the_ping_pong_survives_a_bad_wire() {
    let options = ["-n", "40", "-c", "-s", "1024"];
    let bad = ",loss=0.1,duplicate=0.1,reorder=0.1,delay=100us";
    for seed in [1, 2] {
        let wires = [seed, seed + 10].map(|seed| format!("{bad},seed={seed}"));
        for text in both_work("rc_pingpong", &options, (&wires[0], &wires[1])) {
            let (_, misfortunes) = text.split_once("on purpose ").expect(&text);
            let digits = |word: &&str| word.chars().all(|letter| letter.is_ascii_digit());
            let counts: Vec<&str> = misfortunes.split_whitespace().filter(digits).collect();
            assert_eq!(counts.len(), 3, "{text}");
            assert!(!counts.contains(&"0"), "each has happened: {text}");
        }
    }
}

#[test]
fn the_unreliable_ping_pongs_play_too() {
    for (program, options) in [
        ("uc_pingpong", &["-n", "30", "-c"][..]),
        ("uc_pingpong", &["-n", "30", "-c", "-e", "-s", "20"]),
        ("ud_pingpong", &["-n", "30", "-c"]),
        ("ud_pingpong", &["-n", "30", "-c", "-e", "-s", "20"]),
    ] {
        for text in both_work(program, options, ("", "")) {
            // Nothing is acknowledged: as many messages as packets, but for those of several.
            let packets =
                if options.contains(&"-s") || program == "ud_pingpong" { 30 } else { 120 };
            assert!(text.contains(&format!("{packets} packets out, {packets} in")), "{text}");
        }
    }
}

#[test]
fn an_unreliable_ping_pong_ends_when_a_message_is_lost() {
    for program in ["uc_pingpong", "ud_pingpong"] {
        let options = ["-n", "5", "--timeout", "1"];
        let devices = [device(1, ""), device(2, ",loss=1")];
        for side in Sides::of(program, &options, (&devices[0], &devices[1])) {
            assert!(!side.success, "{program}: {}", side.out);
            assert!(side.err.contains("no completion came within 1 s"), "{program}: {}", side.err);
        }
    }
}

#[test]
fn atomics_of_two_processes_miss_no_count() {
    let bad = |seed| format!(",loss=0.05,duplicate=0.1,reorder=0.1,seed={seed}");
    let (ours, theirs) = (bad(3), bad(4));
    for (ours, theirs) in [("", ""), (&ours, &theirs)] {
        let [server, client] = both_work("atomics", &["-n", "40"], (ours, theirs));
        // Each side adds 2 to the power of 32, and counts 1 up, 40 times.
        assert!(server.contains("the sum is 0x5000000050: nothing is missing"), "{server}");
        assert!(client.contains("40 fetch-and-adds and 40 swaps"), "{client}");
    }
}

#[test]
fn bandwidth_and_latency_are_measured_of_each_operation() {
    for operation in ["write", "read", "send"] {
        let options = ["--op", operation, "-n", "60", "-s", "3000", "-t", "8"];
        let [server, client] = both_work("rdma_bw", &options, ("", ""));
        let figures = client.lines().find(|line| line.starts_with(" 3000 ")).expect(&client);
        let figures: Vec<f64> =
            figures.split_whitespace().map(|figure| figure.parse().expect(&client)).collect();
        let [size, iterations, rate, messages] = figures[..] else { panic!("{client}") };
        assert_eq!((size, iterations), (3000.0, 60.0));
        let of_messages = messages * 1e6 * 3000.0 / f64::from(1 << 20);
        assert!(rate > 0.0 && (rate - of_messages).abs() < 0.1 * rate.max(0.1), "{client}");
        assert!(client.contains("not of a ConnectX"), "{client}");
        assert_eq!(server.contains("lent its memory"), operation != "send", "{server}");

        let options = ["--op", operation, "-n", "60", "-s", "1500"];
        let [server, client] = both_work("rdma_lat", &options, ("", ""));
        let figures = client.lines().find(|line| line.starts_with(" 1500 ")).expect(&client);
        let figures: Vec<f64> =
            figures.split_whitespace().map(|figure| figure.parse().expect(&client)).collect();
        let [_, iterations, least, most, middle, average, _, nearly, almost] = figures[..] else {
            panic!("{client}")
        };
        assert_eq!(iterations, 60.0);
        let sorted = [0.0, least, middle, nearly, almost, most];
        assert!(sorted.is_sorted() && least > 0.0, "{client}");
        assert!((least..=most).contains(&average), "{client}");
        assert!(server.contains("this side answered"), "{server}");
    }
}

#[test]
fn blocks_are_read_over_nvme_from_process_to_process() {
    let bad = |seed| format!(",loss=0.05,duplicate=0.1,reorder=0.1,seed={seed}");
    let (ours, theirs) = (bad(5), bad(6));
    for (options, reads, bytes) in [
        (&["-n", "300"][..], 300, 300 * 4096),
        (&["-n", "40", "-s", "512", "-q", "1"], 40, 40 * 512),
        (&["-n", "5", "-s", "1048576", "-q", "2"], 5, 5 << 20),
    ] {
        for (ours, theirs) in [("", ""), (&ours, &theirs)] {
            let [target, host] = both_work("nvmf_read", options, (ours, theirs));
            let answered = format!("{reads} commands answered, {bytes} bytes written to the host");
            assert!(target.contains(&answered), "{target}");
            let read = format!("{reads} reads, {bytes} bytes: every response was of its command");
            assert!(host.contains(&read), "{host}");
        }
    }
}

#[test]
fn a_read_beyond_the_disk_ends_with_the_status_of_nvme() {
    let devices = [device(1, ""), device(2, "")];
    let options = ["-n", "20", "-q", "4"];
    let beyond = [&options[..], &["--first-block", "2041"]].concat();
    let [target, host] = Sides::with("nvmf_read", (&options, &beyond), (&devices[0], &devices[1]));
    assert!(target.success, "the target serves on: {}", target.err);
    assert!(target.out.contains("20 commands answered, 0 bytes written"), "{}", target.out);
    assert!(!host.success, "{}", host.out);
    let wanted = "command 0 ended with status 0x80 (LBA Out of Range)";
    assert!(host.err.contains(wanted), "{}", host.err);
}

#[test]
fn all_sizes_are_measured_one_after_the_other() {
    let sizes: Vec<u32> = (1..=13).map(|log| 1 << log).collect();
    for program in ["rdma_bw", "rdma_lat"] {
        for operation in ["write", "read", "send"] {
            let options = ["--op", operation, "-a", "-n", "20", "-s", "8192"];
            let [_, client] = both_work(program, &options, ("", ""));
            let rows = client.lines().filter_map(|line| {
                let mut figures = line.split_whitespace().map(str::parse::<f64>);
                let size = figures.next()?.ok()?;
                (figures.next()?.ok()? == 20.0).then_some(size as u32)
            });
            assert_eq!(rows.collect::<Vec<_>>(), sizes, "{program} {operation}: {client}");
        }
    }
}

#[test]
fn one_byte_is_measured_too_and_goes_round_more_often_than_it_has_values() {
    let options = ["--op", "write", "-n", "600", "-s", "1"];
    both_work("rdma_lat", &options, ("", ""));
}

#[test]
fn what_cannot_be_is_said_and_fails() {
    let said = |program: &str, options: &[&str]| {
        let side = alone(program, options);
        assert!(!side.success, "{program} {options:?}: {}", side.out);
        side.err
    };
    let (one, port) = (device(1, ""), free_port().to_string());
    let programs = ["rc_pingpong", "ud_pingpong", "rdma_bw", "rdma_lat", "atomics", "nvmf_read"];
    for program in programs {
        let nobody = said(program, &["-d", &one, "-p", &port, "localhost"]);
        assert!(nobody.contains("start the server there first"), "{nobody}");
        let lonely = said(program, &["-d", &one, "-p", &port, "--timeout", "0"]);
        assert!(lonely.contains("no client came"), "{lonely}");
        let elsewhere = said(program, &["-d", "card,address=192.0.2.7", "-p", &port]);
        assert!(elsewhere.contains("no address of this machine"), "{elsewhere}");
        let nonsense = said(program, &["-d", &device(1, ",loss=2")]);
        assert!(nonsense.contains("loss=2") && nonsense.contains("0 to 1"), "{nonsense}");
        let unwired = said(program, &["-d", "card", "-p", &port, "localhost"]);
        assert!(unwired.contains("card,address=127.0.0.2"), "{unwired}");

        let listener = std::net::TcpListener::bind("0.0.0.0:0").expect("a port");
        let taken = listener.local_addr().expect("bound").port().to_string();
        let busy = said(program, &["-d", &one, "-p", &taken]);
        assert!(busy.contains("choose another with --port"), "{busy}");
        // No other test has this address.
        let card = std::net::UdpSocket::bind((address(9), 4791)).expect("nobody has it");
        let there = said(program, &["-d", &device(9, ""), "-p", &port]);
        assert!(there.contains("another card has the address"), "{there}");
        drop(card);
    }
    let nothing = said("rdma_bw", &["--op", "swap"]);
    assert!(nothing.contains("write, read, send"), "{nothing}");
    let long = said("ud_pingpong", &["-s", "5000"]);
    assert!(long.contains("at most 4096 bytes"), "{long}");
    let large = said("rdma_bw", &["-d", &one, "-p", &port, "-s", "8388608"]);
    assert!(large.contains("use smaller queues or buffers"), "{large}");
}

#[test]
fn sides_with_different_options_do_not_measure() {
    let devices = [device(1, ""), device(2, "")];
    let server = ["--op", "write"];
    let client = ["--op", "read"];
    for side in Sides::with("rdma_bw", (&server, &client), (&devices[0], &devices[1])) {
        assert!(!side.success, "{}", side.out);
        assert!(side.err.contains("start both with the same options"), "{}", side.err);
    }
}

#[test]
fn a_scenario_runs_on_a_card_with_a_wire_as_well() {
    let side = alone("rc_write", &["--device", &device(1, ",loss=1")]);
    assert!(side.success, "its packets do not leave the card: {}", side.err);
    assert!(side.out.contains("64 bytes lie in the other queue pair's buffer"), "{}", side.out);
}
