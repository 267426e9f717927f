//! The port: its state, its addresses, and the registers behind ACCESS_REG.

use crate::administration::{Answer, Given, plain};
use crate::card::Card;
use crate::config::CardConfig;
use crate::fabric::{ROCE_ADDRESSES, ROCE_V2};
use crate::infiniband::*;
use crate::reason::Reason;
use doorbell_prm::commands::*;

/// In a query's index: the whole table.
const WHOLE_TABLE: u16 = 0xffff;
/// In `roce_l3_type`: IPv4.
const L3_IPV4: u8 = 0;

impl Card {
    // ANCHOR: card_port
    pub(crate) fn query_vport_context(
        &mut self,
        given: Given<'_, QueryHcaVportContextIn>,
    ) -> Answer<QueryHcaVportContextOut> {
        only_port(given.input.port_num(), given.input.other_vport())?;
        let mut output = QueryHcaVportContextOut::zeroed();
        output
            .hca_vport_context_mut()
            .set_port_physical_state(self.physical_state())
            .set_port_state(self.cable.state.code())
            .set_vport_state(self.cable.state.code())
            .set_system_image_guid(self.config.node_guid)
            .set_node_guid(self.config.node_guid)
            .set_port_guid(self.config.port_guid);
        let context = output.hca_vport_context_mut();
        match self.lid() {
            None => context.set_grh_required(true),
            Some(lid) => context
                .set_lid(lid)
                .set_has_smi(true)
                .set_cap_mask1(self.port_registers.capabilities)
                .set_cap_mask1_field_select(ANNOUNCED_BY_SOFTWARE)
                .set_subnet_timeout(SUBNET_TIMEOUT),
        };
        plain(output)
    }

    /// What software announces that it does at the port; nothing else of it can be changed.
    pub(crate) fn modify_vport_context(
        &mut self,
        given: Given<'_, ModifyHcaVportContextIn>,
    ) -> Answer<ModifyHcaVportContextOut> {
        only_port(given.input.port_num(), given.input.other_vport())?;
        let wanted = given.input.hca_vport_context();
        let selected = wanted.cap_mask1_field_select();
        if wanted.field_select() != 0 || selected & !ANNOUNCED_BY_SOFTWARE != 0 {
            return Err(Reason::ReadOnlyPort);
        }
        let capabilities = &mut self.port_registers.capabilities;
        *capabilities = *capabilities & !selected | wanted.cap_mask1() & selected;
        plain(ModifyHcaVportContextOut::zeroed())
    }

    /// GIDs of the port: the addresses of the RoCE table.
    pub(crate) fn query_vport_gid(
        &mut self,
        given: Given<'_, QueryHcaVportGidIn>,
    ) -> Answer<QueryHcaVportGidOut> {
        only_port(given.input.port_num(), given.input.other_vport())?;
        let entries = self.lid().map_or(ROCE_ADDRESSES, |_| GIDS);
        let (first, count) = range(given.input.gid_index(), entries)?;
        let count = count.min(given.room.saturating_sub(QueryHcaVportGidOut::SIZE) / 16);
        let list = (first..first + count).flat_map(|index| match self.lid() {
            Some(_) => self.gid(index),
            None => self.roce.get(index).map_or([0; 16], |entry| entry.source_l3_address()),
        });
        let list = list.collect();
        let mut output = QueryHcaVportGidOut::zeroed();
        output.set_gids_num(count as u16);
        Ok((output, list))
    }

    pub(crate) fn query_vport_pkey(
        &mut self,
        given: Given<'_, QueryHcaVportPkeyIn>,
    ) -> Answer<QueryHcaVportPkeyOut> {
        only_port(given.input.port_num(), given.input.other_vport())?;
        let entries = self.lid().map_or(1, |_| PARTITION_KEYS);
        let (first, count) = range(given.input.pkey_index(), entries)?;
        let count = count.min(given.room.saturating_sub(QueryHcaVportPkeyOut::SIZE) / 4);
        // The first entry is the default partition; the others are empty.
        let key = |index: usize| if index == 0 { u32::from(DEFAULT_PKEY) } else { 0 };
        let list = (first..first + count).flat_map(|index| key(index).to_be_bytes());
        Ok((QueryHcaVportPkeyOut::zeroed(), list.collect()))
    }

    pub(crate) fn set_roce_address(
        &mut self,
        given: Given<'_, SetRoceAddressIn>,
    ) -> Answer<SetRoceAddressOut> {
        let address = given.input.roce_address();
        let supported = address.roce_version() == ROCE_V2
            && address.roce_l3_type() == L3_IPV4
            && !address.vlan_valid();
        let empty = *address == RoceAddress::zeroed();
        if !supported && !empty {
            return Err(Reason::AddressKind);
        }
        let entry = self.roce.get_mut(given.input.roce_address_index().into());
        *entry.ok_or(Reason::TableIndex)? = *address;
        plain(SetRoceAddressOut::zeroed())
    }

    pub(crate) fn query_roce_address(
        &mut self,
        given: Given<'_, QueryRoceAddressIn>,
    ) -> Answer<QueryRoceAddressOut> {
        let entry = self.roce.get(given.input.roce_address_index().into());
        let mut output = QueryRoceAddressOut::zeroed();
        *output.roce_address_mut() = *entry.ok_or(Reason::TableIndex)?;
        plain(output)
    }

    /// Registers that are reached through a command: `op_mod` 1 reads, 0 writes.
    pub(crate) fn access_register(
        &mut self,
        given: Given<'_, AccessRegisterIn>,
    ) -> Answer<AccessRegisterOut> {
        let writes = match given.input.op_mod() {
            0 => true,
            1 => false,
            _ => return Err(Reason::UnknownVariant),
        };
        let registers = &mut self.port_registers;
        let register = match RegisterId::from_code(given.input.register_id()) {
            Some(RegisterId::HostEndianness) => &mut registers.host_endianness[..],
            Some(RegisterId::NodeDescription) => &mut registers.node_description[..],
            Some(_) if writes => return Err(Reason::ReadOnlyRegister),
            Some(RegisterId::Ptys) => &mut registers.link[..],
            Some(RegisterId::Pmtu) => &mut registers.mtu[..],
            Some(RegisterId::Pvlc) => &mut registers.lanes[..],
            None => return Err(Reason::UnknownRegister),
        };
        if writes {
            let value = given.tail.get(..register.len());
            register.copy_from_slice(value.ok_or(Reason::InputTooShort)?);
        }
        Ok((AccessRegisterOut::zeroed(), register.to_vec()))
    }
    // ANCHOR_END: card_port
}

/// What the registers behind ACCESS_REG hold.
#[derive(Debug, Clone)]
pub(crate) struct PortRegisters {
    host_endianness: [u8; 16],
    pub(crate) node_description: [u8; 64],
    /// Capability mask of an InfiniBand port.
    pub(crate) capabilities: u32,
    pub(crate) link: Vec<u8>,
    mtu: Vec<u8>,
    lanes: Vec<u8>,
}

impl PortRegisters {
    pub(crate) fn new(config: &CardConfig) -> Self {
        let mut node_description = [0; 64];
        let name = b"doorbell software card";
        node_description[..name.len()].copy_from_slice(name);
        Self {
            host_endianness: [0; 16],
            node_description,
            capabilities: PORT_CAPABILITIES,
            link: link_register(config, true),
            mtu: mtu_register(),
            lanes: lanes_register(),
        }
    }
}

fn only_port(port: u8, other_vport: bool) -> Result<(), Reason> {
    match (port, other_vport) {
        (0 | 1, false) => Ok(()),
        (_, true) => Err(Reason::OtherFunction),
        _ => Err(Reason::PortNumber),
    }
}

/// The entries of a table that an index means: one, or all.
fn range(index: u16, entries: usize) -> Result<(usize, usize), Reason> {
    match usize::from(index) {
        _ if index == WHOLE_TABLE => Ok((0, entries)),
        index if index < entries => Ok((index, 1)),
        _ => Err(Reason::TableIndex),
    }
}
