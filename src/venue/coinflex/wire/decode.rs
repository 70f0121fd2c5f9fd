//! The exchange's reader of commands: any text in, a command or its documented refusal out.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{
    Authenticate, CancelOrder, Command, EstimateMarketOrder, GetTradeVolume, ModifyOrder, PlaceOrder, Refusal, Request,
    Watch, echoed,
};

/// A frame that is no command, with the tag it had if that could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecodable {
    /// Goes into the error reply.
    pub tag: Option<i64>,
    /// What is wrong.
    pub refusal: Refusal,
}

impl Request {
    /// Reads a command. Unknown fields are ignored, null stands for absent, and of a field given twice the last counts.
    ///
    /// # Errors
    /// With a refusal of code 8 for whatever is not one of the eleven commands with fields of the right types. Whether
    /// the fields make sense together is left to the exchange.
    pub fn decode(text: &str) -> Result<Self, Undecodable> {
        let Ok(Value::Object(fields)) = serde_json::from_str(text) else {
            return Err(Undecodable { tag: None, refusal: Refusal::NotACommand });
        };
        let fields = Fields(fields);
        let tag = match fields.optional("tag") {
            Ok(tag) => echoed(tag),
            Err(refusal) => return Err(Undecodable { tag: None, refusal }),
        };
        match Command::decode(&fields) {
            Ok(command) => Ok(Self { tag, command }),
            Err(refusal) => Err(Undecodable { tag, refusal }),
        }
    }
}

impl Command {
    fn decode(fields: &Fields) -> Result<Self, Refusal> {
        let Some(Value::String(method)) = fields.0.get("method") else {
            return Err(Refusal::NotACommand);
        };
        Ok(match method.as_str() {
            "Authenticate" => Self::Authenticate(Authenticate {
                user_id: fields.required("user_id")?,
                cookie: fields.required("cookie")?,
                nonce: fields.required("nonce")?,
                signature: fields.required("signature")?,
            }),
            "GetBalances" => Self::GetBalances,
            "GetOrders" => Self::GetOrders,
            "EstimateMarketOrder" => Self::EstimateMarketOrder(EstimateMarketOrder {
                base: fields.required("base")?,
                counter: fields.required("counter")?,
                quantity: fields.optional("quantity")?,
                total: fields.optional("total")?,
            }),
            "PlaceOrder" => Self::PlaceOrder(PlaceOrder {
                tonce: fields.optional("tonce")?,
                base: fields.required("base")?,
                counter: fields.required("counter")?,
                quantity: fields.optional("quantity")?,
                price: fields.optional("price")?,
                total: fields.optional("total")?,
                persist: fields.optional("persist")?,
                post_only: fields.optional("post_only")?,
            }),
            "ModifyOrder" => Self::ModifyOrder(ModifyOrder {
                id: fields.optional("id")?,
                tonce: fields.optional("tonce")?,
                quantity_delta: fields.optional("quantity_delta")?,
                price: fields.optional("price")?,
                post_only: fields.optional("post_only")?,
            }),
            "CancelOrder" => {
                Self::CancelOrder(CancelOrder { id: fields.optional("id")?, tonce: fields.optional("tonce")? })
            }
            "CancelAllOrders" => Self::CancelAllOrders,
            "GetTradeVolume" => Self::GetTradeVolume(GetTradeVolume { asset: fields.required("asset")? }),
            "WatchOrders" => Self::WatchOrders(fields.watch()?),
            "WatchTicker" => Self::WatchTicker(fields.watch()?),
            _ => return Err(Refusal::UnknownMethod),
        })
    }
}

struct Fields(Map<String, Value>);

impl Fields {
    fn optional<T: DeserializeOwned>(&self, name: &'static str) -> Result<Option<T>, Refusal> {
        match self.0.get(name) {
            // serde's own message would quote the value, which may be a cookie.
            Some(value) => Option::deserialize(value).map_err(|_| Refusal::InvalidField(name)),
            None => Ok(None),
        }
    }

    fn required<T: DeserializeOwned>(&self, name: &'static str) -> Result<T, Refusal> {
        self.optional(name)?.ok_or(Refusal::InvalidField(name))
    }

    fn watch(&self) -> Result<Watch, Refusal> {
        Ok(Watch { base: self.required("base")?, counter: self.required("counter")?, watch: self.required("watch")? })
    }
}
