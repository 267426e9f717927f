//! Pages of doorbell registers: the one thing that the kernel does not hand out as a number, but
//! lets the program reach by itself.

use super::abi::uar;
use super::node::{output, unmapped, value};
use super::{Uverbs, outcome};
use crate::bus::MappedPage;
use crate::control::{ControlError, Granted, Mapping};
use doorbell_tracer::{Group, Value, probe};

const PROBE_GROUP: Group = Group::Control;

impl Uverbs {
    // ANCHOR: uverbs_uar_alloc
    /// Asks for a page, mapped as wanted, and maps it from where the kernel says.
    pub(super) fn take_page(&self, mapping: Mapping) -> Result<Granted<MappedPage>, ControlError> {
        const NAME: &str = "ioctl MLX5_IB_METHOD_UAR_OBJ_ALLOC";
        let (mut offset, mut length, mut index) = (0_u64, 0_u32, 0_u32);
        let mut attributes = [
            value(uar::HANDLE, 0, 0),
            value(uar::KIND, 8, mapping as u64),
            output(uar::MMAP_OFFSET, &mut offset),
            output(uar::MMAP_LENGTH, &mut length),
            output(uar::PAGE_ID, &mut index),
        ];
        probe!(self.tracer, call(NAME, [("type", (mapping as u32).into())]));
        let result = self.node.method(NAME, (uar::OBJECT, uar::ALLOC), &mut attributes);
        probe!(self.tracer, returned(NAME, outcome(&result, index)));
        result?;
        self.handles().uars.insert(index, attributes[0].data as u32);
        probe!(
            self.tracer,
            call("mmap", [("length", length.into()), ("offset", Value::Hex(offset))])
        );
        let page = MappedPage::map(self.node.file(), offset).map_err(unmapped);
        probe!(self.tracer, returned("mmap", outcome(&page, 0)));
        let write_combining = mapping == Mapping::WriteCombining;
        Ok(Granted { index, page: page?, write_combining })
    }
    // ANCHOR_END: uverbs_uar_alloc

    // ANCHOR: uverbs_uar_destroy
    /// Gives a page back.
    pub(super) fn give_page_back(&self, index: u32) {
        const NAME: &str = "ioctl MLX5_IB_METHOD_UAR_OBJ_DESTROY";
        let Some(handle) = self.handles().uars.remove(&index) else { return };
        let mut attributes = [value(uar::DESTROY_HANDLE, 0, handle.into())];
        probe!(self.tracer, call(NAME, [("page_id", index.into())]));
        let result = self.node.method(NAME, (uar::OBJECT, uar::DESTROY), &mut attributes);
        probe!(self.tracer, returned(NAME, outcome(&result, 0)));
    }
    // ANCHOR_END: uverbs_uar_destroy
}
