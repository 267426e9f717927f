//! The cable at the port: whether there is one, and what the port makes of it.
//!
//! A port without a cable is down: it polls for another one at the far end. With a cable the link
//! trains at once; an InfiniBand port is then initialised, and becomes active when a subnet manager
//! says so. That one is somebody else's, as it is for the LID, and takes a while. It must: the kernel
//! hands events on by several threads, and of two that come together a program may see the second one
//! first. A card that is not told the time does not wait.
//!
//! The port's state is not the driver's, so a reset of the function leaves it. Software hears of a
//! change by an event, see [`Card::announce_port`].

use crate::card::Card;
use crate::config::Link;
use crate::dma::Bus;
use crate::infiniband::link_register;
use doorbell_prm::commands::PortState;
use doorbell_prm::eqe::{EventType, PortChange, PortChangeEventData};
use doorbell_prm::zerocopy::IntoBytes;
use std::collections::VecDeque;

/// What the port is, and what it is about to become.
#[derive(Debug, Clone)]
pub(crate) struct Cable {
    pub(crate) state: PortState,
    coming: VecDeque<PortState>,
    /// When the next of them comes.
    due: Option<u64>,
}

/// How long the subnet manager takes, in nanoseconds.
const SUBNET_MANAGER_TIME: u64 = 250_000_000;

impl Default for Cable {
    /// A cable that was there before the power.
    fn default() -> Self {
        Self { state: PortState::Active, coming: VecDeque::new(), due: None }
    }
}

impl Cable {
    /// Whether packets pass.
    pub(crate) fn carries_packets(&self) -> bool {
        self.state == PortState::Active
    }

    /// Whether the link is trained, at the width and speed that the registers tell.
    pub(crate) fn has_link(&self) -> bool {
        self.state != PortState::Down
    }

    /// Where the port will be when all that is coming has come.
    fn last(&self) -> PortState {
        *self.coming.back().unwrap_or(&self.state)
    }

    /// After a reset of the function: what was coming has come, and nobody is told.
    pub(crate) fn settled(&self) -> Self {
        Self { state: self.last(), ..Self::default() }
    }
}

impl Card {
    /// Pulls the cable out. The port goes down, software is told, and all packets are lost: those
    /// that leave, those that come in, and those to the card itself.
    ///
    /// As with everything else, it is done by [`Card::run`].
    pub fn unplug(&mut self) {
        if self.cable.last() == PortState::Down {
            return;
        }
        // What the subnet manager has not said yet is not said any more.
        if self.config.link != Link::Ethernet {
            self.cable.coming.pop_back_if(|state| *state == PortState::Active);
        }
        self.cable.coming.push_back(PortState::Down);
    }

    /// Puts the cable in again. The port becomes active, and software is told: with InfiniBand first
    /// that it is initialised.
    pub fn plug(&mut self) {
        if self.cable.last() != PortState::Down {
            return;
        }
        if self.config.link != Link::Ethernet {
            self.cable.coming.push_back(PortState::Initialize);
        }
        self.cable.coming.push_back(PortState::Active);
    }

    /// Whether the port is active: with a cable, and ready for packets.
    pub fn is_port_active(&self) -> bool {
        self.cable.carries_packets()
    }

    /// Takes the port to its next state; `false` when it stays in this one.
    pub(crate) fn change_port(&mut self, bus: &mut Bus<'_>) -> bool {
        let subnet_manager = self.cable.state == PortState::Initialize
            && self.cable.coming.front() == Some(&PortState::Active);
        if subnet_manager && !self.has_come(self.cable.due) {
            return false;
        }
        let Some(state) = self.cable.coming.pop_front() else {
            return false;
        };
        self.cable.state = state;
        self.cable.due = self.now.map(|now| now.saturating_add(SUBNET_MANAGER_TIME));
        self.port_registers.link = link_register(&self.config, self.cable.has_link());
        let change = match state {
            PortState::Down => PortChange::Down,
            PortState::Initialize | PortState::Armed => PortChange::Initialized,
            PortState::Active => PortChange::Active,
        };
        self.announce_port(change, bus);
        true
    }

    /// Tells of a change of the port to every queue that asked for such events.
    fn announce_port(&mut self, change: PortChange, bus: &mut Bus<'_>) {
        let mut data = PortChangeEventData::zeroed();
        data.set_port_num(1);
        let mut bytes = [0; 28];
        bytes.copy_from_slice(data.as_bytes());
        self.announce((EventType::PortChange, change.code()), bytes, bus);
    }
}
