//! A card's end of the network: UDP sockets, and the clock on the wall.

use crate::error::NetworkError;
use crate::frame::{unwrap, wrap};
use crate::impairments::Impairments;
use crate::traffic::Traffic;
use doorbell_card::{LossyLink, Network};
use doorbell_prm::roce::ROCE_UDP_PORT;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bytes of datagrams that may wait for the card; the system may give less.
const INBOX_SIZE: usize = 4 << 20;

/// Sockets that are kept open to send from. Each queue pair has a source port of its own.
const OUTLETS: usize = 256;

/// Longer than any datagram.
const BUFFER: usize = 1 << 16;

/// A card's place on the network.
#[derive(Debug)]
pub struct UdpNetwork {
    address: Ipv4Addr,
    begin: Instant,
    inbox: UdpSocket,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    link: LossyLink,
    /// By source port.
    outlets: BTreeMap<u16, Outlet>,
    traffic: Traffic,
    buffer: Vec<u8>,
}

/// A socket to send from, and how its headers are set.
#[derive(Debug)]
struct Outlet {
    socket: UdpSocket,
    time_to_live: u8,
    type_of_service: u8,
}

impl UdpNetwork {
    /// Plugs a card in at an address of this machine.
    pub fn open(address: Ipv4Addr, impairments: Impairments) -> Result<Self, NetworkError> {
        if address.is_unspecified() || address.is_broadcast() || address.is_multicast() {
            return Err(NetworkError::NoAddressOfACard(address));
        }
        let refused = |error: io::Error| {
            let reason = error.to_string();
            match error.kind() {
                ErrorKind::AddrInUse => NetworkError::Taken { address, reason },
                ErrorKind::AddrNotAvailable => NetworkError::NotHere { address, reason },
                _ => NetworkError::Refused { address, reason },
            }
        };
        let inbox = UdpSocket::bind((address, ROCE_UDP_PORT)).map_err(refused)?;
        inbox.set_nonblocking(true).map_err(refused)?;
        #[cfg(target_os = "linux")]
        rustix::net::sockopt::set_socket_recv_buffer_size(&inbox, INBOX_SIZE)
            .map_err(|error| refused(error.into()))?;
        let state = State {
            link: impairments.link(),
            outlets: BTreeMap::new(),
            traffic: Traffic::default(),
            buffer: vec![0; BUFFER],
        };
        Ok(Self { address, begin: Instant::now(), inbox, state: Mutex::new(state) })
    }

    /// The card's address.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// What went over the network so far.
    pub fn traffic(&self) -> Traffic {
        let state = self.state();
        Traffic { fates: state.link.fates(), ..state.traffic.clone() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Network for UdpNetwork {
    fn time(&self) -> u64 {
        self.begin.elapsed().as_nanos() as u64
    }

    fn send(&self, packet: Vec<u8>) {
        let now = self.time();
        let mut state = self.state();
        state.link.send(now, packet);
        state.carry_off(self.address, now);
    }

    fn receive(&self) -> Option<Vec<u8>> {
        let mut state = self.state();
        let state = &mut *state;
        state.carry_off(self.address, self.time());
        loop {
            // Also an error: on some systems it tells of a datagram sent earlier, and passes.
            let (length, from) = self.inbox.recv_from(&mut state.buffer).ok()?;
            let SocketAddr::V4(from) = from else { continue };
            if let Some(frame) = wrap(from, self.address, &state.buffer[..length]) {
                state.traffic.received += 1;
                return Some(frame);
            }
        }
    }

    fn wait(&self, at_most: Duration) {
        let next = self.state().link.next_arrival();
        let until = next.map(|next| Duration::from_nanos(next.saturating_sub(self.time())));
        wait_for(&self.inbox, until.map_or(at_most, |until| until.min(at_most)));
    }
}

impl State {
    /// Sends what has come to the end of the link.
    fn carry_off(&mut self, from: Ipv4Addr, now: u64) {
        while let Some(packet) = self.link.receive(now) {
            match self.send(from, &packet) {
                Ok(()) => self.traffic.sent += 1,
                Err(error) => {
                    self.traffic.refused += 1;
                    self.traffic.refusal = Some(error.to_string());
                }
            }
        }
    }

    fn send(&mut self, from: Ipv4Addr, packet: &[u8]) -> io::Result<()> {
        let Some(datagram) = unwrap(packet) else {
            return Err(io::Error::other("it is no packet of RoCE v2 over IPv4"));
        };
        let outlet = self.outlet(SocketAddrV4::new(from, datagram.source_port))?;
        outlet.set(datagram.time_to_live, datagram.type_of_service)?;
        outlet.socket.send_to(datagram.content, (datagram.to, ROCE_UDP_PORT))?;
        Ok(())
    }

    /// The socket with this address. It is never connected: Linux numbers the datagrams of connected
    /// ones, and the invariant CRC covers the number.
    fn outlet(&mut self, from: SocketAddrV4) -> io::Result<&mut Outlet> {
        if self.outlets.len() >= OUTLETS && !self.outlets.contains_key(&from.port()) {
            self.outlets.clear();
        }
        match self.outlets.entry(from.port()) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => Ok(entry.insert(Outlet::open(from)?)),
        }
    }
}

impl Outlet {
    fn open(from: SocketAddrV4) -> io::Result<Self> {
        let socket = UdpSocket::bind(from).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("UDP port {} of the card's queue pair: {error}", from.port()),
            )
        })?;
        // The datagram may not be cut, as the card says in its own header. With a weaker setting
        // Linux gives it a number.
        #[cfg(target_os = "linux")]
        rustix::net::sockopt::set_ip_mtu_discover(
            &socket,
            rustix::net::sockopt::Ipv4PathMtuDiscovery::DO,
        )?;
        let time_to_live = socket.ttl()?;
        let time_to_live = u8::try_from(time_to_live).unwrap_or(u8::MAX);
        Ok(Self { socket, time_to_live, type_of_service: 0 })
    }

    fn set(&mut self, time_to_live: u8, type_of_service: u8) -> io::Result<()> {
        if self.time_to_live != time_to_live {
            self.socket.set_ttl(time_to_live.max(1).into())?;
            self.time_to_live = time_to_live;
        }
        if self.type_of_service != type_of_service {
            #[cfg(target_os = "linux")]
            rustix::net::sockopt::set_ip_tos(&self.socket, type_of_service)?;
            self.type_of_service = type_of_service;
        }
        Ok(())
    }
}

/// Sleeps until there is a datagram, at most this long.
#[cfg(target_os = "linux")]
fn wait_for(inbox: &UdpSocket, at_most: Duration) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let timeout = Timespec::try_from(at_most).ok();
    // An interrupted wait is a short one.
    let _ = poll(&mut [PollFd::new(inbox, PollFlags::IN)], timeout.as_ref());
}

/// Sleeps a moment.
#[cfg(not(target_os = "linux"))]
fn wait_for(_inbox: &UdpSocket, at_most: Duration) {
    std::thread::sleep(at_most.min(Duration::from_micros(50)));
}
