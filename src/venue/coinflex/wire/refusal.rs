//! What the exchange says when it refuses a command: the documented codes and texts.

use std::fmt;

/// Why a command was refused.
///
/// Codes and texts are those of the API documents; the last three stand for "anything else wrong" (code 8), whose texts
/// the documents leave open. No text ever repeats what the client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is its text")]
pub enum Refusal {
    NoSuchUser,
    InvalidAssetPair,
    OrderNotFound,
    NotWatchingOrders,
    NotWatchingTicker,
    AlreadyWatchingOrders,
    AlreadyWatchingTicker,
    TonceInUse,
    InsufficientFunds,
    TooManyOrders,
    AuthenticatingTooRapidly,
    AskingTooRapidly,
    OrderingTooRapidly,
    IncorrectCookie,
    IncorrectSignature,
    NotAuthenticated,
    QuantityZero,
    TotalZero,
    PriceZero,
    /// Not documented; a negative price has no meaning.
    PriceNegative,
    TonceZero,
    QuantityDeltaZero,
    TotalOverflow,
    NeitherQuantityNorTotal,
    NeitherIdNorTonce,
    NothingToModify,
    WouldMatch,
    /// The frame is not a command at all.
    NotACommand,
    /// No such method.
    UnknownMethod,
    /// A field is missing, or is not of its type and range.
    InvalidField(&'static str),
}

impl Refusal {
    /// The documented number.
    #[must_use]
    pub fn code(&self) -> i64 {
        match self {
            Self::NoSuchUser
            | Self::InvalidAssetPair
            | Self::OrderNotFound
            | Self::NotWatchingOrders
            | Self::NotWatchingTicker => 1,
            Self::AlreadyWatchingOrders | Self::AlreadyWatchingTicker => 2,
            Self::TonceInUse => 3,
            Self::InsufficientFunds => 4,
            Self::TooManyOrders => 5,
            Self::AuthenticatingTooRapidly | Self::AskingTooRapidly | Self::OrderingTooRapidly => 6,
            Self::IncorrectCookie | Self::IncorrectSignature | Self::NotAuthenticated => 7,
            Self::QuantityZero
            | Self::TotalZero
            | Self::PriceZero
            | Self::PriceNegative
            | Self::TonceZero
            | Self::QuantityDeltaZero
            | Self::TotalOverflow
            | Self::NeitherQuantityNorTotal
            | Self::NeitherIdNorTonce
            | Self::NothingToModify
            | Self::NotACommand
            | Self::UnknownMethod
            | Self::InvalidField(_) => 8,
            Self::WouldMatch => 9,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchUser => "There is no such user.",
            Self::InvalidAssetPair => "You specified an invalid asset pair.",
            Self::OrderNotFound => "The specified order was not found.",
            Self::NotWatchingOrders => "You are not watching the order book for the specified asset pair.",
            Self::NotWatchingTicker => "You are not watching the ticker for the specified asset pair.",
            Self::AlreadyWatchingOrders => "You are already watching the order book for the specified asset pair.",
            Self::AlreadyWatchingTicker => "You are already watching the ticker for the specified asset pair.",
            Self::TonceInUse => "Tonce is out of sequence.",
            Self::InsufficientFunds => "You have insufficient funds.",
            Self::TooManyOrders => "You have too many outstanding orders.",
            Self::AuthenticatingTooRapidly => "You are making authentication attempts too rapidly.",
            Self::AskingTooRapidly => "You are making information requests too rapidly.",
            Self::OrderingTooRapidly => "You are sending orders too rapidly.",
            Self::IncorrectCookie => "You sent an incorrect login cookie.",
            Self::IncorrectSignature => {
                "You sent an incorrect signature. This probably means you used a wrong passphrase."
            }
            Self::NotAuthenticated => "You are not authenticated.",
            Self::QuantityZero => "Quantity must not be zero.",
            Self::TotalZero => "Total must not be zero.",
            Self::PriceZero => "Price must not be zero.",
            Self::PriceNegative => "Price must not be negative.",
            Self::TonceZero => "Tonce must not be zero.",
            Self::QuantityDeltaZero => "Quantity delta must not be zero.",
            Self::TotalOverflow => "Order total would overflow.",
            Self::NeitherQuantityNorTotal => "You must specify either quantity or total for a market order.",
            Self::NeitherIdNorTonce => "You must specify either order ID or tonce.",
            Self::NothingToModify => "You must specify quantity delta and/or price.",
            Self::WouldMatch => "Post-only order with these parameters would result in an immediate match.",
            Self::NotACommand => "A command must be a JSON object with a method.",
            Self::UnknownMethod => "There is no such method.",
            Self::InvalidField(name) => return write!(f, "Field \"{name}\" is missing, or not of its type and range."),
        })
    }
}
