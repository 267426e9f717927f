//! The values of a step, each by its name: what two aligned steps are compared by.

use super::class::{Class, Mark, of_field, of_name, of_result};
use super::step::Step;
use doorbell_examples::words::{self, Places, entry_layout};
use doorbell_prm::roce::packet_parts;
use doorbell_prm::wqe::{ControlSegment, send_segments};
use doorbell_prm::{DecodedField, Layout, LayoutInfo, Value as Held, layout};
use doorbell_tracer::{Kind, Region, RegionId, Role, Value};

/// One value of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its name.
    pub name: String,
    /// What it is.
    pub held: Content,
    /// What sort of value it is.
    pub mark: Option<Mark>,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Anything that has a short text.
    Text(String),
    /// An address, which may lie in a region.
    Address(u64),
    /// Bytes without a layout.
    Data(Vec<u8>),
}

/// The values of one step.
struct Values<'a> {
    step: Step<'a>,
    items: Vec<Item>,
}

/// All values of a step, but for those that its signature holds.
pub fn values(step: Step<'_>) -> Vec<Item> {
    let mut values = Values { step, items: Vec::new() };
    values.of(&step.event.kind);
    values.items
}

impl Values<'_> {
    fn of(&mut self, kind: &Kind) {
        match kind {
            Kind::Call { arguments, .. } => self.arguments(arguments),
            Kind::Return { function, result } => {
                self.value("result", result, of_result(function));
            }
            Kind::Dispatch { target, .. } => self.text("target", target.to_string(), None),
            Kind::Check { left, right, holds, .. } => {
                for side in [left, right] {
                    self.value(&side.name, &side.value, of_name(&side.name));
                }
                self.text("verdict", if *holds { "yes" } else { "no" }.to_owned(), None);
            }
            Kind::Lock { .. } => {}
            Kind::Map(region) => {
                self.region(region);
                self.address("address", region.address);
                self.number("length", region.length, None);
                self.number("stride", region.stride.into(), None);
            }
            Kind::Unmap { region } => self.place(*region, None),
            Kind::Store { region, offset, layout, bytes }
            | Kind::Load { region, offset, layout, bytes } => {
                self.place(*region, Some(*offset));
                self.moved(Some((*region, *offset)), layout, bytes);
            }
            Kind::Barrier { instruction, .. } => {
                self.text("instruction", instruction.to_string(), None);
            }
            Kind::RegisterWrite { region, offset, register, layout, bytes } => {
                self.place(*region, Some(*offset));
                self.register(register, layout, bytes);
            }
            Kind::RegisterRead { region, offset, register, bytes } => {
                self.place(*region, Some(*offset));
                self.register(register, "", bytes);
            }
            Kind::Command(command) => {
                self.number("slot", command.slot.into(), None);
                self.number("status", command.status.into(), None);
                self.number("syndrome", command.syndrome.into(), None);
                self.parts(&command.input_layout, "input", &command.input, None);
                self.parts(&command.output_layout, "output", &command.output, None);
            }
            Kind::Dma { address, layout, bytes, .. } => {
                self.address("address", *address);
                let place = self.step.places().resolve(*address, bytes.len() as u64);
                if let Some((region, offset)) = place {
                    self.place(region, Some(offset));
                }
                self.moved(place, layout, bytes);
            }
            Kind::Packet(packet) => {
                self.number("from", packet.from.into(), of_name("qpn"));
                self.number("to", packet.to.into(), of_name("qpn"));
                self.packet(&packet.bytes);
            }
            Kind::State { object, number, from, to } => {
                let mark = of_name(&object.to_lowercase());
                self.number("number", (*number).into(), mark);
                self.text("from", from.to_string(), None);
                self.text("to", to.to_string(), None);
            }
            Kind::Index { region, name, value } => {
                self.place(*region, None);
                self.number(name, *value, Some(Mark::running(Class::Counters)));
            }
            Kind::Completion { wr_id, status, attributes } => {
                self.number("wr_id", *wr_id, of_name("wr_id"));
                self.text("status", status.to_string(), None);
                self.arguments(attributes);
            }
            Kind::Discovery { subject, finding, found } => {
                self.text("subject", subject.to_string(), None);
                self.text("finding", finding.to_string(), None);
                self.text("leads on", found.to_string(), None);
            }
            Kind::Note { values, .. } => self.arguments(values),
        }
    }

    fn push(&mut self, name: &str, held: Content, mark: Option<Mark>) {
        self.items.push(Item { name: name.to_owned(), held, mark });
    }

    fn text(&mut self, name: &str, text: String, mark: Option<Mark>) {
        self.push(name, Content::Text(text), mark);
    }

    fn number(&mut self, name: &str, number: u64, mark: Option<Mark>) {
        self.text(name, words::number(number), mark);
    }

    fn address(&mut self, name: &str, address: u64) {
        let mark = Mark::named(Class::Addresses, super::class::ADDRESS);
        self.push(name, Content::Address(address), Some(mark));
    }

    fn value(&mut self, name: &str, value: &Value, mark: Option<Mark>) {
        match (value, mark) {
            (Value::Number(number) | Value::Hex(number), Some(mark))
                if mark.space == Some(super::class::ADDRESS) =>
            {
                self.push(name, Content::Address(*number), Some(mark));
            }
            (Value::Number(number) | Value::Hex(number), _) => self.number(name, *number, mark),
            (Value::Text(text), _) => self.text(name, text.to_string(), mark),
        }
    }

    fn arguments(&mut self, arguments: &[doorbell_tracer::Argument]) {
        for argument in arguments {
            self.value(&argument.name, &argument.value, of_name(&argument.name));
        }
    }

    /// A region without its number in the trace, which is nothing but an order.
    fn region(&mut self, region: &Region) {
        let number = format!("{:#x}", region.object);
        self.text("region", region.name.replace(&number, "").trim_end().to_owned(), None);
        self.number("number", region.object.into(), mark_of_object(region));
    }

    /// A place in a region. In a ring: the entry, and the offset in it.
    fn place(&mut self, id: RegionId, offset: Option<u64>) {
        let step = self.step;
        let places = step.places();
        let Some(region) = places.region(id) else {
            return self.text("region", format!("unknown region {}", id.0), None);
        };
        self.region(region);
        match (offset, u64::from(region.stride)) {
            (None, _) => {}
            (Some(offset), 1..) if offset < region.length => {
                let stride = u64::from(region.stride);
                self.number("entry", offset / stride, Some(Mark::running(Class::Counters)));
                self.number("offset", offset % stride, None);
            }
            (Some(offset), _) => self.number("offset", offset, None),
        }
    }

    /// Bytes that went to or came from a place. A piece of an entry is told by the layout of the
    /// whole.
    fn moved(&mut self, place: Option<(RegionId, u64)>, layout: &str, bytes: &[u8]) {
        let step = self.step;
        let places = step.places();
        let region = place.and_then(|(region, _)| places.region(region));
        let whole = region.filter(|_| layout.is_empty()).and_then(entry_layout);
        match (whole, place) {
            (Some(whole), Some((_, offset))) => {
                let before = usize::try_from(offset % whole.size as u64).unwrap_or(0);
                let mut padded = vec![0; before];
                padded.extend_from_slice(bytes);
                self.fields(whole, &short(whole.name), &padded, before);
            }
            _ => {
                let plain = match region.map(|region| region.role) {
                    None | Some(Role::Buffer | Role::SendQueue | Role::ReceiveQueue) => {
                        Some(Mark::running(Class::Payload))
                    }
                    _ => None,
                };
                self.parts(layout, "bytes", bytes, plain);
            }
        }
    }

    fn register(&mut self, register: &str, layout: &str, bytes: &[u8]) {
        // What follows the first bytes of a WQE in the register is told by its first write.
        let plain = match of_name(register) {
            None if register == "BlueFlame" => Some(Mark::running(Class::Payload)),
            mark => mark,
        };
        self.parts(layout, "bytes", bytes, plain);
    }

    /// Bytes of a layout; what is behind it is data, marked `plain`. A control segment begins a WQE.
    fn parts(&mut self, name: &str, otherwise: &str, bytes: &[u8], plain: Option<Mark>) {
        let control = ControlSegment::LAYOUT;
        if name == control.name && bytes.len() > control.size {
            return self.wqe(bytes);
        }
        let Some(info) = layout(name) else {
            return self.push(otherwise, Content::Data(bytes.to_vec()), plain);
        };
        let (own, behind) = bytes.split_at(bytes.len().min(info.size));
        self.fields(info, &short(info.name), own, 0);
        if !behind.is_empty() {
            let mark = info.tail.and_then(of_field).or(plain);
            let name = format!("behind {}", short(info.name));
            self.push(&name, Content::Data(behind.to_vec()), mark);
        }
    }

    fn wqe(&mut self, bytes: &[u8]) {
        let mut end = 0;
        let mut lists = 0;
        for segment in send_segments(bytes) {
            end = (segment.offset + segment.len).min(bytes.len());
            let own = &bytes[segment.offset.min(end)..end];
            let mut name = short(segment.layout.name);
            if name == "data_segment" {
                name = format!("{name}[{lists}]");
                lists += 1;
            }
            self.fields(segment.layout, &name, own, 0);
            if let Some(data) = own.get(segment.layout.size..).filter(|data| !data.is_empty()) {
                let name = format!("behind {name}");
                let mark = Mark::running(Class::Payload);
                self.push(&name, Content::Data(data.to_vec()), Some(mark));
            }
        }
        if let Some(rest) = bytes.get(end..).filter(|rest| !rest.is_empty()) {
            let mark = Mark::running(Class::Payload);
            self.push("behind the WQE", Content::Data(rest.to_vec()), Some(mark));
        }
    }

    fn packet(&mut self, bytes: &[u8]) {
        for part in packet_parts(bytes) {
            let own = &bytes[part.offset..part.offset + part.len];
            match part.layout {
                Some(layout) => self.fields(layout, &short(layout.name), own, 0),
                None => {
                    let class = match part.title {
                        "invariant CRC" => Class::Derived,
                        _ => Class::Payload,
                    };
                    let mark = Some(Mark::running(class));
                    self.push(part.title, Content::Data(own.to_vec()), mark);
                }
            }
        }
    }

    /// The fields of a layout that lie at `from` or behind it, and the bits that no field holds.
    fn fields(&mut self, info: &'static LayoutInfo, title: &str, bytes: &[u8], from: usize) {
        let mut rest = bytes.to_vec();
        rest[..from.min(bytes.len())].fill(0);
        for decoded in info.decode(bytes) {
            clear(&mut rest, decoded.bit, decoded.field.width);
            if decoded.bit as usize / 8 >= from {
                let name = format!("{title}.{}", decoded.path);
                let (held, mark) = held(&decoded);
                self.push(&name, held, mark);
            }
        }
        if rest.iter().any(|byte| *byte != 0) {
            self.push(&format!("{title}, bits without a name"), Content::Data(rest), None);
        }
    }
}

/// What a field held.
fn held(decoded: &DecodedField) -> (Content, Option<Mark>) {
    let mark = of_field(decoded.field);
    let held = match (&decoded.value, mark) {
        (Held::Number(number), Some(mark)) if mark.space == Some(super::class::ADDRESS) => {
            Content::Address(*number)
        }
        (Held::Number(number), _) => {
            let text = decoded.network_address().unwrap_or_else(|| words::number(*number));
            match decoded.value_name {
                Some(name) => Content::Text(format!("{text} {name}")),
                None => Content::Text(text),
            }
        }
        (Held::Bytes(bytes), _) => match decoded.network_address() {
            Some(text) => Content::Text(text),
            None => Content::Data(bytes.clone()),
        },
    };
    (held, mark)
}

/// Sets bits to zero.
fn clear(bytes: &mut [u8], bit: u32, width: u32) {
    for at in bit..bit + width {
        if let Some(byte) = bytes.get_mut(at as usize / 8) {
            *byte &= !(0x80 >> (at % 8));
        }
    }
}

/// The name of a layout, without what all segments of a WQE begin with.
fn short(name: &str) -> String {
    name.strip_prefix("wqe_").unwrap_or(name).to_owned()
}

/// What the number of a region's object is.
fn mark_of_object(region: &Region) -> Option<Mark> {
    match region.role {
        Role::SendQueue | Role::ReceiveQueue => of_name("qpn"),
        Role::CompletionQueue => of_name("cqn"),
        Role::EventQueue => of_name("eqn"),
        Role::DoorbellRecord if region.name.contains("CQ") => of_name("cqn"),
        Role::DoorbellRecord => of_name("qpn"),
        Role::UserAccessRegion => of_name("uar"),
        _ => None,
    }
}
