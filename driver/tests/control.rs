//! Discovery, the table's defaults, resources, and a card that does not answer.

mod common;

use common::{ALL, Pair, SIZES, context};
use doorbell_driver::bus::{Bus, MappedPage, Memory, Registers};
use doorbell_driver::control::ControlError;
use doorbell_driver::control::firmware::Firmware;
use doorbell_driver::mlx5::{BlueFlameSettings, Mlx5, NoDoor};
use doorbell_driver::verbs::*;
use doorbell_tracer::{Clock, Full, Kind, Tracer};
use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

/// A place with one device of which nobody knows more.
struct Stranger;

impl Door for Stranger {
    fn place(&self) -> String {
        "a test".to_owned()
    }
    fn devices(&self) -> Result<Vec<DeviceInfo>, NothingThere> {
        Ok(vec![DeviceInfo { name: "rtl0".to_owned(), vendor: 0x10ec, device: 0x8168 }])
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A provider that fills nothing in.
struct Empty;

impl Provider for Empty {
    fn name(&self) -> &'static str {
        "empty"
    }
    fn matches(&self, _: &DeviceInfo) -> bool {
        true
    }
    fn open(&self, _: &Device, _: &Tracer) -> Result<Opened, VerbsError> {
        Ok(Opened { ops: NOT_SUPPORTED, traced_ops: NOT_SUPPORTED, provider: Box::new(()) })
    }
}

#[test]
fn no_door_means_an_empty_list_and_the_trace_says_why() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    let doors: Vec<Arc<dyn Door>> = vec![Arc::new(NoDoor)];
    assert!(get_device_list(&doors, &tracer).is_empty());
    let told = tracer.take().into_iter().any(|record| match record.kind {
        Kind::Discovery { subject, finding, found } => {
            !found && subject.contains("infiniband_verbs") && finding.contains("mlx5_ib")
        }
        _ => false,
    });
    assert!(told);
}

#[test]
fn a_device_that_no_provider_knows_is_named() {
    let tracer = Tracer::off();
    let doors: Vec<Arc<dyn Door>> = vec![Arc::new(Stranger)];
    let mut providers = Providers::new();
    providers.register(&Mlx5, &tracer);
    let devices = get_device_list(&doors, &tracer);
    let Err(error) = open_device(&devices[0], &providers, &tracer) else {
        panic!("opened");
    };
    assert!(error.to_string().contains("rtl0") && error.to_string().contains("0x10ec"), "{error}");
}

#[test]
fn slots_that_nobody_filled_say_so() {
    let tracer = Tracer::off();
    let doors: Vec<Arc<dyn Door>> = vec![Arc::new(Stranger)];
    let mut providers = Providers::new();
    providers.register(&Empty, &tracer);
    let devices = get_device_list(&doors, &tracer);
    let context = open_device(&devices[0], &providers, &tracer).expect("it opens");
    assert_eq!(context.alloc_pd().err(), Some(VerbsError::NotSupported { verb: "alloc_pd" }));
    assert_eq!(context.create_cq(1).err(), Some(VerbsError::NotSupported { verb: "create_cq" }));
    let buffer = context.alloc_buffer(1, "x").err();
    assert_eq!(buffer, Some(VerbsError::NotSupported { verb: "alloc_buffer" }));
    assert_eq!(context.query_gid().err(), Some(VerbsError::NotSupported { verb: "query_gid" }));
    assert_eq!(context.ops().name, "verbs_dummy_ops");
    context.relax();
}

/// A card whose registers read as zero, or as a card that starts and then says nothing.
struct Dead {
    alive: bool,
    memory: Arc<Memory>,
}

impl Bus for Dead {
    type Page = MappedPage;
}

impl Registers for Dead {
    fn read(&self, offset: usize) -> u32 {
        match (self.alive, offset) {
            (false, _) => u32::MAX,
            (true, 0x4) => 5 << 16,
            (true, 0x14) => 0x56,
            (true, _) => 0,
        }
    }
    fn write(&self, _: usize, _: u32) {}
    fn pci_device(&self) -> (u16, u8) {
        (0x101b, 0)
    }
    fn map_uar(&self, _: u32) -> MappedPage {
        panic!("nobody gets that far")
    }
    fn write_combining(&self) -> bool {
        true
    }
    fn interrupts(&self) -> u16 {
        0
    }
    fn wait_interrupt(&self, _: u16, _: Duration) -> bool {
        false
    }
    fn relax(&self) {}
}

#[test]
fn a_card_that_does_not_start_and_one_that_does_not_answer_are_given_up() {
    for (alive, silent) in [(false, "its own start"), (true, "ENABLE_HCA")] {
        let memory = Memory::new(64, 0x1000_0000);
        let dead = Dead { alive, memory: Arc::clone(&memory) };
        assert!(Arc::ptr_eq(&dead.memory, &memory));
        let Err(error) = Firmware::bring_up(Arc::new(dead), memory, &Tracer::off()) else {
            panic!("it came up");
        };
        assert!(matches!(error, ControlError::Silent { what, .. } if what == silent), "{error}");
    }
}

#[test]
fn transitions_out_of_order_are_refused_by_the_card() {
    let context = context(BlueFlameSettings::default(), &Tracer::off());
    let qp = common::unconnected(&context);
    let start =
        SendParameters { first_psn: 0, timeout: 1, retry_count: 1, rnr_retry: 1, max_rd_atomic: 1 };
    let error = qp.start(&start).unwrap_err().to_string();
    assert!(error.contains("RTR2RTS_QP") && error.contains("BAD_QP_STATE"), "{error}");
    assert_eq!(qp.state(), QueuePairState::Reset);
    qp.init(ALL).expect("INIT");
    assert_eq!(qp.state(), QueuePairState::Init);
}

#[test]
fn remote_rights_need_the_local_one() {
    let context = context(BlueFlameSettings::default(), &Tracer::off());
    let pd = context.alloc_pd().expect("a protection domain");
    let buffer = context.alloc_buffer(64, "x").expect("room");
    let Err(error) = pd.reg_mr(buffer, Access::REMOTE_WRITE) else {
        panic!("registered");
    };
    assert!(error.to_string().contains("LOCAL_WRITE"), "{error}");
}

#[test]
fn what_is_dropped_can_be_had_again() {
    let context = context(BlueFlameSettings::default(), &Tracer::off());
    for _ in 0..300 {
        // The card has 256 register pages and the context 4096 pages of memory.
        let pair = Pair::on(Arc::clone(&context), SIZES);
        drop(pair.memory(&[0; 1 << 16]));
    }
}

#[test]
fn memory_that_is_not_there_is_refused_with_what_there_is() {
    let context = context(BlueFlameSettings::default(), &Tracer::off());
    let Err(error) = context.alloc_buffer(1 << 30, "x") else {
        panic!("allocated");
    };
    assert!(matches!(error, VerbsError::OutOfMemory(_)), "{error}");
    assert!(context.create_cq(0).is_err() && context.create_cq(u32::MAX).is_err());
}
