//! A field of an update: absent, null and a value are three things.

/// What an update says of one field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// The field was not in the message: unchanged.
    #[default]
    Absent,
    /// The field was `null`: there is none now.
    Null,
    /// The field had a value.
    Value(T),
}

impl<T> Patch<T> {
    /// The value, if there is one.
    #[must_use]
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// Whether the field was in the message, null included.
    #[must_use]
    pub fn is_present(&self) -> bool {
        !self.is_absent()
    }

    /// Whether the field was not in the message.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// The patch with its value converted.
    #[must_use]
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Patch<U> {
        match self {
            Self::Absent => Patch::Absent,
            Self::Null => Patch::Null,
            Self::Value(value) => Patch::Value(f(value)),
        }
    }
}

impl<'de, T: serde::Deserialize<'de>> serde::Deserialize<'de> for Patch<T> {
    /// Reads null and values; pair it with `#[serde(default)]` for absent.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Option::<T>::deserialize(deserializer)? {
            None => Self::Null,
            Some(value) => Self::Value(value),
        })
    }
}

impl<T> From<Option<T>> for Patch<T> {
    /// A field that is in the message: null or a value.
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Self::Value)
    }
}

impl<T: serde::Serialize> serde::Serialize for Patch<T> {
    /// Writes null and values; pair it with `#[serde(skip_serializing_if = "Patch::is_absent")]` for absent.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}
