//! The eleven commands.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::{AssetCode, UserId};

/// A command with its tag: one text frame from client to server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Request {
    /// Comes back in the reply if it is not 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<i64>,
    /// What is asked.
    #[serde(flatten)]
    pub command: Command,
}

impl Request {
    /// A command with a tag.
    #[must_use]
    pub fn tagged(tag: i64, command: Command) -> Self {
        Self { tag: Some(tag), command }
    }

    /// The text frame. It holds the cookie and the signature if the command is [`Command::Authenticate`].
    #[must_use]
    pub fn to_json(&self) -> String {
        // Integers, strings and string keys only: nothing of that can fail to serialise.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// A command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "method")]
pub enum Command {
    /// Log in.
    Authenticate(Authenticate),
    /// Ask for the user's balances.
    GetBalances,
    /// Ask for the user's open orders.
    GetOrders,
    /// Ask what a market order would trade.
    EstimateMarketOrder(EstimateMarketOrder),
    /// Place a limit or a market order.
    PlaceOrder(PlaceOrder),
    /// Change an open order.
    ModifyOrder(ModifyOrder),
    /// Cancel an open order.
    CancelOrder(CancelOrder),
    /// Cancel every open order of the user, and reset the tonces.
    CancelAllOrders,
    /// Ask for the user's trade volume of the trailing 30 days.
    GetTradeVolume(GetTradeVolume),
    /// Start or stop watching an order book.
    WatchOrders(Watch),
    /// Start or stop watching a ticker.
    WatchTicker(Watch),
}

impl Command {
    /// Every method's name.
    pub const METHODS: [&'static str; 11] = [
        "Authenticate",
        "GetBalances",
        "GetOrders",
        "EstimateMarketOrder",
        "PlaceOrder",
        "ModifyOrder",
        "CancelOrder",
        "CancelAllOrders",
        "GetTradeVolume",
        "WatchOrders",
        "WatchTicker",
    ];

    /// The method's name, as in the frame.
    #[must_use]
    pub fn method(&self) -> &'static str {
        match self {
            Self::Authenticate(_) => "Authenticate",
            Self::GetBalances => "GetBalances",
            Self::GetOrders => "GetOrders",
            Self::EstimateMarketOrder(_) => "EstimateMarketOrder",
            Self::PlaceOrder(_) => "PlaceOrder",
            Self::ModifyOrder(_) => "ModifyOrder",
            Self::CancelOrder(_) => "CancelOrder",
            Self::CancelAllOrders => "CancelAllOrders",
            Self::GetTradeVolume(_) => "GetTradeVolume",
            Self::WatchOrders(_) => "WatchOrders",
            Self::WatchTicker(_) => "WatchTicker",
        }
    }

    /// Whether only a user who is logged in may ask.
    #[must_use]
    pub fn needs_login(&self) -> bool {
        match self {
            Self::Authenticate(_) | Self::EstimateMarketOrder(_) | Self::WatchOrders(_) | Self::WatchTicker(_) => false,
            Self::GetBalances
            | Self::GetOrders
            | Self::PlaceOrder(_)
            | Self::ModifyOrder(_)
            | Self::CancelOrder(_)
            | Self::CancelAllOrders
            | Self::GetTradeVolume(_) => true,
        }
    }
}

/// A login.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authenticate {
    /// Who logs in.
    pub user_id: UserId,
    /// The user's cookie (API key), as it was given out.
    pub cookie: String,
    /// The client's nonce: base64 of 16 random bytes.
    pub nonce: String,
    /// r and s, each base64 of 28 bytes.
    pub signature: [String; 2],
}

impl fmt::Debug for Authenticate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticate").field("user_id", &self.user_id).finish_non_exhaustive()
    }
}

/// What would a market order trade? Exactly one of quantity and total.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EstimateMarketOrder {
    /// Base asset.
    pub base: AssetCode,
    /// Counter asset.
    pub counter: AssetCode,
    /// Amount of the base asset; negative to sell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<i64>,
    /// Amount of the counter asset; negative to sell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
}

/// An order: quantity and price make a limit order, either quantity or total alone a market order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceOrder {
    /// The client's own number for the order, not 0, unlike that of any other open order of the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tonce: Option<i64>,
    /// Base asset.
    pub base: AssetCode,
    /// Counter asset.
    pub counter: AssetCode,
    /// Amount of the base asset; negative to sell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<i64>,
    /// Limit price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<i64>,
    /// Amount of the counter asset; negative to sell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
    /// How long a limit order lives; without it until cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub persist: Option<Persist>,
    /// Whether to refuse the order rather than let it take from the book.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_only: Option<bool>,
}

/// How long a limit order lives: `true`, `false` or `"fill_or_kill"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Persist {
    /// Until it is cancelled or filled.
    #[default]
    UntilCancelled,
    /// Until the connection that placed it is gone.
    UntilDisconnected,
    /// What does not match at once is cancelled at once.
    FillOrKill,
}

const FILL_OR_KILL: &str = "fill_or_kill";

impl Serialize for Persist {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::UntilCancelled => serializer.serialize_bool(true),
            Self::UntilDisconnected => serializer.serialize_bool(false),
            Self::FillOrKill => serializer.serialize_str(FILL_OR_KILL),
        }
    }
}

impl<'de> Deserialize<'de> for Persist {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Persist;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a boolean or \"{FILL_OR_KILL}\"")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Persist, E> {
                Ok(if value { Persist::UntilCancelled } else { Persist::UntilDisconnected })
            }
            fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Persist, E> {
                if value == FILL_OR_KILL {
                    Ok(Persist::FillOrKill)
                } else {
                    Err(E::invalid_value(serde::de::Unexpected::Str(value), &self))
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A change to an open order, named by exactly one of id and tonce.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModifyOrder {
    /// The exchange's number of the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// The client's number of the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tonce: Option<i64>,
    /// What to add to the signed quantity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity_delta: Option<i64>,
    /// The new limit price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<i64>,
    /// Whether to refuse the change rather than let the order take from the book.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_only: Option<bool>,
}

/// The cancellation of an order, named by exactly one of id and tonce.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelOrder {
    /// The exchange's number of the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// The client's number of the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tonce: Option<i64>,
}

/// The asset whose trade volume is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetTradeVolume {
    /// The asset.
    pub asset: AssetCode,
}

/// The market to watch, or no longer to watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// Base asset.
    pub base: AssetCode,
    /// Counter asset.
    pub counter: AssetCode,
    /// Start (`true`) or stop.
    pub watch: bool,
}
