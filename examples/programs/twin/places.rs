//! Where the driver's queues and records lie: it tells of each when it makes it.

use crate::Failure;
use crate::own_memory::OwnMemory;
use doorbell_tracer::{Kind, Region, Role, Tracer};

/// Size of what is compared at a time.
pub const UNIT: usize = 16;

/// The regions that the driver has told of since the last look.
pub struct Places(Vec<Region>);

impl Places {
    /// Takes them out of the tracer.
    pub fn told(tracer: &Tracer) -> Self {
        let kinds = tracer.take().into_iter().map(|record| record.kind);
        Self(
            kinds
                .filter_map(|kind| match kind {
                    Kind::Map(region) => Some(*region),
                    _ => None,
                })
                .collect(),
        )
    }

    /// The last region told of with this role, of this object, and with a name that begins so.
    pub fn find(&self, role: Role, object: u32, name: &str) -> Result<Region, Failure> {
        let fits = |region: &&Region| {
            region.role == role && region.object == object && region.name.starts_with(name)
        };
        let found = self.0.iter().rev().find(fits);
        Ok(found.cloned().ok_or_else(|| format!("the driver told of no {name} {object:#x}"))?)
    }
}

/// A ring, and what was in it when it was looked at last.
pub struct Watched {
    pub address: u64,
    /// Size of an entry in bytes.
    pub stride: u32,
    shadow: Vec<u8>,
}

impl Watched {
    pub fn new(region: &Region, memory: &OwnMemory) -> Result<Self, Failure> {
        let length = usize::try_from(region.length)?;
        let shadow = memory.read(region.address, length)?;
        Ok(Self { address: region.address, stride: region.stride, shadow })
    }

    /// Number of its entries.
    pub fn entries(&self) -> usize {
        self.shadow.len() / self.stride as usize
    }

    /// Sets every byte.
    pub fn fill(&mut self, memory: &OwnMemory, byte: u8) -> Result<(), Failure> {
        self.shadow.fill(byte);
        Ok(memory.write(self.address, &self.shadow)?)
    }

    /// The units that have changed since the last look: offset and bytes.
    pub fn changes(&mut self, memory: &OwnMemory) -> Result<Vec<(usize, Vec<u8>)>, Failure> {
        let now = memory.read(self.address, self.shadow.len())?;
        let units = now.chunks(UNIT).zip(self.shadow.chunks(UNIT)).enumerate();
        let changed = units.filter(|(_, (new, old))| new != old);
        let changed = changed.map(|(index, (new, _))| (index * UNIT, new.to_vec())).collect();
        self.shadow = now;
        Ok(changed)
    }
}
