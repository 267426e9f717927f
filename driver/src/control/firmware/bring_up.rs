//! Bringing a card up, and down again: the steps of `mlx5_core`, in its order
//! (`mlx5_function_setup`). Left out: health polling, the pages event queue, and everything for
//! Ethernet: no program of this project needs them. The asynchronous event queue is created when
//! somebody asks for events.

use super::super::{ControlError, Link, PortAddress};
use super::command_queue::{CommandQueue, LARGEST};
use super::events::EventQueues;
use super::{Firmware, Held};
use crate::bus::{Memory, PAGE_SIZE, Purpose, Registers};
use doorbell_prm::commands::*;
use doorbell_prm::registers::init_segment::{COMMAND_INTERFACE_REVISION, offset};
use doorbell_tracer::{Group, MapRequest, RegionId, Role, Site, Tracer, probe, site};
use std::sync::{Arc, Mutex};

const PROBE_GROUP: Group = Group::Control;

/// How often the card is looked at while it starts.
const POLLS: u32 = 1_000_000;

/// Entries of the event queue, as a base-2 logarithm: one page.
const LOG_EVENTS: u8 = 6;

/// Our address where nobody has given us one. A card on a wire gets it from its administrator, see
/// [`Registers::network_address`]; where nothing leaves the card, an address from the range for
/// documentation does.
const ADDRESS: PortAddress = PortAddress {
    gid: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1],
    gid_index: 0,
    lid: 0,
    link: Link::Ethernet,
    mac: [0x02, 0, 0, 0, 0, 1],
};

impl<R: Registers> Firmware<R> {
    // ANCHOR: bring_up
    /// Brings a card up, from reset to the first event queue.
    pub fn bring_up(
        registers: Arc<R>,
        memory: Arc<Memory>,
        tracer: &Tracer,
    ) -> Result<Self, ControlError> {
        probe!(*tracer, call("mlx5_core: bring up", []));
        let segment = announce(tracer);
        wait_for_firmware(&*registers, segment, tracer)?;
        check_interface(&*registers, segment, tracer)?;
        let commands = CommandQueue::new(&memory, segment, tracer)?;
        set_command_queue(&*registers, &commands, tracer);
        let mut firmware = Self {
            registers,
            memory,
            commands: Mutex::new(commands),
            tracer: tracer.clone(),
            events: EventQueues::default(),
            held: Held::default(),
        };
        firmware.enable()?;
        firmware.give_pages(PagesStage::Boot)?;
        firmware.set_capabilities()?;
        firmware.give_pages(PagesStage::Init)?;
        firmware.initialize()?;
        firmware.create_event_queue()?;
        firmware.find_address()?;
        probe!(*tracer, returned("mlx5_core: bring up", 0_u32));
        Ok(firmware)
    }
    // ANCHOR_END: bring_up

    // ANCHOR: enable_hca
    /// Makes the function usable, and agrees on version 1 of the interface.
    fn enable(&mut self) -> Result<(), ControlError> {
        self.simple(&EnableHcaIn::new())?;
        self.held.enabled = true;
        let supported = self.simple(&QueryIssiIn::new())?.supported_issi_dw0();
        if supported & 2 == 0 {
            return Err(ControlError::Unfit {
                what: "set of interface versions",
                found: supported.into(),
                needed: "version 1 (bit 1)",
            });
        }
        let mut input = SetIssiIn::new();
        input.set_current_issi(1);
        self.simple(&input).map(drop)
    }
    // ANCHOR_END: enable_hca

    // ANCHOR: give_pages
    /// Gives the firmware the memory that it wants at this stage: a ConnectX keeps its objects in
    /// pages of the host. (`mlx5_satisfy_startup_pages`)
    fn give_pages(&mut self, stage: PagesStage) -> Result<(), ControlError> {
        let mut query = QueryPagesIn::new();
        query.set_op_mod(stage as u16);
        let wanted = self.simple(&query)?.num_pages() as i32;
        let Ok(wanted) = usize::try_from(wanted) else { return Ok(()) };
        if wanted == 0 {
            return Ok(());
        }
        static PLACE: Site = site!();
        let region = self.memory.allocate(wanted * PAGE_SIZE)?;
        let purpose =
            Purpose { role: Role::Pages, name: "pages for the firmware", stride: 4096, object: 0 };
        self.tracer.map(&PLACE, region.request(0, region.length(), purpose));
        let pages: Vec<u64> = region.pages().collect();
        self.held.pages.push(region);
        for pages in pages.chunks((LARGEST - ManagePagesIn::SIZE) / 8) {
            let mut input = ManagePagesIn::new();
            input.set_op_mod(PagesAction::Give as u16).set_input_num_entries(pages.len() as u32);
            self.command(&input, &addresses(pages), 0)?;
        }
        Ok(())
    }
    // ANCHOR_END: give_pages

    // ANCHOR: init_hca
    /// Starts the function. Only from here on can there be objects.
    fn initialize(&mut self) -> Result<(), ControlError> {
        self.simple(&InitHcaIn::new())?;
        self.held.initialized = true;
        Ok(())
    }
    // ANCHOR_END: init_hca

    // ANCHOR: create_eq
    /// An event queue, because each completion queue must name one. Those that poll name this one,
    /// and no event ever comes; those of a channel name the channel's.
    fn create_event_queue(&mut self) -> Result<(), ControlError> {
        let uar = self.simple(&AllocUarIn::new())?.uar();
        let ring = self.memory.allocate(64 << LOG_EVENTS)?;
        static PLACE: Site = site!();
        let purpose =
            |object| Purpose { role: Role::EventQueue, name: "event queue", stride: 64, object };
        let region = self.tracer.map(&PLACE, ring.request(0, ring.length(), purpose(0)));
        // The owner bit of the turn before the first: no entry is new yet.
        let mut entry = [0; 64];
        entry[63] = 1;
        let entries = entry.repeat(1 << LOG_EVENTS);
        ring.write_bytes(0, &entries);
        probe!(self.tracer, store(region, 0, "", &entries); from "owner" = "MLX5_EQE_OWNER_INIT_VAL");
        let mut input = CreateEqIn::new();
        input.eq_context_entry_mut().set_log_eq_size(LOG_EVENTS).set_uar_page(uar);
        let pages: Vec<u64> = ring.pages().collect();
        let (output, _) = self.command(&input, &addresses(&pages), 0)?;
        let number = output.eq_number();
        self.tracer.remap(&PLACE, region, ring.request(0, ring.length(), purpose(number.into())));
        self.held.events = Some((number, uar, ring));
        Ok(())
    }
    // ANCHOR_END: create_eq

    // ANCHOR: port_link
    /// What the port is called: over Ethernet what we tell the card, in an InfiniBand subnet what
    /// the card was told by the subnet manager.
    fn find_address(&mut self) -> Result<(), ControlError> {
        let address = if self.held.ethernet { self.set_roce_address()? } else { self.query_lid()? };
        self.held.address = Some(address);
        Ok(())
    }

    /// The LID, and the first GID, of an InfiniBand port.
    fn query_lid(&self) -> Result<PortAddress, ControlError> {
        let mut query = QueryHcaVportContextIn::new();
        query.set_port_num(1);
        let answer = self.simple(&query)?;
        let mut query = QueryHcaVportGidIn::new();
        query.set_port_num(1);
        let (_, gids) = self.command(&query, &[], size_of::<[u8; 16]>())?;
        let gid = gids.first_chunk().copied().unwrap_or_default();
        let lid = answer.hca_vport_context().lid();
        Ok(PortAddress { gid, gid_index: 0, lid, link: Link::InfiniBand, mac: [0; 6] })
    }
    // ANCHOR_END: port_link

    // ANCHOR: set_roce_address
    /// Tells the card its address, at index 0 of its table: the source of the packets it will make.
    fn set_roce_address(&self) -> Result<PortAddress, ControlError> {
        let given = self.registers.network_address();
        let address = given.map_or(ADDRESS, |(mac, [a, b, c, d])| PortAddress {
            gid: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d],
            mac,
            ..ADDRESS
        });
        let mut input = SetRoceAddressIn::new();
        let [high @ .., a, b, c, d] = address.mac;
        input
            .roce_address_mut()
            .set_source_l3_address(address.gid)
            .set_source_mac_47_32(u16::from_be_bytes(high))
            .set_source_mac_31_0(u32::from_be_bytes([a, b, c, d]))
            .set_roce_l3_type(0)
            .set_roce_version(2);
        input.set_vhca_port_num(1);
        self.simple(&input)?;
        Ok(address)
    }
    // ANCHOR_END: set_roce_address
}

impl<R: Registers> Drop for Firmware<R> {
    // ANCHOR: tear_down
    /// The way back, in reverse order, as far as the way up went.
    fn drop(&mut self) {
        self.give_events_back();
        if let Some((number, uar, _ring)) = self.held.events.take() {
            let mut input = DestroyEqIn::new();
            self.give_back(input.set_eq_number(number));
            let mut input = DeallocUarIn::new();
            self.give_back(input.set_uar(uar));
        }
        if self.held.initialized {
            self.give_back(&TeardownHcaIn::new());
        }
        for pages in std::mem::take(&mut self.held.pages) {
            let count = (pages.length() / PAGE_SIZE) as u32;
            let mut input = ManagePagesIn::new();
            input.set_op_mod(PagesAction::Take as u16).set_input_num_entries(count);
            let _ = self.command(&input, &[], count as usize * 8);
        }
        if self.held.enabled {
            self.give_back(&DisableHcaIn::new());
        }
    }
    // ANCHOR_END: tear_down
}

/// Page addresses as commands carry them.
pub(super) fn addresses(pages: &[u64]) -> Vec<u8> {
    pages.iter().flat_map(|page| page.to_be_bytes()).collect()
}

// ANCHOR: init_segment
/// Tells the trace of the initialization segment: the beginning of BAR 0.
fn announce(tracer: &Tracer) -> RegionId {
    static PLACE: Site = site!();
    tracer.map(
        &PLACE,
        MapRequest {
            role: Role::InitSegment,
            name: "initialization segment".to_owned(),
            address: 0,
            length: PAGE_SIZE,
            stride: 0,
            object: 0,
        },
    )
}

/// Reads a word of it.
fn read<R: Registers>(
    registers: &R,
    segment: RegionId,
    at: u64,
    name: &'static str,
    tracer: &Tracer,
) -> u32 {
    let value = registers.read(at as usize);
    probe!(*tracer, register_read(segment, at as usize, name, &value.to_be_bytes()));
    value
}

/// Waits until the firmware has started by itself.
fn wait_for_firmware<R: Registers>(
    registers: &R,
    segment: RegionId,
    tracer: &Tracer,
) -> Result<(), ControlError> {
    const INITIALIZING: u32 = 1 << 31;
    for _ in 0..POLLS {
        if read(registers, segment, offset::INITIALIZING, "initializing", tracer) & INITIALIZING
            == 0
        {
            return Ok(());
        }
        registers.relax();
    }
    Err(ControlError::Silent { what: "its own start", polls: POLLS })
}

/// Checks that commands have the form that this driver knows.
fn check_interface<R: Registers>(
    registers: &R,
    segment: RegionId,
    tracer: &Tracer,
) -> Result<(), ControlError> {
    let revision =
        read(registers, segment, offset::COMMAND_INTERFACE_REVISION, "cmd_interface_rev", tracer)
            >> 16;
    if revision != u32::from(COMMAND_INTERFACE_REVISION) {
        return Err(ControlError::Unfit {
            what: "command interface revision",
            found: revision.into(),
            needed: "5",
        });
    }
    let shape =
        read(registers, segment, offset::COMMAND_QUEUE_ADDRESS_LOW, "cmdq size and stride", tracer);
    let stride = shape & 0xf;
    if stride != 6 {
        return Err(ControlError::Unfit {
            what: "command slot size (base-2 logarithm)",
            found: stride.into(),
            needed: "6",
        });
    }
    Ok(())
}

/// Tells the card where the command queue is: the upper half first, the lower half completes it.
fn set_command_queue<R: Registers>(registers: &R, commands: &CommandQueue, tracer: &Tracer) {
    let address = commands.address();
    let halves = [
        (
            offset::COMMAND_QUEUE_ADDRESS_HIGH as usize,
            (address >> 32) as u32,
            "cmdq_phy_addr_63_32",
        ),
        (offset::COMMAND_QUEUE_ADDRESS_LOW as usize, address as u32, "cmdq_phy_addr_31_12"),
    ];
    for (at, half, name) in halves {
        registers.write(at, half);
        probe!(*tracer, register_write(commands.registers, at, name, "", &half.to_be_bytes()));
    }
}
// ANCHOR_END: init_segment
