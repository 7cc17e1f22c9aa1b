//! How is one member of a JSON object changed while all others stay as they were written?

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The members of an object, in their order, each value as the text that it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Object<'a> {
    /// Reads the JSON text of an object without doubled members.
    pub(super) fn read(json: &'a str) -> Option<Self> {
        let object: Self = serde_json::from_str(json).ok()?;
        let doubled =
            |(at, (name, _)): (usize, &(Cow<'a, str>, _))| object.0[..at].iter().any(|(other, _)| other == name);
        (!object.0.iter().enumerate().any(doubled)).then_some(object)
    }

    /// The value of a member, as JSON.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// The value of a member that is a string.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.get(name)?).ok()
    }

    /// The member `name`, if it is an object.
    pub(super) fn object(&self, name: &str) -> Option<Object<'_>> {
        Object::read(self.get(name)?)
    }

    /// Whether it is there, as an object or a `true`: how capabilities are declared.
    pub(super) fn declares(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value == "true" || value.starts_with('{'))
    }

    /// Sets a member to a JSON text, in its place or at the end.
    pub(super) fn set(&mut self, name: &'a str, json: impl Into<Cow<'a, str>>) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, value)) => *value = json.into(),
            None => self.0.push((Cow::Borrowed(name), json.into())),
        }
    }

    /// Sets a member that is not there.
    pub(super) fn set_default(&mut self, name: &'a str, json: &'a str) {
        if self.get(name).is_none() {
            self.set(name, json);
        }
    }

    /// Keeps the members whose names pass; says whether any went.
    pub(super) fn keep(&mut self, passes: impl Fn(&str) -> bool) -> bool {
        let before = self.0.len();
        self.0.retain(|(name, _)| passes(name));
        self.0.len() != before
    }

    /// Whether there are no members.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The object as JSON.
    pub(super) fn to_json(&self) -> String {
        let size = self.0.iter().map(|(name, value)| name.len() + value.len() + 4).sum::<usize>();
        let mut json = String::with_capacity(size + 2);
        for (name, value) in &self.0 {
            json.push(if json.is_empty() { '{' } else { ',' });
            json.push_str(&quoted(name));
            json.push(':');
            json.push_str(value);
        }
        if json.is_empty() {
            json.push('{');
        }
        json.push('}');
        json
    }
}

/// A string as JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    members.push((name, Cow::Borrowed(value.get())));
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_changed_stays_as_it_was_written() {
        let json = r#"{"a" : 1.50, "b":{"x": [1, 2]},"\u0063":"\u00e4"}"#;
        let mut object = Object::read(json).unwrap();
        assert_eq!(object.get("a"), Some("1.50"));
        assert_eq!(object.text("c").unwrap(), "ä");
        object.set("a", "2");
        object.set("new", "null");
        object.set_default("b", "0");
        assert!(object.keep(|name| name != "c"));
        assert_eq!(object.to_json(), r#"{"a":2,"b":{"x": [1, 2]},"new":null}"#);
        assert_eq!(Object::default().to_json(), "{}");
    }

    #[test]
    fn what_is_no_object_or_says_two_things_is_not_read() {
        for json in ["", "[]", "1", "{", "{}x", r#"{"a":1,"a":2}"#, r#"{"a":1,"\u0061":2}"#] {
            assert_eq!(Object::read(json), None, "{json}");
        }
    }

    #[test]
    fn capabilities_are_declared_by_objects() {
        let capabilities = Object::read(r#"{"a":{},"b":true,"c":false,"d":null}"#).unwrap();
        assert_eq!(
            ["a", "b", "c", "d", "e"].map(|name| capabilities.declares(name)),
            [true, true, false, false, false]
        );
    }
}
