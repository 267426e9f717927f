//! What the inputs of all commands have in common, and what their outputs have.

use super::{CommandOpcode, CommandStatus};
use crate::macros::firmware;

firmware! {
    /// The beginning of every input.
    pub struct CommandInputHeader [8] = "cmd_in" {
        opcode, set_opcode: u16 @ 0, 16 "Which command this is." => CommandOpcode::TABLE;
        op_mod, set_op_mod: u16 @ 48, 16 "The command's variant, where it has more than one.";
    }
}

firmware! {
    /// The beginning of every output.
    pub struct CommandOutputHeader [12] = "cmd_out" {
        status, set_status: u8 @ 0, 8 "0 when the command was carried out, else why not." => CommandStatus::TABLE;
        syndrome, set_syndrome: u32 @ 32, 32 "The firmware's own error number; meaningful to the vendor.";
        command_output, set_command_output: u32 @ 64, 32 "The command's answer.";
    }
}
