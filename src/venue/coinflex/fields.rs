//! The fields of the protocol by name, and what a message says of them.

/// Declares the fields of the protocol.
macro_rules! keys {
    ($($variant:ident $name:literal,)*) => {
        /// A field of the protocol.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(super) enum Key { $($variant,)* }

        impl Key {
            const COUNT: usize = [$($name,)*].len();

            const ALL: [Self; Self::COUNT] = [$(Self::$variant,)*];

            /// The field's name on the wire.
            pub(super) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

keys! {
    Tag "tag",
    ErrorCode "error_code",
    Id "id",
    Tonce "tonce",
    Base "base",
    Counter "counter",
    Quantity "quantity",
    Price "price",
    Time "time",
    TimeClosed "time_closed",
    Total "total",
    Bid "bid",
    BidTonce "bid_tonce",
    BidRem "bid_rem",
    BidBaseFee "bid_base_fee",
    BidCounterFee "bid_counter_fee",
    Ask "ask",
    AskTonce "ask_tonce",
    AskRem "ask_rem",
    AskBaseFee "ask_base_fee",
    AskCounterFee "ask_counter_fee",
    Taker "taker",
    Last "last",
    Low "low",
    High "high",
    Volume "volume",
    Asset "asset",
    Balance "balance",
    ReservedBalance "reserved_balance",
    TotalBalance "total_balance",
    Remaining "remaining",
    UserId "user_id",
    Watch "watch",
}

/// What a message says of one field.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Field {
    /// It is not there.
    #[default]
    Absent,
    /// It is `null`.
    Null,
    /// An integer of 64 bits.
    Int(i64),
    /// `true` or `false`.
    Bool(bool),
    /// A number that is no 64-bit integer as written; its text is in the frame.
    Wide,
    /// Something else.
    Other,
}

/// The scalar fields of an object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fields {
    values: [Field; Key::COUNT],
}

impl Default for Fields {
    fn default() -> Self {
        Self { values: [Field::Absent; Key::COUNT] }
    }
}

impl Fields {
    /// What is said of that field.
    #[inline]
    pub(super) fn get(&self, key: Key) -> Field {
        self.values[key as usize]
    }

    /// Says something of that field, and gives what was said before.
    #[inline]
    pub(super) fn set(&mut self, key: Key, value: Field) -> Field {
        std::mem::replace(&mut self.values[key as usize], value)
    }

    /// The integer in that field, if there is one.
    pub(super) fn int(&self, key: Key) -> Option<i64> {
        match self.get(key) {
            Field::Int(value) => Some(value),
            _ => None,
        }
    }

    /// Whether the field is there, null included.
    pub(super) fn has(&self, key: Key) -> bool {
        self.get(key) != Field::Absent
    }
}

/// Which of the text fields.
#[derive(Clone, Copy)]
pub(super) enum TextName {
    Notice,
    Method,
    ErrorMessage,
    Nonce,
    TakerSide,
    Ignored,
}

/// A field's name that is of the protocol.
#[derive(Clone, Copy)]
pub(super) enum Known {
    Scalar(Key),
    Text(TextName),
    List,
}

/// The names that are no [`Key`]s.
const OTHER_NAMES: [(&str, Known); 13] = [
    ("notice", Known::Text(TextName::Notice)),
    ("method", Known::Text(TextName::Method)),
    ("error_msg", Known::Text(TextName::ErrorMessage)),
    ("nonce", Known::Text(TextName::Nonce)),
    ("taker_side", Known::Text(TextName::TakerSide)),
    ("warning", Known::Text(TextName::Ignored)),
    ("cookie", Known::Text(TextName::Ignored)),
    ("signature", Known::Text(TextName::Ignored)),
    ("persist", Known::Text(TextName::Ignored)),
    ("post_only", Known::Text(TextName::Ignored)),
    ("quantity_delta", Known::Text(TextName::Ignored)),
    ("orders", Known::List),
    ("balances", Known::List),
];

/// The names by [`slot`], each in the first free place from there on. Larger than need be, so that most are in their
/// own.
static NAMES: [Option<(&str, Known)>; 256] = {
    let mut names = [None; 256];
    let mut n = 0;
    while n < Key::COUNT + OTHER_NAMES.len() {
        let named =
            if n < Key::COUNT { (Key::ALL[n].name(), Known::Scalar(Key::ALL[n])) } else { OTHER_NAMES[n - Key::COUNT] };
        let mut at = slot(named.0.as_bytes());
        while names[at].is_some() {
            at = (at + 1) % names.len();
        }
        names[at] = Some(named);
        n += 1;
    }
    names
};

/// Where a name ought to be: its length and its ends tell most of them apart.
const fn slot(name: &[u8]) -> usize {
    match name {
        [] => 0,
        [first, .., last] => (*first as usize + 7 * *last as usize + 29 * name.len()) % 256,
        [only] => *only as usize,
    }
}

impl Known {
    /// The name, if it is of the protocol.
    #[inline]
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        let mut at = slot(name);
        while let Some((known, meaning)) = NAMES[at] {
            if known.as_bytes() == name {
                return Some(meaning);
            }
            at = (at + 1) % NAMES.len();
        }
        None
    }
}
