// SPDX-License-Identifier: MIT OR Apache-2.0
//! Texts, and objects whose keys are labels.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};

/// A text of a record. It is borrowed from what is written, or from a line that is read and has no escapes in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

/// An object with a key for each label, in its order. Of equal labels only the first is written, because JSON parsers disagree about
/// repeated keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ByLabel<K, T>(pub Vec<(K, T)>);

impl<K: Deref<Target = str>, T: Copy> ByLabel<K, T> {
    /// The value of a label.
    pub fn get(&self, label: &str) -> Option<T> {
        self.iter().find(|(known, _)| *known == label).map(|(_, value)| value)
    }

    /// Labels and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, T)> {
        self.0.iter().map(|(label, value)| (&**label, *value))
    }
}

impl<K: From<L>, L, T> FromIterator<(L, T)> for ByLabel<K, T> {
    fn from_iter<I: IntoIterator<Item = (L, T)>>(values: I) -> Self {
        Self(values.into_iter().map(|(label, value)| (label.into(), value)).collect())
    }
}

impl<K: Serialize + PartialEq, T: Serialize> Serialize for ByLabel<K, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let first = |index: usize, label: &K| self.0[..index].iter().all(|(known, _)| known != label);
        let fields = self.0.iter().enumerate().filter(|(index, (label, _))| first(*index, label));
        serializer.collect_map(fields.map(|(_, (label, value))| (label, value)))
    }
}

impl<'de, K: Deserialize<'de>, T: Deserialize<'de>> Deserialize<'de> for ByLabel<K, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

struct Entries<K, T>(PhantomData<(K, T)>);

impl<'de, K: Deserialize<'de>, T: Deserialize<'de>> Visitor<'de> for Entries<K, T> {
    type Value = ByLabel<K, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of numbers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(entry) = map.next_entry()? {
            all.push(entry);
        }
        Ok(ByLabel(all))
    }
}

/// A value that is written as a text of a few forms; none for null and for others, such as those of later versions.
pub(crate) fn known<'de, D: Deserializer<'de>, T: FromStr>(deserializer: D) -> Result<Option<T>, D::Error> {
    Ok(Option::<Text<'de>>::deserialize(deserializer)?.and_then(|text| text.parse().ok()))
}
