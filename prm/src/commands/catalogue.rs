//! All commands in one list, for whoever has an opcode and some bytes and wants to show them.

use super::*;
use crate::layout::LayoutInfo;

/// The shapes of a command's input and output.
#[derive(Debug, Clone, Copy)]
pub struct CommandShape {
    /// Which command.
    pub opcode: CommandOpcode,
    /// The fixed part of the input.
    pub input: &'static LayoutInfo,
    /// The fixed part of the output.
    pub output: &'static LayoutInfo,
}

/// Every command that has a layout here.
pub const fn command_shapes() -> &'static [CommandShape] {
    SHAPES
}

/// The shape of the command with this opcode.
pub fn command_shape(opcode: u16) -> Option<&'static CommandShape> {
    SHAPES.iter().find(|shape| shape.opcode.code() == opcode)
}

const fn shape<I: CommandInput>() -> CommandShape {
    CommandShape {
        opcode: I::OPCODE,
        input: <I as Layout>::LAYOUT,
        output: <I::Output as Layout>::LAYOUT,
    }
}

const SHAPES: &[CommandShape] = &[
    shape::<EnableHcaIn>(),
    shape::<QueryIssiIn>(),
    shape::<SetIssiIn>(),
    shape::<SetDriverVersionIn>(),
    shape::<InitHcaIn>(),
    shape::<TeardownHcaIn>(),
    shape::<DisableHcaIn>(),
    shape::<QueryAdapterIn>(),
    shape::<QuerySpecialContextsIn>(),
    shape::<QueryPagesIn>(),
    shape::<ManagePagesIn>(),
    shape::<QueryHcaCapIn>(),
    shape::<SetHcaCapIn>(),
    shape::<AllocPdIn>(),
    shape::<DeallocPdIn>(),
    shape::<AllocUarIn>(),
    shape::<DeallocUarIn>(),
    shape::<CreateMkeyIn>(),
    shape::<DestroyMkeyIn>(),
    shape::<CreateEqIn>(),
    shape::<DestroyEqIn>(),
    shape::<CreateCqIn>(),
    shape::<DestroyCqIn>(),
    shape::<CreateQpIn>(),
    shape::<DestroyQpIn>(),
    shape::<QueryQpIn>(),
    shape::<Rst2initQpIn>(),
    shape::<Init2rtrQpIn>(),
    shape::<Rtr2rtsQpIn>(),
    shape::<ToErrQpIn>(),
    shape::<ToRstQpIn>(),
    shape::<AccessRegisterIn>(),
    shape::<QueryHcaVportContextIn>(),
    shape::<SetRoceAddressIn>(),
    shape::<QueryRoceAddressIn>(),
    shape::<QueryHcaVportGidIn>(),
    shape::<QueryHcaVportPkeyIn>(),
    shape::<Rts2rtsQpIn>(),
    shape::<Init2initQpIn>(),
    shape::<Sqerr2rtsQpIn>(),
    shape::<AllocXrcdIn>(),
    shape::<DeallocXrcdIn>(),
    shape::<AllocTransportDomainIn>(),
    shape::<DeallocTransportDomainIn>(),
    shape::<CreateUctxIn>(),
    shape::<DestroyUctxIn>(),
    shape::<AllocQCounterIn>(),
    shape::<DeallocQCounterIn>(),
    shape::<QueryQCounterIn>(),
    shape::<QueryVportCounterIn>(),
    shape::<CreateXrcSrqIn>(),
    shape::<DestroyXrcSrqIn>(),
    shape::<QueryXrcSrqIn>(),
    shape::<ArmXrcSrqIn>(),
    shape::<CreateRmpIn>(),
    shape::<ModifyRmpIn>(),
    shape::<DestroyRmpIn>(),
    shape::<QueryRmpIn>(),
    shape::<CreateSqIn>(),
    shape::<ModifySqIn>(),
    shape::<DestroySqIn>(),
    shape::<QuerySqIn>(),
    shape::<MadIfcIn>(),
    shape::<ModifyHcaVportContextIn>(),
];
