//! Events, as the kernel hands them on: each kind in a file of its own, to be read.
//!
//! The kernel says what an event is about by the handle that the program gave when it created the
//! object. Here that handle is a number which is never used twice.

use super::abi::{self, AsyncEventDescription, Command, CompletionEvent};
use super::{Uverbs, outcome};
use crate::bus::readable;
use crate::control::{ControlError, Events};
use crate::verbs::AsyncEvent;
use doorbell_tracer::{Group, Value, probe};
use rustix::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use zerocopy::{FromBytes, IntoBytes};

const PROBE_GROUP: Group = Group::Control;

/// The files that events are read from, and what the handles in them mean.
#[derive(Default)]
pub struct Files {
    /// Of each channel, by the number of its file.
    channels: HashMap<u32, Arc<OwnedFd>>,
    /// Of asynchronous events.
    asynchronous: Option<Arc<OwnedFd>>,
    /// The card's numbers by the handles that the kernel was given.
    objects: HashMap<u64, u32>,
    last: u64,
}

impl Files {
    /// Takes the file of asynchronous events, which came with the context.
    pub fn keep_asynchronous(&mut self, descriptor: u32) {
        // SAFETY: the kernel has just opened it for this context, and nobody else knows of it.
        let file = unsafe { OwnedFd::from_raw_fd(descriptor as i32) };
        self.asynchronous = Some(Arc::new(file));
    }

    /// A handle for an object that is about to be created.
    pub fn handle(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// The object of that handle has this number.
    pub fn created(&mut self, handle: u64, number: u32) {
        self.objects.insert(handle, number);
    }

    /// The number of the object of that handle.
    fn number(&self, handle: u64) -> u32 {
        self.objects.get(&handle).copied().unwrap_or(u32::MAX)
    }
}

impl Events for Uverbs {
    // ANCHOR: uverbs_comp_channel
    /// Asks for a channel: the kernel opens a file and answers its descriptor.
    fn create_comp_channel(&self) -> Result<u32, ControlError> {
        let request = |response| abi::CreateCompChannel { response };
        let answer: abi::CreateCompChannelAnswer = self.ask(
            Command::CreateCompChannel,
            [],
            request,
            |answer: &abi::CreateCompChannelAnswer| answer.fd,
        )?;
        // SAFETY: the kernel has just opened it, and nobody else knows of it.
        let file = unsafe { OwnedFd::from_raw_fd(answer.fd as i32) };
        self.files().channels.insert(answer.fd, Arc::new(file));
        Ok(answer.fd)
    }

    /// Closes the file.
    fn destroy_comp_channel(&self, channel: u32) {
        let file = self.files().channels.remove(&channel);
        probe!(self.tracer, call("close", [("fd", channel.into())]));
        drop(file);
        probe!(self.tracer, returned("close", 0_u32));
    }
    // ANCHOR_END: uverbs_comp_channel

    fn next_completion(&self, channel: u32, deadline: Duration) -> Result<u32, ControlError> {
        let file = self.files().channels.get(&channel).map(Arc::clone);
        let file = file.ok_or(ControlError::NoEntry { table: "channels", index: channel })?;
        let told =
            |event: &CompletionEvent| Value::Hex(self.files().number(event.cq_handle).into());
        let event: CompletionEvent = self.read(&file, "completion event", deadline, told)?;
        Ok(self.files().number(event.cq_handle))
    }

    /// The kernel keeps them from the context's beginning.
    fn watch_async(&self) -> Result<(), ControlError> {
        Ok(())
    }

    fn next_async(&self, deadline: Duration) -> Result<AsyncEvent, ControlError> {
        let file = self.files().asynchronous.clone();
        let file = file.ok_or(ControlError::NotOffered { request: "get_async_event" })?;
        let decode = |event: &AsyncEventDescription| {
            decode(event.event_type, event.element, self.files().number(event.element))
        };
        let told = |event: &AsyncEventDescription| decode(event).name().into();
        let event = self.read(&file, "asynchronous event", deadline, told)?;
        Ok(decode(&event))
    }
}

impl Uverbs {
    // ANCHOR: uverbs_read_event
    /// Reads an event from its file, and sleeps until there is one. (`ib_uverbs_event_read`)
    fn read<T: FromBytes + IntoBytes>(
        &self,
        file: &OwnedFd,
        what: &'static str,
        deadline: Duration,
        told: impl Fn(&T) -> Value,
    ) -> Result<T, ControlError> {
        let fd = Value::Number(file.as_raw_fd() as u64);
        let milliseconds = deadline.as_millis() as u64;
        probe!(
            self.tracer,
            call("poll", [("fd", fd.clone()), ("timeout in ms", milliseconds.into())])
        );
        let there = readable(file.as_fd(), deadline);
        probe!(self.tracer, returned("poll", u32::from(there)));
        if !there {
            return Err(ControlError::NoEvent { what, milliseconds });
        }
        probe!(self.tracer, call("read", [("fd", fd), ("count", size_of::<T>().into())]));
        let mut event = T::new_zeroed();
        let read = rustix::io::read(file, event.as_mut_bytes());
        let result = match read {
            Ok(length) if length == size_of::<T>() => Ok(event),
            Ok(_) => Err(super::node::refused("read of an event", rustix::io::Errno::IO)),
            Err(error) => Err(super::node::refused("read of an event", error)),
        };
        probe!(
            self.tracer,
            returned("read", result.as_ref().map_or_else(|_| outcome(&result, 0), told))
        );
        result
    }
    // ANCHOR_END: uverbs_read_event
}

// ANCHOR: uverbs_async_event
/// What the verbs call an event of the kernel (`enum ib_event_type`). `number` is that of the
/// object, `element` what the kernel said: the port's number, where a port is meant.
fn decode(event_type: u32, element: u64, number: u32) -> AsyncEvent {
    let port = element as u8;
    match event_type {
        0 => AsyncEvent::CompletionQueueError(number),
        1 => AsyncEvent::QueuePairFatal(number),
        2 => AsyncEvent::QueuePairRequestError(number),
        3 => AsyncEvent::QueuePairAccessError(number),
        4 => AsyncEvent::CommunicationEstablished(number),
        5 => AsyncEvent::SendQueueDrained(number),
        9 => AsyncEvent::PortActive(port),
        10 => AsyncEvent::PortError(port),
        11 => AsyncEvent::LidChange(port),
        12 => AsyncEvent::PartitionKeyChange(port),
        14 => AsyncEvent::SharedReceiveError(number),
        15 => AsyncEvent::SharedReceiveLimit(number),
        16 => AsyncEvent::LastWqeReached(number),
        17 => AsyncEvent::ClientReregister(port),
        18 => AsyncEvent::GidChange(port),
        _ => AsyncEvent::Other { event_type, element },
    }
}
// ANCHOR_END: uverbs_async_event

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_the_kernel_become_those_of_the_verbs() {
        assert_eq!(decode(1, 7, 0x42), AsyncEvent::QueuePairFatal(0x42));
        assert_eq!(decode(3, 7, 0x42), AsyncEvent::QueuePairAccessError(0x42));
        assert_eq!(decode(0, 7, 0x81), AsyncEvent::CompletionQueueError(0x81));
        assert_eq!(decode(15, 7, 0x20), AsyncEvent::SharedReceiveLimit(0x20));
        assert_eq!(decode(16, 7, 0x42), AsyncEvent::LastWqeReached(0x42));
        assert_eq!(decode(9, 1, u32::MAX), AsyncEvent::PortActive(1));
        assert_eq!(decode(10, 1, u32::MAX), AsyncEvent::PortError(1));
        assert_eq!(decode(8, 0, 0), AsyncEvent::Other { event_type: 8, element: 0 });
    }
}
