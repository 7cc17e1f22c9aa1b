//! How are sizes written? `4MiB`, `64KiB`, or a number of bytes. Durations are [`crate::clock::Span`]s.

use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u64);

/// The text is not a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a size such as \"4MiB\", \"64KiB\" or a number of bytes")]
pub struct NotASize;

const SIZE_UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("", 1)];

impl Size {
    /// `count` KiB.
    pub const fn kib(count: u64) -> Self {
        Self(count << 10)
    }

    /// `count` MiB.
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }

    /// In bytes.
    pub fn bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for Size {
    type Err = NotASize;

    fn from_str(text: &str) -> Result<Self, NotASize> {
        let (digits, bytes) = SIZE_UNITS
            .into_iter()
            .find_map(|(unit, bytes)| text.strip_suffix(unit).map(|digits| (digits, bytes)))
            .ok_or(NotASize)?;
        let count = parse_digits(digits.trim_end()).ok_or(NotASize)?;
        count.checked_mul(bytes).map(Self).ok_or(NotASize)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, size) =
            SIZE_UNITS.into_iter().find(|(_, size)| self.0 > 0 && self.0.is_multiple_of(*size)).unwrap_or(("", 1));
        write!(f, "{}{unit}", self.0 / size)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SizeVisitor)
    }
}

struct SizeVisitor;

impl Visitor<'_> for SizeVisitor {
    type Value = Size;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size such as \"4MiB\", \"64KiB\" or a number of bytes")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Size, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: serde::de::Error>(self, bytes: i64) -> Result<Size, E> {
        u64::try_from(bytes).map(Size).map_err(|_| E::custom(NotASize))
    }

    fn visit_u64<E: serde::de::Error>(self, bytes: u64) -> Result<Size, E> {
        Ok(Size(bytes))
    }
}

fn parse_digits(digits: &str) -> Option<u64> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_bytes_or_have_a_binary_unit() {
        assert_eq!("4MiB".parse(), Ok(Size::mib(4)));
        assert_eq!("64 KiB".parse(), Ok(Size::kib(64)));
        assert_eq!("8192".parse(), Ok(Size::kib(8)));
        assert_eq!(Size::kib(8).to_string(), "8KiB");
        assert_eq!("1000".parse::<Size>().unwrap().to_string(), "1000");
        for wrong in ["", "MiB", "4MB", "4m", "-1", "1.5MiB", "99999999999999GiB"] {
            assert_eq!(wrong.parse::<Size>(), Err(NotASize), "{wrong}");
        }
    }
}
