//! Why a command was refused: its status, a number for the syndrome field, and a sentence.
//!
//! The statuses are those of the PRM. A ConnectX's syndromes are not public; the numbers here are
//! this card's own, and [`refusal_text`] says what they mean.

use doorbell_prm::commands::CommandStatus;

macro_rules! reasons {
    ($( $name:ident = $number:literal $status:ident $text:literal ; )*) => {
        /// Why a command was refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Reason {
            $( $name, )*
        }

        impl Reason {
            const ALL: &'static [Reason] = &[ $( Reason::$name, )* ];

            pub(crate) fn status(self) -> CommandStatus {
                match self { $( Self::$name => CommandStatus::$status, )* }
            }

            pub(crate) fn syndrome(self) -> u32 {
                SYNDROME_BASE | match self { $( Self::$name => $number, )* }
            }

            pub(crate) fn text(self) -> &'static str {
                match self { $( Self::$name => $text, )* }
            }
        }
    };
}

/// All syndromes of this card have these upper bits.
const SYNDROME_BASE: u32 = 0xdb_0000;

reasons! {
    UnknownOpcode = 1 BadOperation "no such command on this card";
    InputTooShort = 2 BadInputLength "the input is shorter than the command's";
    OutputTooShort = 3 BadOutputLength "the room for the output is too small";
    UserContext = 4 BadParameter "no such user context: CREATE_UCTX makes one";
    OtherFunction = 5 BadParameter "the card has one function: function_id must be 0";
    NotEnabled = 6 BadSystemState "the function is not enabled: ENABLE_HCA comes first";
    AlreadyEnabled = 7 BadSystemState "the function is enabled already";
    BootPagesMissing = 8 BadSystemState "the boot pages are not all given: QUERY_PAGES says how many, MANAGE_PAGES gives them";
    InitPagesMissing = 9 BadSystemState "the init pages are not all given: QUERY_PAGES says how many, MANAGE_PAGES gives them";
    NotInitialized = 10 BadSystemState "the function is not initialised: INIT_HCA comes first";
    AlreadyInitialized = 11 BadSystemState "not after INIT_HCA";
    StillInitialized = 12 BadSystemState "TEARDOWN_HCA comes first";
    UnknownVariant = 13 BadParameter "no such op_mod";
    UnknownIssi = 14 BadParameter "that interface step is not supported: QUERY_ISSI tells which are";
    UnknownCapabilityGroup = 15 BadParameter "the card has no such group of capabilities";
    CapabilityTooLarge = 16 BadParameter "more is set than the card can do";
    PageAddress = 17 BadParameter "a page address is not a multiple of the page size";
    PageGivenTwice = 18 BadParameter "the page is the card's already";
    UnknownRegister = 19 BadParameter "the card has no such register";
    ReadOnlyRegister = 20 BadParameter "the register cannot be written";
    PortNumber = 21 BadParameter "the card has one port: its number is 1";
    TableIndex = 22 BadIndex "the table has no such entry";
    NoSuchPd = 23 BadResource "no such protection domain";
    NoSuchUar = 24 BadResource "no such UAR page: ALLOC_UAR gives one";
    NoSuchMkey = 25 BadResource "no such memory key";
    NoSuchEq = 26 BadResource "no such event queue";
    NoSuchCq = 27 BadResource "no such completion queue";
    NoSuchQp = 28 BadResource "no such queue pair";
    InUse = 29 BadResourceState "another object still uses it";
    TooMany = 30 LimitExceeded "the card has no more of these";
    AccessMode = 31 BadParameter "only memory keys that translate (MTT), stand for physical addresses (PA) or are made of others (KLMS) are supported";
    MkeyFeature = 32 BadParameter "a feature of the memory key is not supported";
    MkeyRange = 33 BadParameter "the region wraps around the address space";
    PageSize = 34 BadParameter "the page size is out of range: 4 KiB to 2 GiB";
    TooFewTranslations = 35 BadParameter "there are fewer translation entries than the region has pages";
    QueueSize = 36 BadParameter "the queue is larger than the capabilities allow";
    CqeSize = 37 BadParameter "only 64-byte CQEs are supported";
    RecordAddress = 38 BadParameter "the doorbell record is not aligned to 8 bytes";
    ServiceType = 39 BadParameter "this service type is not supported";
    ReceiveQueueType = 40 BadParameter "only a regular receive queue, a shared one that is a linked list, or none, is supported";
    QpState = 41 BadQpState "the queue pair is not in a state from which this leads";
    PathMtu = 42 BadParameter "the path MTU is none of 256 to 4096";
    RemoteAddress = 43 BadParameter "the remote address is neither an IPv4-mapped GID with a MAC address nor, on InfiniBand, a LID";
    SourceAddress = 44 BadParameter "the table of own addresses has no such entry";
    MessageSize = 45 BadParameter "log_msg_max is larger than the capability";
    ReadDepth = 46 BadParameter "more outstanding reads than the capability allows";
    Profile = 47 BadParameter "this way of closing is not supported";
    AddressKind = 48 BadParameter "only RoCE v2 over IPv4 without a VLAN is supported";
    Vector = 49 BadParameter "there is no such interrupt vector";
    NoSuchDomain = 51 BadResource "no such XRC domain, transport domain or user context";
    NoSuchCounterSet = 52 BadResource "no such counter set";
    NoSuchSharedReceive = 53 BadResource "no such shared receive queue of this kind";
    BadDatagram = 54 BadPacket "the management datagram makes no sense";
    ReadOnlyPort = 55 BadParameter "of the port only what software announces can be changed";
    SendQueueFeature = 56 BadParameter "a feature of the send queue is not supported";
    SendQueueState = 57 BadResourceState "the send queue is not in the state that is named, or nothing leads from there";
    NoSuchSendQueue = 58 BadResource "no such send queue of its own";
    MissingPages = 50 BadInputLength "the input holds fewer page addresses than the buffer has pages";
}

/// What a syndrome in a command's output means, when it is one of this card's.
pub fn refusal_text(syndrome: u32) -> Option<&'static str> {
    let meant = |reason: &&Reason| reason.syndrome() == syndrome;
    Reason::ALL.iter().find(meant).map(|reason| reason.text())
}
