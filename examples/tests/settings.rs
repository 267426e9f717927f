//! Every scenario under every setting that makes sense moves its data and completes; what makes no sense is
//! refused, with key, value and what is allowed.

use doorbell_driver::verbs::Opcode;
use doorbell_examples::{
    Device, Form, Key, MAX_INLINE, Scenario, Settings, SettingsError, Topic, Value, WhatIf,
    record_with, run, scenario, scenarios,
};
use doorbell_tracer::{Kind, file};

/// A what-if from its text.
fn what_if(text: &str) -> WhatIf {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Runs a scenario; `None` if the settings make no sense.
fn tried(scenario: &Scenario, text: &str) -> Option<Vec<String>> {
    let outcome = run(scenario, &Device::Card, &what_if(text)).ok()?;
    Some(outcome.unwrap_or_else(|why| panic!("{} with {text}: {why}", scenario.name)))
}

/// The values of a key that are tried: the ends and the middle.
fn values(key: Key) -> Vec<Value> {
    match key {
        Key::Length => [0, 1, 8, 64, 764, 5000].map(Value::Number).to_vec(),
        Key::List => [1, 3].map(Value::Number).to_vec(),
        Key::Sges => [1, 3].map(Value::Number).to_vec(),
        _ => key.choices(),
    }
}

/// Numbers that look random, the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// The settings that change the WQE or the way that it is handed over.
const OF_THE_GRID: [Key; 7] =
    [Key::Length, Key::Inline, Key::Sges, Key::List, Key::Signaled, Key::Fence, Key::BlueFlame];

/// Each value of each of these settings with each of the others, as far as the scenario has them.
fn grid(scenario: &Scenario) -> Vec<String> {
    let mut grid = vec![String::new()];
    for key in OF_THE_GRID.into_iter().filter(|key| scenario.keys.contains(key)) {
        let longer = |text: &String, value: &Value| match text.is_empty() {
            true => format!("{}={value}", key.name()),
            false => format!("{text},{}={value}", key.name()),
        };
        let values = values(key);
        grid = grid.iter().flat_map(|text| values.iter().map(move |v| longer(text, v))).collect();
    }
    grid
}

/// All of the grid for each opcode and transport: data and completions are checked by the program.
#[test]
fn the_grid_of_settings_moves_the_data() {
    let opcodes = scenarios().iter().filter(|scenario| scenario.topic == Topic::Opcodes);
    let counts: Vec<(&Scenario, usize, usize)> = std::thread::scope(|scope| {
        let one = |scenario: &'static Scenario| {
            let grid = grid(scenario);
            let done = grid.iter().filter(|text| tried(scenario, text).is_some()).count();
            (scenario, done, grid.len())
        };
        let running: Vec<_> = opcodes.map(|scenario| scope.spawn(move || one(scenario))).collect();
        running.into_iter().map(|running| running.join().expect("all of its grid runs")).collect()
    });
    let whole = counts
        .iter()
        .filter(|(scenario, ..)| OF_THE_GRID.iter().all(|key| scenario.keys.contains(key)));
    assert_eq!(whole.count(), 5, "the opcodes of a reliable connection that move messages");
    for (scenario, done, all) in counts {
        let name = scenario.name;
        assert!(done >= all / 3, "{name}: {done} of {all}");
        let binds = scenario.own.opcode == Opcode::BindMemoryWindow;
        let has_senseless = scenario.keys.contains(&Key::Sges) || binds;
        assert_eq!(
            done < all,
            has_senseless,
            "{name}: three elements have three bytes, a window one"
        );
        assert!(name != "rc-read" || done < all * 2 / 3, "inline makes no sense for a READ");
    }
}

/// Any settings of any scenario, as a seed has them.
#[test]
fn random_settings_move_the_data() {
    let seed = std::env::var("DOORBELL_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(1, |now| now.as_nanos() as u64 | 1)
    });
    println!("DOORBELL_SEED={seed}");
    let mut random = Random(seed);
    for scenario in scenarios().iter().filter(|scenario| scenario.failure.is_none()) {
        let mut done = 0;
        for _ in 0..30 {
            let mut parts = Vec::new();
            for key in scenario.keys {
                if random.below(2) == 0 {
                    let values = values(*key);
                    parts.push(format!("{}={}", key.name(), values[random.below(values.len())]));
                }
            }
            let text = if parts.is_empty() { "length=64".to_owned() } else { parts.join(",") };
            done += u32::from(tried(scenario, &text).is_some());
        }
        assert!(done > 5, "{}: only {done} made sense", scenario.name);
    }
}

/// Each setting by itself, with every value to choose from.
#[test]
fn each_setting_of_each_scenario_by_itself() {
    for scenario in scenarios().iter().filter(|scenario| scenario.failure.is_none()) {
        for key in scenario.keys {
            let mut done = 0;
            for value in key.choices() {
                let text = format!("{}={value}", key.name());
                done += u32::from(tried(scenario, &text).is_some());
            }
            assert!(done > 0, "{}: no value of {} makes sense", scenario.name, key.name());
        }
    }
}

#[test]
fn every_choice_is_one_that_can_be_typed() {
    for key in Key::ALL {
        assert!(key.choices().len() > 1, "{}", key.name());
        for value in key.choices() {
            let text = format!("{}={value}", key.name());
            assert_eq!(what_if(&text).to_string(), text);
            let mut settings = Settings::DEFAULT;
            settings.set(key, value);
            assert_eq!(settings.get(key), value, "{text}");
        }
        if let Form::Number(range) = key.form() {
            assert!(key.choices().contains(&Value::Number(*range.start())), "{}", key.name());
        }
    }
}

#[test]
fn a_failure_of_the_gallery_ends_as_it_should() {
    let gallery: Vec<_> = scenarios().iter().filter(|s| s.failure.is_some()).collect();
    assert_eq!(gallery.len(), 14);
    for scenario in gallery {
        assert_eq!(scenario.topic, Topic::Failures);
        let failure = scenario.failure.expect("filtered");
        assert_eq!(failure.scenario, scenario.name);
        let lines = tried(scenario, "mtu=512").expect("it makes sense");
        assert_eq!(lines.len(), 1);
        for (heading, text) in failure.explained() {
            assert!(text.ends_with('.') && !text.contains("  "), "{}: {heading}", scenario.name);
        }
    }
}

#[test]
fn a_failure_that_does_not_happen_is_told() {
    for (name, text) in [
        ("wrong-lkey", "inline=on"),
        ("enomem-too-many-sges", "sges=1"),
        ("enomem-inline-too-long", "length=16"),
        ("eopnotsupp-atomics", "atomics=on"),
        ("shared-blueflame", "length=28"),
        ("shared-blueflame", "inline=off"),
        ("shared-blueflame", "bf=forbid"),
    ] {
        let scenario = scenario(name).expect("a scenario");
        let outcome = run(scenario, &Device::Card, &what_if(text)).expect("it makes sense");
        let why = outcome.expect_err("it ends well");
        assert!(why.contains("but ended well"), "{name}: {why}");
    }
}

/// What a kind of scenario has that others have not.
#[test]
fn datagrams_and_disks_have_rules_of_their_own() {
    let refused = |name: &str, text: &str| {
        let scenario = scenario(name).expect("a scenario");
        scenario.settings(&what_if(text), &Device::Card).expect_err(text).to_string()
    };
    for (name, text, why) in [
        ("ud-send", "opcode=write", "use opcode=send or send-imm"),
        ("ud-send", "opcode=read", "a datagram is sent, and nothing else"),
        ("ud-send", "length=4097", "use length=0 to 4096"),
        ("nvmf-read", "length=0", "one at least"),
        ("nvmf-read", "length=513", "use a multiple of 512"),
    ] {
        let told = refused(name, text);
        assert!(told.contains(why), "{name} {text}: {told}");
    }
    for (name, text, line) in [
        ("ud-send", "length=4096,list=3", "received 12288 bytes from queue pair"),
        ("ud-send", "opcode=send-imm,list=2", "with immediate data 0x1002"),
        ("ud-send", "signaled=off,list=4", "an empty datagram behind them"),
        ("nvmf-read", "length=512", "512 bytes from block 16 on"),
        ("nvmf-read", "length=1048576,mtu=4096", "1048576 bytes from block 16 on"),
    ] {
        let lines = tried(scenario(name).expect("a scenario"), text).expect("it makes sense");
        assert!(lines[0].contains(line), "{name} {text}: {lines:?}");
    }
}

#[test]
fn what_is_no_setting_is_told_what_there_is() {
    let error = |text: &str| text.parse::<WhatIf>().expect_err(text).to_string();
    for (text, wanted) in [
        ("", "KEY=VALUE"),
        ("length", "\"length\""),
        ("lenght=3", "there are: transport, opcode, length"),
        ("length=1048577", "\"1048577\"; it can be: 0 to 1048576"),
        ("start=256", "\"256\"; it can be: 0 to 255"),
        ("register=mine", "own, shared, plain"),
        ("length=4k", "\"4k\""),
        ("length=-1", "\"-1\""),
        ("inline=yes", "on, off"),
        ("bf=never", "prefer, auto, forbid"),
        ("mtu=1500", "256, 512, 1024, 2048, 4096"),
        ("opcode=nop", "write, write-imm, send, send-imm, read, fetch-add, cmp-swap"),
        ("list=0", "\"0\"; it can be: 1 to 256"),
        ("sges=1,sges=2", "sges is set twice, to 1 and to \"2\""),
        ("length=1,,list=2", "\"\" is no setting"),
    ] {
        let said = error(text);
        assert!(said.contains(wanted), "{text}: {said}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_the_reason() {
    for (name, text, wanted) in [
        ("rc-read", "inline=on", "inline=on makes no sense here: an RDMA READ brings data in"),
        ("rc-write", "inline=on,length=765", "length=765 makes no sense here"),
        ("rc-write", "length=2,sges=3", "use sges=1 to 2"),
        ("rc-write", "length=0,sges=2", "use sges=1 to 1"),
        ("rc-write-list", "opcode=fetch-add", "length=16 makes no sense here: an atomic operation"),
        ("rc-write-sges", "opcode=fetch-add,length=8", "are not divided"),
        ("rc-write-list", "opcode=cmp-swap,length=8,inline=on", "an atomic operation brings"),
        ("rc-write-list", "opcode=fetch-add,length=8,solicited=on", "consumes no receive"),
        ("rc-window", "length=0", "is closed; use length=1 or more"),
        ("rc-write", "register=shared,bf=forbid", "without a lock"),
        ("rc-write", "length=65536,list=17", "use list=1 to 16"),
        ("rc-write", "solicited=on", "rc-write has no setting solicited (asked for: on)"),
        ("rc-write", "opcode=read", "it has: length, list"),
        ("rc-write-list", "solicited=on", "consumes no receive"),
    ] {
        let found = scenario(name).expect("a scenario");
        let error = found.settings(&what_if(text), &Device::Card).expect_err(text).to_string();
        assert!(error.contains(wanted), "{name} {text}: {error}");
    }
    let card = Device::Kernel("mlx5_0".to_owned());
    let found = scenario("rc-write").expect("a scenario");
    let error = found.settings(&what_if("bf=forbid"), &card).expect_err("the environment says it");
    assert!(error.to_string().contains("MLX5_SHUT_UP_BF=1"), "{error}");
    let error = found.settings(&what_if("register=shared"), &card).expect_err("so does this");
    assert!(error.to_string().contains("MLX5_NUM_LOW_LAT_UUARS=0"), "{error}");
    let error = found.settings(&what_if("signature=on"), &card).expect_err("so does this");
    assert!(error.to_string().contains("MLX5_QP_SIGNATURE=1"), "{error}");
    let found = scenario("eopnotsupp-atomics").expect("a scenario");
    let error = found.settings(&WhatIf::default(), &card).expect_err("a real card has them");
    assert!(error.to_string().contains("--device card"), "{error}");
}

/// The limit is the driver's own.
#[test]
fn the_most_inline_data_is_what_a_queue_pair_takes() {
    let write = scenario("rc-write").expect("a scenario");
    assert!(tried(write, &format!("inline=on,length={MAX_INLINE}")).is_some());
    let settings = Settings { inline: true, length: MAX_INLINE + 1, ..Settings::DEFAULT };
    let tracer = doorbell_tracer::Tracer::off();
    let context = doorbell_examples::World::new(Device::Card, &tracer).open().expect("a card");
    let error = doorbell_examples::Pair::of(&context, &settings).err().expect("too much");
    assert!(error.to_string().contains("more than the card takes"), "{error}");
}

#[test]
fn the_trace_says_what_was_changed_and_nothing_else() {
    let write = scenario("rc-write").expect("a scenario");
    let changed = "length=100,inline=on,signaled=on";
    let recording = record_with(write, &Device::Card, &what_if(changed)).expect("it makes sense");
    let settings = &recording.trace.header.settings;
    let told: Vec<_> = settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(told, ["inline=on", "length=100"], "signaled is on anyway");
    let mut bytes = Vec::new();
    let trace = &recording.trace;
    file::write(&trace.header, trace, &mut bytes, &file::Options::default()).expect("memory");
    let (loaded, warnings) = file::read("a test", bytes.as_slice()).expect("it opens");
    assert!(warnings.is_empty());
    assert_eq!(loaded.header().settings, *settings);
    let plain = record_with(write, &Device::Card, &WhatIf::default()).expect("it makes sense");
    let mut bytes = Vec::new();
    file::write(&plain.trace.header, &plain.trace, &mut bytes, &file::Options::default())
        .expect("memory");
    let header = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    assert!(!String::from_utf8_lossy(header).contains("\"settings\""));
}

/// What a setting does can be seen in the run.
#[test]
fn the_settings_reach_the_card() {
    let registers = |text: &str| {
        let write = scenario("rc-write").expect("a scenario");
        let recording = record_with(write, &Device::Card, &what_if(text)).expect("it makes sense");
        recording.outcome.expect("it ends well");
        let events = recording.trace.events.iter();
        let written = events.filter_map(|event| match &event.kind {
            Kind::RegisterWrite { register, .. } => Some(register.to_string()),
            Kind::Packet(packet) => Some(packet.name.to_string()),
            _ => None,
        });
        let written: Vec<String> = written.collect();
        let count = |name: &str| written.iter().filter(|other| other.contains(name)).count();
        (count("BlueFlame"), count("RDMA_WRITE"))
    };
    assert_eq!(registers("bf=prefer"), (1, 1));
    assert_eq!(registers("bf=auto"), (0, 1));
    assert_eq!(registers("bf=auto,inline=on,length=8"), (1, 1));
    assert_eq!(registers("bf=forbid,inline=on,length=8"), (0, 1));
    assert_eq!(registers("length=4096,mtu=256").1, 16);
    assert_eq!(registers("length=4096,mtu=4096").1, 1);
    // An empty write follows what is not signalled.
    assert_eq!(registers("signaled=off"), (2, 2));
    // What was before is posted in calls of four; one that posts one request goes to BlueFlame.
    assert_eq!(registers("start=1"), (2, 2));
    assert_eq!(registers("start=9"), (2, 10));
    assert_eq!(registers("register=plain"), (0, 1));
    assert_eq!(registers("register=shared"), (1, 1));
    assert_eq!(registers("length=0"), (1, 1));
}

#[test]
fn a_refusal_names_key_value_and_what_is_allowed() {
    let write = scenario("rc-write").expect("a scenario");
    let error = write.settings(&what_if("sges=30,length=4"), &Device::Card);
    assert!(matches!(
        error,
        Err(SettingsError::Senseless { key: Key::Sges, value: Value::Number(30), .. })
    ));
}
