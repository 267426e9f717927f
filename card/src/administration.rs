//! Which command does what: the table of opcodes, and what all commands have in common.

use crate::card::Card;
use crate::dma::Bus;
use crate::life::Needs;
use crate::reason::Reason;
use doorbell_prm::Layout;
use doorbell_prm::commands::*;
use doorbell_prm::zerocopy::{FromBytes, IntoBytes};

/// What a handler answers: the fixed output, and the variable part behind it.
pub(crate) type Answer<O> = Result<(O, Vec<u8>), Reason>;

/// An answer without a variable part.
pub(crate) fn plain<O>(output: O) -> Answer<O> {
    Ok((output, Vec::new()))
}

/// A command as a handler gets it.
pub(crate) struct Given<'a, I> {
    pub(crate) input: &'a I,
    /// What follows the fixed input.
    pub(crate) tail: &'a [u8],
    /// How many bytes of output there is room for.
    pub(crate) room: usize,
}

impl Card {
    // ANCHOR: card_administration
    /// Carries out a command and answers its output.
    pub(crate) fn execute(&mut self, input: &[u8], room: u32, bus: &mut Bus<'_>) -> Vec<u8> {
        use CommandOpcode::*;
        use Needs::*;
        let header = CommandInputHeader::read_from_prefix(input);
        let opcode = header.map_or(0, |(header, _)| header.opcode());
        let Some(opcode) = CommandOpcode::from_code(opcode) else {
            return refused(Reason::UnknownOpcode);
        };
        let given = (input, room as usize);
        match opcode {
            EnableHca => self.handle(given, Off, |card, given| card.enable_hca(given, bus)),
            DisableHca => self.handle(given, Stopped, |card, given| card.disable_hca(given, bus)),
            QueryIssi => self.handle(given, Enabled, Self::query_issi),
            SetIssi => self.handle(given, Enabled, Self::set_issi),
            QueryPages => self.handle(given, Enabled, Self::query_pages),
            ManagePages => self.handle(given, Enabled, Self::manage_pages),
            QueryHcaCap => self.handle(given, Booted, Self::query_hca_cap),
            SetHcaCap => self.handle(given, BeforeInit, Self::set_hca_cap),
            InitHca => self.handle(given, BeforeInit, |card, given| card.init_hca(given, bus)),
            TeardownHca => {
                self.handle(given, Initialized, |card, given| card.teardown_hca(given, bus))
            }
            QueryAdapter => self.handle(given, Booted, Self::query_adapter),
            AccessReg => self.handle(given, Booted, Self::access_register),
            SetDriverVersion => self.handle(given, Initialized, Self::set_driver_version),
            QuerySpecialContexts => self.handle(given, Initialized, Self::query_special_contexts),
            QueryHcaVportContext => self.handle(given, Initialized, Self::query_vport_context),
            QueryHcaVportGid => self.handle(given, Initialized, Self::query_vport_gid),
            QueryHcaVportPkey => self.handle(given, Initialized, Self::query_vport_pkey),
            SetRoceAddress => self.handle(given, Initialized, Self::set_roce_address),
            QueryRoceAddress => self.handle(given, Initialized, Self::query_roce_address),
            AllocPd => self.handle(given, Initialized, Self::alloc_pd),
            DeallocPd => self.handle(given, Initialized, Self::dealloc_pd),
            AllocUar => self.handle(given, Initialized, Self::alloc_uar),
            DeallocUar => self.handle(given, Initialized, Self::dealloc_uar),
            CreateMkey => self.handle(given, Initialized, Self::create_mkey),
            DestroyMkey => self.handle(given, Initialized, Self::destroy_mkey),
            CreateEq => self.handle(given, Initialized, Self::create_eq),
            DestroyEq => self.handle(given, Initialized, Self::destroy_eq),
            CreateCq => self.handle(given, Initialized, Self::create_cq),
            DestroyCq => self.handle(given, Initialized, Self::destroy_cq),
            CreateQp => self.handle(given, Initialized, |card, given| card.create_qp(given, bus)),
            DestroyQp => self.handle(given, Initialized, Self::destroy_qp),
            QueryQp => self.handle(given, Initialized, Self::query_qp),
            Rst2initQp => self.handle(given, Initialized, |card, given| card.rst2init(given, bus)),
            Init2rtrQp => self.handle(given, Initialized, |card, given| card.init2rtr(given, bus)),
            Rtr2rtsQp => self.handle(given, Initialized, |card, given| card.rtr2rts(given, bus)),
            Init2initQp => self.handle(given, Initialized, Self::init2init),
            Rts2rtsQp => self.handle(given, Initialized, Self::rts2rts),
            Sqerr2rtsQp => self.handle(given, Initialized, Self::sqerr2rts),
            CreateSq => self.handle(given, Initialized, Self::create_sq),
            ModifySq => self.handle(given, Initialized, |card, given| card.modify_sq(given, bus)),
            DestroySq => self.handle(given, Initialized, Self::destroy_sq),
            QuerySq => self.handle(given, Initialized, Self::query_sq),
            CreateRmp => self.handle(given, Initialized, Self::create_rmp),
            ModifyRmp => self.handle(given, Initialized, Self::modify_rmp),
            DestroyRmp => self.handle(given, Initialized, Self::destroy_rmp),
            QueryRmp => self.handle(given, Initialized, Self::query_rmp),
            CreateXrcSrq => self.handle(given, Initialized, Self::create_xrc_srq),
            DestroyXrcSrq => self.handle(given, Initialized, Self::destroy_xrc_srq),
            QueryXrcSrq => self.handle(given, Initialized, Self::query_xrc_srq),
            ArmXrcSrq => self.handle(given, Initialized, Self::arm_xrc_srq),
            AllocXrcd => self.handle(given, Initialized, Self::alloc_xrcd),
            DeallocXrcd => self.handle(given, Initialized, Self::dealloc_xrcd),
            AllocTransportDomain => self.handle(given, Initialized, Self::alloc_transport_domain),
            DeallocTransportDomain => {
                self.handle(given, Initialized, Self::dealloc_transport_domain)
            }
            CreateUctx => self.handle(given, Initialized, Self::create_user),
            DestroyUctx => self.handle(given, Initialized, Self::destroy_user),
            AllocQCounter => self.handle(given, Initialized, Self::alloc_q_counter),
            DeallocQCounter => self.handle(given, Initialized, Self::dealloc_q_counter),
            QueryQCounter => self.handle(given, Initialized, Self::query_q_counter),
            QueryVportCounter => self.handle(given, Initialized, Self::query_vport_counter),
            ModifyHcaVportContext => self.handle(given, Initialized, Self::modify_vport_context),
            MadIfc => self.handle(given, Initialized, Self::mad_ifc),
            ToErrQp => self.handle(given, Initialized, |card, given| card.fail_qp(given, bus)),
            ToRstQp => self.handle(given, Initialized, |card, given| card.reset_qp(given, bus)),
        }
    }

    /// The frame around every handler: lengths, user context, the stage of bring-up; then the
    /// handler; then status and syndrome.
    fn handle<I: CommandInput>(
        &mut self,
        (bytes, room): (&[u8], usize),
        needs: Needs,
        handler: impl FnOnce(&mut Self, Given<'_, I>) -> Answer<I::Output>,
    ) -> Vec<u8> {
        let Ok((input, tail)) = I::ref_from_prefix(bytes) else {
            return refused(Reason::InputTooShort);
        };
        if room < <I::Output as Layout>::LAYOUT.size {
            return refused(Reason::OutputTooShort);
        }
        let user = bytes.get(2..4).map_or(0, |uid| u16::from_be_bytes([uid[0], uid[1]]));
        if !self.numbers.has_user(user) {
            return refused(Reason::UserContext);
        }
        let permitted = self.life.permits(needs, &self.config);
        let given = Given { input, tail, room };
        match permitted.and_then(|()| handler(self, given)) {
            Ok((mut output, tail)) => {
                output.set_outcome(CommandStatus::Ok.code(), 0);
                let mut bytes = output.as_bytes().to_vec();
                bytes.extend(tail);
                bytes
            }
            Err(reason) => refused(reason),
        }
    }
    // ANCHOR_END: card_administration
}

/// The output of a command that was refused.
fn refused(reason: Reason) -> Vec<u8> {
    let mut output = CommandOutputHeader::zeroed();
    output.set_status(reason.status().code()).set_syndrome(reason.syndrome());
    output.as_bytes().to_vec()
}
