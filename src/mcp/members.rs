//! Which members does a JSON object have, of those that matter? Read so that every reader would find the same ones.
//!
//! What is guarded here is read again by the server behind, with another parser. Parsers disagree about a member that
//! stands there twice, and some take one whose name differs in letter case for the same (Go's does, and folds `ſ` to `s` and
//! the Kelvin sign to `k`). So an object that has a doubled member, or one that could be taken for one that matters, is
//! refused (RFC 8259 §4: names should be unique).

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Reads the members called `names` of the object `json`, each as the text that it is; the others are passed over.
pub fn read<'a, const N: usize>(
    json: &'a str,
    names: [&str; N],
) -> Result<[Option<&'a RawValue>; N], serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let found = deserializer.deserialize_map(Object(names))?;
    deserializer.end()?;
    Ok(found)
}

struct Object<'n, const N: usize>([&'n str; N]);

impl<'de, const N: usize> Visitor<'de> for Object<'_, N> {
    type Value = [Option<&'de RawValue>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [None; N];
        while let Some(place) = map.next_key_seed(Name(&self.0))? {
            match place {
                Some(place) if found[place].is_some() => return Err(A::Error::custom("doubled")),
                Some(place) => found[place] = Some(map.next_value::<&RawValue>()?),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

/// The place of a member's name among those that matter.
struct Name<'n>(&'n [&'n str]);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Self::Value, E> {
        match self.0.iter().position(|known| *known == name) {
            Some(place) => Ok(Some(place)),
            None if self.0.iter().any(|known| is_nearly(name, known)) => Err(E::custom("almost the name of another")),
            None => Ok(None),
        }
    }
}

/// Whether the two are one name for a reader that folds letter case.
fn is_nearly(name: &str, known: &str) -> bool {
    if name.is_ascii() { name.eq_ignore_ascii_case(known) } else { folded(name).eq(folded(known)) }
}

fn folded(name: &str) -> impl Iterator<Item = char> {
    name.chars().map(|c| match c {
        'ſ' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(json: &str) -> Option<[Option<&str>; 2]> {
        read(json, ["params", "readOnlyHint"]).ok().map(|found| found.map(|raw| raw.map(RawValue::get)))
    }

    #[test]
    fn members_are_found_as_they_stand_there() {
        assert_eq!(texts("{}"), Some([None, None]));
        assert_eq!(
            texts(r#"{"params" : {"a": 1} ,"x":[1],"readOnlyHint":null}"#),
            Some([Some(r#"{"a": 1}"#), Some("null")])
        );
        assert_eq!(
            texts(r#"{"p\u0061rams":1,"x":1,"x":2,"X":3}"#),
            Some([Some("1"), None]),
            "others may do as they like"
        );
        for wrong in ["", "[]", "1", "{", "{}}", "{} x", r#"{"params":}"#, r#"{"params":1,}"#] {
            assert_eq!(texts(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_another_reader_could_take_for_a_member_is_refused() {
        for name in
            ["Params", "PARAMS", "paramS", "param\\u017f", "paramſ", "readonlyhint", "ReadOnlyHint", "par\\u0041ms"]
        {
            assert_eq!(texts(&format!(r#"{{"{name}":1}}"#)), None, "{name}");
            assert_eq!(texts(&format!(r#"{{"params":1,"{name}":1}}"#)), None, "{name}");
        }
        assert_eq!(texts(r#"{"params":1,"params":1}"#), None);
        assert_eq!(texts(r#"{"params":1,"p\u0061rams":1}"#), None);
        assert!(read(r#"{"tasK":1}"#, ["task"]).is_err());
        for name in ["param", "paramss", "parạms", "read_only_hint"] {
            assert_eq!(texts(&format!(r#"{{"{name}":1}}"#)), Some([None, None]), "{name}");
        }
    }
}
