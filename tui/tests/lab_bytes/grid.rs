//! The grid: a fixed part that has every opcode with every flag, number of elements and inline
//! length, and a random part.

use crate::cases::{Call, Piece, Send, Sizes, Step};
use doorbell_driver::mlx5::posts;
use doorbell_driver::verbs::{Opcode, SendFlags, Transport};

/// What the grid knows of an opcode: a row.
pub struct Row {
    pub opcode: Opcode,
    /// Its WQE has a remote address segment.
    pub remote: bool,
    /// It consumes a receive on the other side.
    pub consumes: bool,
    /// Its data may be inline: the data of a READ comes, it does not go.
    pub inline: bool,
    /// What its WQE has besides.
    pub besides: Besides,
}

/// What a WQE has between the remote address and the data.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Besides {
    Nothing,
    /// An atomic segment.
    Atomic,
    /// The segments of a change of a memory key.
    Key,
}

/// A row for each opcode that both programs can post, on some transport. First those that are carried out; the others
/// would need keys and windows that there are not, and are posted to a queue pair that has failed and
/// flushes them.
pub const ROWS: [Row; 10] = [
    row_of(Opcode::RdmaWrite, true, false, true, Besides::Nothing),
    row_of(Opcode::RdmaWriteWithImmediate, true, true, true, Besides::Nothing),
    row_of(Opcode::Send, false, true, true, Besides::Nothing),
    row_of(Opcode::SendWithImmediate, false, true, true, Besides::Nothing),
    row_of(Opcode::RdmaRead, true, false, false, Besides::Nothing),
    row_of(Opcode::SendWithInvalidate, false, true, true, Besides::Nothing),
    row_of(Opcode::AtomicCompareAndSwap, true, false, false, Besides::Atomic),
    row_of(Opcode::AtomicFetchAndAdd, true, false, false, Besides::Atomic),
    row_of(Opcode::LocalInvalidate, false, false, false, Besides::Key),
    row_of(Opcode::BindMemoryWindow, false, false, false, Besides::Key),
];

const fn row_of(
    opcode: Opcode,
    remote: bool,
    consumes: bool,
    inline: bool,
    besides: Besides,
) -> Row {
    Row { opcode, remote, consumes, inline, besides }
}

/// How many of the rows are carried out.
const LIVE: usize = 5;

/// The row of an opcode of the grid.
pub fn row(opcode: Opcode) -> &'static Row {
    ROWS.iter().find(|row| row.opcode == opcode).expect("the grid posts what has a row")
}

/// The sizes of the queue pairs that the grid is posted to.
const SMALL: Sizes = Sizes {
    transport: Transport::ReliableConnection,
    by_batch: false,
    send: 16,
    receive: 16,
    send_sges: 1,
    receive_sges: 1,
    inline: 0,
    signal_all: false,
};
const MIDDLING: Sizes =
    Sizes { send: 32, receive: 32, send_sges: 4, receive_sges: 4, inline: 200, ..SMALL };
const LARGE: Sizes =
    Sizes { send: 33, receive: 40, send_sges: 30, receive_sges: 8, inline: 764, ..SMALL };
const SIGNALING: Sizes =
    Sizes { send_sges: 2, receive_sges: 2, inline: 60, signal_all: true, ..SMALL };

/// Requests of the random part, for each queue pair; and of a part that is flushed.
const RANDOM: usize = 600;
const FLUSHED: usize = 800;

/// The sizes of the queue pair of a part that is flushed.
const FAILED: Sizes = Sizes { send_sges: 4, inline: 60, ..SMALL };

/// The parts of the grid: transport, whether by batches, and sizes.
fn parts() -> impl Iterator<Item = Sizes> {
    use Transport::{ReliableConnection, UnreliableConnection, UnreliableDatagram};
    let parts: [(Transport, bool, &[Sizes]); 6] = [
        (ReliableConnection, false, &[SMALL, MIDDLING, LARGE, SIGNALING]),
        (UnreliableConnection, false, &[MIDDLING, SIGNALING]),
        (UnreliableDatagram, false, &[SMALL, MIDDLING, LARGE]),
        (ReliableConnection, true, &[SMALL, MIDDLING, LARGE]),
        (UnreliableConnection, true, &[MIDDLING]),
        (UnreliableDatagram, true, &[MIDDLING, LARGE, SIGNALING]),
    ];
    parts.into_iter().flat_map(|(transport, by_batch, sizes)| {
        sizes.iter().map(move |sizes| Sizes { transport, by_batch, ..*sizes })
    })
}

/// Bytes of a datagram that surely fit a packet.
const DATAGRAM: u32 = 1000;

/// Bytes in front of the data of a received datagram.
const GLOBAL_HEADER: u32 = 40;

/// An offset that lies behind the remote buffer.
const OUTSIDE: usize = 1 << 30;

/// Offsets below this are read by the card, or written by it, on the far side; those above are
/// written by it on the near side, or by receives. So no byte that is copied inline ever changes.
const MIDDLE: usize = 1 << 18;

/// `ENOMEM` and `EINVAL`.
const ENOMEM: i32 = 12;
const EINVAL: i32 = 22;

/// The numbers of a seed. (SplitMix64)
pub struct Numbers(pub u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// One of some values.
    fn of<'a, T>(&mut self, values: &'a [T]) -> &'a T {
        &values[self.below(values.len())]
    }
}

/// What libmlx5 makes of the sizes that were asked for: requests that can be outstanding, blocks of
/// the ring, bytes of inline data.
#[derive(Clone, Copy)]
struct Room {
    requests: usize,
    blocks: usize,
    inline: u32,
    receives: usize,
}

impl Room {
    /// So many bytes are in front of the data of the largest WQE, see `driver/src/mlx5/sizes.rs`; the
    /// answers are held against this.
    fn of(sizes: &Sizes) -> Self {
        let front = if sizes.transport == Transport::UnreliableDatagram { 64 } else { 192 };
        let inline = if sizes.inline == 0 { 0 } else { (4 + sizes.inline).next_multiple_of(16) };
        let wqe = (front + inline.max(sizes.send_sges as u32 * 16)).next_multiple_of(64);
        let bytes = (sizes.send * wqe).next_power_of_two();
        Self {
            requests: (bytes / wqe) as usize,
            blocks: (bytes / 64) as usize,
            inline: wqe - front - 4,
            receives: sizes.receive.next_power_of_two() as usize,
        }
    }
}

/// The inline data that a queue pair of these sizes takes.
pub fn max_inline(sizes: &Sizes) -> u32 {
    Room::of(sizes).inline
}

/// All steps of the grid.
pub fn steps(numbers: &mut Numbers) -> Vec<Step> {
    let mut grid = Grid { numbers, steps: Vec::new(), sizes: SMALL, room: Room::of(&SMALL) };
    for sizes in parts() {
        (grid.sizes, grid.room) = (sizes, Room::of(&sizes));
        grid.steps.push(Step::Pair(sizes));
        grid.every_flag_and_shape();
        grid.every_inline_length();
        grid.every_list_length();
        grid.refusals();
        grid.random();
    }
    for transport in [Transport::ReliableConnection, Transport::UnreliableConnection] {
        for by_batch in [false, true] {
            grid.flushed(Sizes { transport, by_batch, ..FAILED });
        }
    }
    grid.steps
}

struct Grid<'a> {
    numbers: &'a mut Numbers,
    steps: Vec<Step>,
    sizes: Sizes,
    room: Room,
}

impl Grid<'_> {
    /// The rows that this transport has; of all, or of those that are carried out.
    fn rows(&self, rows: &'static [Row]) -> Vec<&'static Row> {
        rows.iter().filter(|row| posts(self.sizes.transport, row.opcode)).collect()
    }

    fn live(&self) -> Vec<&'static Row> {
        self.rows(&ROWS[..LIVE])
    }

    fn is_datagram(&self) -> bool {
        self.sizes.transport == Transport::UnreliableDatagram
    }

    /// Every opcode with every set of flags and every number of elements, one a call.
    fn every_flag_and_shape(&mut self) {
        let mut calls = Vec::new();
        for row in self.live() {
            for flags in (0..16).map(SendFlags::from_bits_retain) {
                if flags.contains(SendFlags::INLINE) && !row.inline {
                    continue;
                }
                for count in self.counts() {
                    let lengths: Vec<u32> = (0..count).map(|_| self.length(flags, count)).collect();
                    calls.push(Call::of(vec![self.request(row, flags, &lengths)]));
                    // The same with an element of no length somewhere.
                    if count > 0 {
                        let mut lengths = lengths;
                        lengths[self.numbers.below(count)] = 0;
                        calls.push(Call::of(vec![self.request(row, flags, &lengths)]));
                    }
                }
            }
        }
        self.groups(calls);
    }

    /// Numbers of elements: all if there are few; else the first, the last, and those where the
    /// number of blocks changes.
    fn counts(&self) -> Vec<usize> {
        let most = self.sizes.send_sges;
        let is_wanted = |count: &usize| *count < 4 || count % 8 < 2 || *count + 2 > most;
        (0..=most).filter(is_wanted).collect()
    }

    /// Every length of inline data, as one element and as several.
    fn every_inline_length(&mut self) {
        let mut calls = Vec::new();
        let inline: Vec<&Row> = self.live().into_iter().filter(|row| row.inline).collect();
        for length in 0..=self.room.inline {
            let count = 1 + self.numbers.below(self.sizes.send_sges);
            let mut lengths = vec![0; count];
            for _ in 0..length {
                lengths[self.numbers.below(count)] += 1;
            }
            for lengths in [vec![length], lengths] {
                let row = *self.numbers.of(&inline);
                calls.push(Call::of(vec![self.request(row, SendFlags::INLINE, &lengths)]));
            }
        }
        self.groups(calls);
    }

    /// Lists of 1, 2, 3 and as many as there is room for up to 32.
    fn every_list_length(&mut self) {
        let mut calls = Vec::new();
        for _ in 0..6 {
            for length in [1, 2, 3, 32] {
                let length = length.min(self.room.requests - 1).min(self.room.receives - 1);
                calls.push(Call::of((0..length).map(|_| self.any_request()).collect()));
            }
        }
        self.groups(calls);
    }

    /// Random requests in random lists: so many, and more until a WQE has begun at every block.
    fn random(&mut self) {
        let mut count = 0;
        while count < RANDOM || !self.has_begun_everywhere() {
            let mut calls = Vec::new();
            while calls.len() < 50 {
                let length = *self.numbers.of(&[1, 1, 1, 1, 2, 3, 5, 8, 13]);
                calls.push(Call::of((0..length).map(|_| self.any_request()).collect::<Vec<_>>()));
                count += length;
            }
            self.groups(calls);
        }
    }

    /// Whether a WQE of the pair at hand has begun at every block of its ring.
    fn has_begun_everywhere(&self) -> bool {
        let is_pair = |step: &Step| matches!(step, Step::Pair(_));
        let from = self.steps.iter().rposition(is_pair).expect("a pair");
        let mut begun = vec![false; self.room.blocks];
        let mut head = 0;
        for step in &self.steps[from..] {
            let Step::Send(call) = step else { continue };
            for send in &call.requests[..call.posted()] {
                begun[head % self.room.blocks] = true;
                head += blocks(send, self.is_datagram());
            }
        }
        begun.iter().all(|begun| *begun)
    }

    /// Random requests of all rows to a queue pair that has failed: each of them completes, flushed.
    /// A connection that is not reliable fails by what its own side finds out.
    fn flushed(&mut self, sizes: Sizes) {
        (self.sizes, self.room) = (sizes, Room::of(&sizes));
        self.steps.push(Step::Pair(sizes));
        self.steps.push(Step::Fill(0x3c));
        let write = self.request(&ROWS[0], SendFlags::SIGNALED, &[1]);
        let fails = match sizes.transport {
            Transport::ReliableConnection => Send { remote: OUTSIDE, ..write },
            _ => Send { pieces: vec![(OUTSIDE, 1)], ..write },
        };
        let rows = self.rows(&ROWS);
        self.steps.push(Step::Send(Call::of(vec![fails])));
        self.steps.push(Step::Poll(1));
        let mut count = 0;
        while count < FLUSHED || !self.has_begun_everywhere() {
            let mut group = Vec::new();
            let most = self.numbers.below(8);
            while group.len() <= most {
                let length = *self.numbers.of(&[1, 1, 1, 2, 3]);
                group.push(Call::of((0..length).map(|_| self.any_of(&rows)).collect::<Vec<_>>()));
                if !self.has_room_for(&group) {
                    group.pop();
                    break;
                }
            }
            let posted = group.iter().map(Call::posted).sum();
            self.steps.push(Step::Fill(self.numbers.next() as u8));
            self.steps.extend(group.into_iter().map(Step::Send));
            self.steps.push(Step::Poll(posted));
            count += posted;
        }
    }

    /// A length that fits.
    fn length(&mut self, flags: SendFlags, count: usize) -> u32 {
        match flags.contains(SendFlags::INLINE) {
            false if self.is_datagram() => {
                let most = DATAGRAM as usize / count.max(1);
                (*self.numbers.of(&[1, 8, 13, 64, 255, 600])).min(most as u32)
            }
            true => self.numbers.below(self.room.inline as usize / count.max(1) + 1) as u32,
            false => *self.numbers.of(&[1, 8, 13, 64, 255, 600]),
        }
    }

    fn any_request(&mut self) -> Send {
        let rows = self.live();
        self.any_of(&rows)
    }

    fn any_of(&mut self, rows: &[&Row]) -> Send {
        let row = rows[self.numbers.below(rows.len())];
        let mut flags = SendFlags::from_bits_retain(self.numbers.below(16) as u32);
        flags.set(SendFlags::INLINE, row.inline && flags.contains(SendFlags::INLINE));
        let most = if row.besides == Besides::Key { 0 } else { self.sizes.send_sges };
        let count = self.numbers.below(most + 1);
        let mut lengths: Vec<u32> = (0..count).map(|_| self.length(flags, count)).collect();
        for length in &mut lengths {
            *length = if self.numbers.below(6) == 0 { 0 } else { *length };
            // See DIFFERENCES: the length of an atomic operation's element.
            if self.sizes.by_batch && row.besides == Besides::Atomic {
                *length = (*length).min(1) * 8;
            }
        }
        self.request(row, flags, &lengths)
    }

    /// One that every transport carries out, and for which nothing need be there on the other side.
    fn plain(&mut self, length: u32) -> Send {
        let row = if self.is_datagram() { &ROWS[2] } else { &ROWS[0] };
        self.request(row, SendFlags::SIGNALED, &[length])
    }

    fn request(&mut self, row: &Row, flags: SendFlags, lengths: &[u32]) -> Send {
        let from = if row.opcode == Opcode::RdmaRead { MIDDLE } else { 0 };
        let immediate = self.numbers.next() as u32;
        let remote = self.numbers.below(MIDDLE / 2);
        let pieces = self.pieces(from, lengths);
        Send { opcode: row.opcode, flags, immediate, remote, pieces }
    }

    /// Pieces of these lengths somewhere behind `from`.
    fn pieces(&mut self, from: usize, lengths: &[u32]) -> Vec<Piece> {
        lengths.iter().map(|length| (from + self.numbers.below(MIDDLE / 2), *length)).collect()
    }

    /// The receive for a request that consumes one.
    fn receive(&mut self, send: &Send) -> Vec<Piece> {
        let count = 1 + self.numbers.below(self.sizes.receive_sges);
        let mut lengths = vec![0; count];
        if row(send.opcode).remote {
            // It only tells that data has arrived elsewhere.
            lengths.truncate(self.numbers.below(count + 1));
        } else {
            let last = self.numbers.below(count);
            let header = if self.is_datagram() { GLOBAL_HEADER } else { 0 };
            lengths[last] = header + send.length();
            for length in &mut lengths {
                *length += *self.numbers.of(&[0, 0, 1, 40]);
            }
        }
        self.pieces(MIDDLE, &lengths)
    }

    /// Calls in groups: each group fits both queues, ends with a completion, and leaves the queues
    /// empty. Some have one call, some as many as fit.
    fn groups(&mut self, calls: Vec<Call<Send>>) {
        let mut group: Vec<Call<Send>> = Vec::new();
        let mut most = self.numbers.below(12);
        for call in calls {
            group.push(call);
            if group.len() > 1 && (group.len() > most || !self.fits(&group)) {
                let next = group.split_off(group.len() - 1);
                self.group(std::mem::replace(&mut group, next));
                most = self.numbers.below(12);
            }
        }
        self.group(group);
    }

    /// Whether a group fits both queues, with one request to end it.
    fn fits(&self, group: &[Call<Send>]) -> bool {
        let posted = group.iter().flat_map(|call| &call.requests);
        let receives = posted.filter(|send| row(send.opcode).consumes).count();
        self.has_room_for(group) && receives < self.room.receives
    }

    /// Whether a group fits the send queue, with one request to end it.
    fn has_room_for(&self, group: &[Call<Send>]) -> bool {
        let posted = || group.iter().flat_map(|call| &call.requests);
        let blocks: usize = posted().map(|send| blocks(send, self.is_datagram())).sum();
        posted().count() < self.room.requests && blocks < self.room.blocks
    }

    /// One group, from empty queues to empty queues.
    fn group(&mut self, mut calls: Vec<Call<Send>>) {
        let signaled = |send: &Send| send.flags.contains(SendFlags::SIGNALED);
        let last = calls.iter().rev().find(|call| call.posted() > 0);
        let is_last_signaled = last.is_some_and(|call| signaled(&call.requests[call.posted() - 1]));
        let is_last_refused = calls.last().is_some_and(|call| call.refused.is_some());
        if !is_last_signaled || is_last_refused {
            let end = self.plain(1);
            calls.push(Call::of(vec![end]));
        }
        let byte = self.numbers.next() as u8;
        self.steps.push(Step::Fill(byte));
        let posted: Vec<&Send> =
            calls.iter().flat_map(|call| &call.requests[..call.posted()]).collect();
        let all = self.sizes.signal_all;
        let completions = posted.iter().filter(|send| all || signaled(send)).count();
        let consumed: Vec<Send> =
            posted.into_iter().filter(|send| row(send.opcode).consumes).cloned().collect();
        let receives: Vec<_> = consumed.iter().map(|send| self.receive(send)).collect();
        let mut rest = &receives[..];
        while !rest.is_empty() {
            let count = (*self.numbers.of(&[1, 2, 3, 32])).min(rest.len());
            self.steps.push(Step::Receive(Call::of(rest[..count].to_vec())));
            rest = &rest[count..];
        }
        self.steps.extend(calls.into_iter().map(Step::Send));
        self.steps.push(Step::Poll(completions));
        if !receives.is_empty() {
            self.steps.push(Step::Take(receives.len()));
        }
    }

    /// Calls that are refused, whole or from a request on.
    fn refusals(&mut self) {
        let good = |grid: &mut Self| grid.plain(5);
        // The queue is full, in the middle of a list, and then at its first request.
        let full = (0..self.room.requests + 3).map(|_| good(self)).collect();
        if self.sizes.by_batch {
            self.too_large(full);
        } else {
            let again = vec![good(self)];
            let refused = Some((ENOMEM, self.room.requests));
            self.overfull(Call { requests: full, refused }, again);
        }
        for row in self.live().into_iter().filter(|row| row.inline) {
            for index in [0, 1, 2] {
                let too_many = vec![1; self.sizes.send_sges + 1];
                let bad = self.request(row, SendFlags::empty(), &too_many);
                self.refused(good, bad, index);
                let bad = self.request(row, SendFlags::INLINE, &[self.room.inline + 1]);
                self.refused(good, bad, index);
                if self.sizes.send_sges > 1 {
                    let bad = self.request(row, SendFlags::INLINE, &[8, self.room.inline]);
                    self.refused(good, bad, index);
                }
            }
        }
        self.refused_receives();
    }

    /// A list with a request in it that is refused.
    fn refused(&mut self, good: impl Fn(&mut Self) -> Send, bad: Send, index: usize) {
        let mut requests: Vec<Send> = (0..index).map(|_| good(self)).collect();
        requests.push(bad);
        requests.push(good(self));
        let index = if self.sizes.by_batch { 0 } else { index };
        self.group(vec![Call { requests, refused: Some((ENOMEM, index)) }]);
    }

    /// A batch that is larger than the queue is refused whole; and one that just fits is not.
    fn too_large(&mut self, mut requests: Vec<Send>) {
        self.steps.push(Step::Fill(0x5a));
        let refused = Some((ENOMEM, 0));
        self.steps.push(Step::Send(Call { requests: requests.clone(), refused }));
        requests.truncate(self.room.requests);
        self.steps.push(Step::Fill(0xa5));
        self.steps.push(Step::Send(Call::of(requests)));
        self.steps.push(Step::Poll(self.room.requests));
    }

    /// More than the queue takes, and one more when it is full. The queue is empty only after that.
    fn overfull(&mut self, call: Call<Send>, again: Vec<Send>) {
        let count = call.posted();
        self.steps.push(Step::Fill(0x5a));
        self.steps.push(Step::Send(call));
        self.steps.push(Step::Send(Call { requests: again, refused: Some((ENOMEM, 0)) }));
        self.steps.push(Step::Poll(count));
    }

    /// Receives that are refused: too many, and with too many elements.
    fn refused_receives(&mut self) {
        self.steps.push(Step::Fill(0xc3));
        let wide = self.sizes.receive_sges.next_power_of_two();
        let bad = self.pieces(MIDDLE, &vec![4; wide + 1]);
        let one = self.pieces(MIDDLE, &[64]);
        let requests = vec![one.clone(), bad, one.clone()];
        self.steps.push(Step::Receive(Call { requests, refused: Some((EINVAL, 1)) }));
        let left = self.room.receives - 1;
        let requests = vec![one; left + 2];
        self.steps.push(Step::Receive(Call { requests, refused: Some((ENOMEM, left)) }));
        let mut left = self.room.receives;
        while left > 0 {
            let count = left.min(self.room.requests - 1);
            let send = self.request(&ROWS[2], SendFlags::SIGNALED, &[3]);
            self.steps.push(Step::Send(Call::of(vec![send; count])));
            self.steps.push(Step::Poll(count));
            self.steps.push(Step::Take(count));
            left -= count;
        }
    }
}

/// Blocks of a request's WQE.
fn blocks(send: &Send, is_datagram: bool) -> usize {
    let row = row(send.opcode);
    let fixed = match row.besides {
        Besides::Nothing if is_datagram => 4,
        Besides::Nothing => 1 + usize::from(row.remote),
        Besides::Atomic => 3,
        Besides::Key => 12,
    };
    let data = match send.is_inline() {
        true if send.length() > 0 => (4 + send.length() as usize).div_ceil(16),
        _ => send.pieces.iter().filter(|(_, length)| *length > 0).count(),
    };
    (fixed + data).div_ceil(4)
}
