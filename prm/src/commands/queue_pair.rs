//! Queue pairs, their way from RESET to RTS, and changes on the way.
//!
//! The page addresses of the work queue buffer follow CREATE_QP's input, 8 bytes each,
//! big-endian: first the receive queue, then the send queue.

use crate::commands::QpContext;
use crate::macros::command;

command! {
    /// Creates a queue pair; the page addresses follow the input.
    CreateQp {
        input CreateQpIn [272] = "create_qp_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
            qpc_ext, set_qpc_ext: bool @ 64, 1 "An extended queue pair context follows.";
            input_qpn, set_input_qpn: u32 @ 72, 24 "Number wanted for the queue pair; 0 lets the card choose.";
            opt_param_mask, set_opt_param_mask: u32 @ 128, 32 "Which optional parameters of the context are to be applied.";
            ece, set_ece: u32 @ 160, 32 "Enhanced connection establishment options.";
            wq_umem_offset, set_wq_umem_offset: u64 @ 2048, 64 "Where the work queue begins in its umem.";
            wq_umem_id, set_wq_umem_id: u32 @ 2112, 32 "The umem of the work queue.";
            wq_umem_valid, set_wq_umem_valid: bool @ 2144, 1 "The work queue is a registered umem, not a list of pages.";
            @nested {
                qpc, qpc_mut: QpContext @ 192 "The queue pair context.";
            }
            @tail pas: 64 as Address "Address of a page of the buffer.";
        }
        output CreateQpOut [16] = "create_qp_out" {
            qpn, set_qpn: u32 @ 72, 24 "The new queue pair.";
            ece, set_ece: u32 @ 96, 32 "Enhanced connection establishment options.";
        }
    }
}

command! {
    /// Destroys a queue pair.
    DestroyQp {
        input DestroyQpIn [16] = "destroy_qp_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
            qpn, set_qpn: u32 @ 72, 24 "The queue pair.";
        }
        output DestroyQpOut [16] = "destroy_qp_out" {}
    }
}

command! {
    /// Asks for the context of a queue pair.
    QueryQp {
        input QueryQpIn [16] = "query_qp_in" {
            qpc_ext, set_qpc_ext: bool @ 64, 1 "An extended queue pair context follows.";
            qpn, set_qpn: u32 @ 72, 24 "The queue pair.";
        }
        output QueryQpOut [464] = "query_qp_out" {
            opt_param_mask, set_opt_param_mask: u32 @ 128, 32 "Which optional parameters of the context are to be applied.";
            ece, set_ece: u32 @ 160, 32 "Enhanced connection establishment options.";
            qp_pas_or_qpc_ext_and_pas, set_qp_pas_or_qpc_ext_and_pas: [u8; 192] @ 2176, 1536 as Address "Pages of the work queue.";
            @nested {
                qpc, qpc_mut: QpContext @ 192 "The queue pair context.";
            }
        }
    }
}

command! {
    /// RESET to INIT: receives may be posted.
    Rst2initQp {
        input Rst2initQpIn [272] = "rst2init_qp_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
            qpn, set_qpn: u32 @ 72, 24 "The queue pair.";
            opt_param_mask, set_opt_param_mask: u32 @ 128, 32 "Which optional parameters of the context are to be applied.";
            ece, set_ece: u32 @ 160, 32 "Enhanced connection establishment options.";
            @nested {
                qpc, qpc_mut: QpContext @ 192 "The queue pair context.";
            }
        }
        output Rst2initQpOut [16] = "rst2init_qp_out" {
            ece, set_ece: u32 @ 96, 32 "Enhanced connection establishment options.";
        }
    }
}

command! {
    /// INIT to RTR: the other side is known, and may send.
    Init2rtrQp {
        input Init2rtrQpIn [272] = "init2rtr_qp_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
            qpn, set_qpn: u32 @ 72, 24 "The queue pair.";
            opt_param_mask, set_opt_param_mask: u32 @ 128, 32 "Which optional parameters of the context are to be applied.";
            ece, set_ece: u32 @ 160, 32 "Enhanced connection establishment options.";
            @nested {
                qpc, qpc_mut: QpContext @ 192 "The queue pair context.";
            }
        }
        output Init2rtrQpOut [16] = "init2rtr_qp_out" {
            ece, set_ece: u32 @ 96, 32 "Enhanced connection establishment options.";
        }
    }
}

command! {
    /// RTR to RTS: requests may be sent.
    Rtr2rtsQp {
        input Rtr2rtsQpIn [272] = "rtr2rts_qp_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
            qpn, set_qpn: u32 @ 72, 24 "The queue pair.";
            opt_param_mask, set_opt_param_mask: u32 @ 128, 32 "Which optional parameters of the context are to be applied.";
            ece, set_ece: u32 @ 160, 32 "Enhanced connection establishment options.";
            @nested {
                qpc, qpc_mut: QpContext @ 192 "The queue pair context.";
            }
        }
        output Rtr2rtsQpOut [16] = "rtr2rts_qp_out" {
            ece, set_ece: u32 @ 96, 32 "Enhanced connection establishment options.";
        }
    }
}

command! {
    /// RTS to RTS: what may be changed while requests flow.
    Rts2rtsQp {
        input Rts2rtsQpIn [272] = "rts2rts_qp_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
            qpn, set_qpn: u32 @ 72, 24 "The queue pair.";
            opt_param_mask, set_opt_param_mask: u32 @ 128, 32 "Which optional parameters of the context are to be applied.";
            ece, set_ece: u32 @ 160, 32 "Enhanced connection establishment options.";
            @nested {
                qpc, qpc_mut: QpContext @ 192 "The queue pair context.";
            }
        }
        output Rts2rtsQpOut [16] = "rts2rts_qp_out" {
            ece, set_ece: u32 @ 96, 32 "Enhanced connection establishment options.";
        }
    }
}

command! {
    /// INIT to INIT: what may be changed before the other side is known.
    Init2initQp {
        input Init2initQpIn [272] = "init2init_qp_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
            qpn, set_qpn: u32 @ 72, 24 "The queue pair.";
            opt_param_mask, set_opt_param_mask: u32 @ 128, 32 "Which optional parameters of the context are to be applied.";
            ece, set_ece: u32 @ 160, 32 "Enhanced connection establishment options.";
            @nested {
                qpc, qpc_mut: QpContext @ 192 "The queue pair context.";
            }
        }
        output Init2initQpOut [16] = "init2init_qp_out" {
            ece, set_ece: u32 @ 96, 32 "Enhanced connection establishment options.";
        }
    }
}

command! {
    /// SQER to RTS: sends go on after an error of an unreliable queue pair.
    Sqerr2rtsQp {
        input Sqerr2rtsQpIn [272] = "sqerr2rts_qp_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
            qpn, set_qpn: u32 @ 72, 24 "The queue pair.";
            opt_param_mask, set_opt_param_mask: u32 @ 128, 32 "Which optional parameters of the context are to be applied.";
            @nested {
                qpc, qpc_mut: QpContext @ 192 "The queue pair context.";
            }
        }
        output Sqerr2rtsQpOut [16] = "sqerr2rts_qp_out" {}
    }
}

command! {
    /// Any state to ERR: what is posted is flushed.
    ToErrQp {
        input ToErrQpIn [16] = "qp_2err_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
            qpn, set_qpn: u32 @ 72, 24 "The queue pair.";
        }
        output ToErrQpOut [16] = "qp_2err_out" {}
    }
}

command! {
    /// Any state to RESET.
    ToRstQp {
        input ToRstQpIn [16] = "qp_2rst_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
            qpn, set_qpn: u32 @ 72, 24 "The queue pair.";
        }
        output ToRstQpOut [16] = "qp_2rst_out" {}
    }
}
