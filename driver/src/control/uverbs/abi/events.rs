//! The channel of completion events, and what is read from it and from the file of asynchronous
//! events.

abi! {
    /// `struct ib_uverbs_create_comp_channel`.
    CreateCompChannel [8] {
        /// Where the answer goes.
        response: u64,
    }

    /// `struct ib_uverbs_create_comp_channel_resp`.
    CreateCompChannelAnswer [4] {
        /// A file to read events from.
        fd: u32,
    }

    /// What is read from a channel (`struct ib_uverbs_comp_event_desc`).
    CompletionEvent [8] {
        /// The `user_handle` that the completion queue was created with.
        cq_handle: u64,
    }

    /// What is read from the file of asynchronous events (`struct ib_uverbs_async_event_desc`).
    AsyncEventDescription [16] {
        /// The `user_handle` of what it happened to, or a port's number.
        element: u64,
        /// `enum ib_event_type`.
        event_type: u32,
        reserved: u32,
    }
}
