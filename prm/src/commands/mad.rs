//! Management datagrams: how software asks the card's own management agents.

use crate::macros::command;

command! {
    /// Gives a management datagram to the card, and takes its answer. `op_mod` says which keys not to check.
    MadIfc {
        input MadIfcIn [272] = "mad_ifc_in" {
            remote_lid, set_remote_lid: u16 @ 64, 16 "LID of whom it comes from.";
            plane_index, set_plane_index: u8 @ 80, 8 "Plane of a multi-plane port.";
            port, set_port: u8 @ 88, 8 "Port, counted from 1.";
            mad, set_mad: [u8; 256] @ 128, 2048 "The datagram: 256 bytes.";
        }
        output MadIfcOut [272] = "mad_ifc_out" {
            response_mad_packet, set_response_mad_packet: [u8; 256] @ 128, 2048 "The answer: 256 bytes.";
        }
    }
}
