//! What the firmware says: refused commands, failed queues, its own end.

use super::{Explanation, NOT_DOCUMENTED};
use crate::dump::found::CommandFailure;
use doorbell_prm::commands::{CommandOpcode, CommandStatus};
use doorbell_prm::registers::init_segment::HealthSyndrome;

/// A command that failed.
pub(super) fn command(failure: &CommandFailure) -> Explanation {
    let known = failure.opcode.and_then(CommandOpcode::from_code).map(CommandOpcode::label);
    let name = known.map(str::to_owned).or_else(|| failure.name.clone());
    let name = name.unwrap_or_else(|| "a command".to_owned());
    let status = CommandStatus::from_code(failure.status);
    let label = status.map_or("an unknown status", CommandStatus::label);
    let happened = format!(
        "The firmware refused {name}: status {:#x} {label}. {}",
        failure.status,
        status.map_or("", command_status)
    );
    let mut causes = vec![(
        "What the caller asked for does not suit the card's state, limits or version.".to_owned(),
        "The lines around it: the program or verb that asked, and with what; firmware and driver \
         version (`ethtool -i`, `ibv_devinfo`) against their release notes."
            .to_owned(),
    )];
    if failure.opcode == Some(CommandOpcode::Init2rtrQp.code()) {
        causes.insert(
            0,
            (
                "The address or the connection's parameters are refused on the way to RTR."
                    .to_owned(),
                "GID index, sl and hop limit in ah_attr; path_mtu; on RoCE that is_global is set."
                    .to_owned(),
            ),
        );
    }
    Explanation {
        happened,
        vendor: vec![format!(
            "syndrome {:#x}: {NOT_DOCUMENTED}; each version of the firmware has its own list, which \
             the vendor's support can read",
            failure.syndrome
        )],
        causes,
        ..Explanation::default()
    }
}

/// What a status says (PRM, "Command return statuses"; `cmd_status_str` in `mlx5_core`'s `cmd.c`).
const fn command_status(status: CommandStatus) -> &'static str {
    match status {
        CommandStatus::Ok => "It was carried out.",
        CommandStatus::InternalError => {
            "An internal error of the firmware; look for a health report."
        }
        CommandStatus::BadOperation => "The firmware does not know the command or its variant.",
        CommandStatus::BadParameter => "A parameter is out of range, or a reserved field is set.",
        CommandStatus::BadSystemState => "The function is not in a state that allows it.",
        CommandStatus::BadResource => "A resource that it names does not exist.",
        CommandStatus::ResourceBusy => "A resource that it names is in use.",
        CommandStatus::LimitExceeded => "A limit of the card is reached.",
        CommandStatus::BadResourceState => "A resource that it names is not in a state for it.",
        CommandStatus::BadIndex => "An index is out of range.",
        CommandStatus::NoResources => "The card has no more of what it takes.",
        CommandStatus::BadInputLength => "The input is not as long as the command's.",
        CommandStatus::BadOutputLength => "The output is not as long as the command's.",
        CommandStatus::BadQpState => "The queue pair is not in a state that allows it.",
        CommandStatus::BadPacket => "A management packet was malformed, and dropped.",
        CommandStatus::BadSizeOutstandingCqes => {
            "The new completion queue is too small for the entries that are there."
        }
    }
}

/// A completion queue that failed (PRM, "CQ error"; `cq_error` in `mlx5_ifc.h`).
pub(super) fn completion_queue(cqn: u32, syndrome: u8) -> Explanation {
    let (happened, why, check) = match syndrome {
        1 => (
            "The completion queue overflowed: the card had an entry to write and no room.",
            "It has fewer entries than there can be unpolled completions.",
            "cqe in ibv_create_cq against the sum of the signalled sends and receives of all its \
             queue pairs; whether it is polled often enough, and its doorbell record written.",
        ),
        2 => (
            "The card could not write to the memory of the completion queue.",
            "Its buffer was unmapped or freed, or the IOMMU refuses the access.",
            "Who freed it; IO_PAGE_FAULT or DMAR lines in dmesg.",
        ),
        _ => (
            "The completion queue failed, with a syndrome that is not publicly documented.",
            "",
            "",
        ),
    };
    let mut told = Explanation {
        happened: format!("{happened} Its queue pairs go to the error state."),
        place: vec![format!("Completion queue {cqn:#x} ({cqn}).")],
        ..Explanation::default()
    };
    if !why.is_empty() {
        told.causes.push((why.to_owned(), check.to_owned()));
    }
    told
}

/// The firmware has stopped (`print_health_info`, `hsynd_str` in `mlx5_core`'s `health.c`).
pub(super) fn firmware(syndrome: Option<u8>) -> Explanation {
    let known = syndrome.and_then(HealthSyndrome::from_code);
    let said = match (syndrome, known) {
        (_, Some(known)) => format!("health syndrome {:#x} {}", known.code(), known.label()),
        (Some(code), None) => format!("health syndrome {code:#x}, which is {NOT_DOCUMENTED}"),
        (None, None) => "without a syndrome in what is here".to_owned(),
    };
    let first = match known {
        Some(HealthSyndrome::HighTemperature) => {
            ("The card is too hot.", "Airflow and `mget_temp` or the hwmon entries of the device.")
        }
        Some(HealthSyndrome::ContextFetchPci | HealthSyndrome::ContextPciPoisoned) => (
            "The card could not read its own context in host memory over PCIe.",
            "AER, IOMMU and machine check messages in dmesg at the same time; the slot.",
        ),
        _ => (
            "A fault of firmware or hardware; the variables that follow are for the vendor.",
            "Whether driver and firmware are a supported pair; `devlink health dump show` of the \
             reporter fw_fatal, and keep it for the vendor's support.",
        ),
    };
    Explanation {
        happened: format!(
            "The card's firmware reports that it has stopped or is not sound: {said}."
        ),
        vendor: vec![format!(
            "assert_var, assert_exit_ptr, assert_callra, ext_synd: {NOT_DOCUMENTED}"
        )],
        causes: vec![(first.0.to_owned(), first.1.to_owned())],
        ..Explanation::default()
    }
}
