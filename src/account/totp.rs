//! Which code does an authenticator app show now? Time-based one-time passwords (RFC 6238 over RFC 4226): HMAC-SHA-1, six
//! digits, steps of 30 seconds, one step early or late.
//!
//! Every app knows these parameters and many know no others. A code counts once: whoever checks one is told its step, and
//! says at the next check from which step on codes count.

use crate::clock::Timestamp;
use crate::entropy::{Entropy, random_bytes};
use ring::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key, sign};
use std::fmt::Write as _;
use subtle::ConstantTimeEq as _;
use zeroize::{ZeroizeOnDrop, Zeroizing};

/// Length of a step, in seconds.
const STEP: u64 = 30;
/// How many steps a clock may be ahead or behind.
const SKEW: u64 = 1;
/// Of RFC 4648, which apps read.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// What an authenticator app and the appliance share: 160 random bits (RFC 4226 §4, R6).
#[derive(Clone, ZeroizeOnDrop)]
pub struct TotpSecret([u8; 20]);

impl std::fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TotpSecret")
    }
}

/// A code of six digits, as somebody typed it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TotpCode(u32);

impl std::fmt::Debug for TotpCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TotpCode")
    }
}

impl TotpCode {
    /// Reads six digits; spaces anywhere are ignored.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = Zeroizing::new(text.chars().filter(|c| !c.is_whitespace()).take(7).collect::<String>());
        let plain = digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse().ok().map(Self)).flatten()
    }
}

impl TotpSecret {
    /// A new one.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        Self(random_bytes(entropy))
    }

    /// The secret with these bytes.
    pub const fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// As apps take it: 32 characters of base 32 (RFC 4648 §6).
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut text = String::with_capacity(32);
        for group in self.0.chunks_exact(5) {
            let bits = group.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
            text.extend((0..8).rev().map(|place| char::from(BASE32[(bits >> (5 * place) & 31) as usize])));
        }
        Zeroizing::new(text)
    }

    /// Reads what [`TotpSecret::to_text`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 20];
        if text.len() != 32 {
            return None;
        }
        for (group, bytes) in text.as_bytes().chunks_exact(8).zip(bytes.chunks_exact_mut(5)) {
            let mut bits = 0_u64;
            for letter in group {
                bits = bits << 5 | BASE32.iter().position(|known| known == letter)? as u64;
            }
            bytes.copy_from_slice(&bits.to_be_bytes()[3..]);
        }
        Some(Self(bytes))
    }

    /// The address that an app reads from a QR code, for `account` at `issuer`.
    pub fn address(&self, issuer: &str, account: &str) -> Zeroizing<String> {
        let (issuer, account) = (percent_encoded(issuer), percent_encoded(account));
        let secret = self.to_text();
        let mut address = Zeroizing::new(String::with_capacity(256));
        let _ = write!(
            address,
            "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm=SHA1&digits=6&period={STEP}",
            *secret
        );
        address
    }

    /// The step that `code` belongs to, if it is the code of one around `now` that comes after `used`. It does not count
    /// again: remember the step.
    pub fn step_of(&self, code: TotpCode, now: Timestamp, used: Option<u64>) -> Option<u64> {
        let current = step_at(now);
        let steps = current.saturating_sub(SKEW)..=current.saturating_add(SKEW);
        // Every step is looked at, whichever fits.
        let fits = |step: &u64| bool::from(self.code_at(*step).0.ct_eq(&code.0));
        let fitting: Vec<u64> = steps.filter(fits).collect();
        fitting.into_iter().find(|step| used.is_none_or(|used| *step > used))
    }

    /// The code that an app shows at `now`.
    pub fn code(&self, now: Timestamp) -> String {
        format!("{:06}", self.code_at(step_at(now)).0)
    }

    /// RFC 4226 §5.3 with the step as the counter.
    fn code_at(&self, step: u64) -> TotpCode {
        TotpCode(self.truncated(step) % 1_000_000)
    }

    fn truncated(&self, step: u64) -> u32 {
        let key = Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let mac = sign(&key, &step.to_be_bytes());
        let mac = mac.as_ref();
        let offset = usize::from(mac[19] & 0xf);
        let word = [mac[offset] & 0x7f, mac[offset + 1], mac[offset + 2], mac[offset + 3]];
        u32::from_be_bytes(word)
    }
}

fn step_at(now: Timestamp) -> u64 {
    now.unix_millis() / 1_000 / STEP
}

/// Everything but letters, digits and `-._~` is encoded (RFC 3986 §2.3).
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    fn rfc_6238() -> TotpSecret {
        TotpSecret::from_bytes(*b"12345678901234567890")
    }

    #[test]
    fn the_codes_are_those_of_rfc_6238_appendix_b() {
        // The appendix has eight digits; the last six of them are the code of six.
        for (time, code) in [
            (59, 94_287_082),
            (1_111_111_109, 7_081_804),
            (1_111_111_111, 14_050_471),
            (1_234_567_890, 89_005_924),
            (2_000_000_000, 69_279_037),
            (20_000_000_000, 65_353_130),
        ] {
            assert_eq!(rfc_6238().truncated(step_at(at(time))) % 100_000_000, code, "{time}");
            assert_eq!(rfc_6238().code(at(time)), format!("{:06}", code % 1_000_000));
        }
    }

    #[test]
    fn the_codes_are_those_of_rfc_4226_appendix_d() {
        let codes = [755_224, 287_082, 359_152, 969_429, 338_314, 254_676, 287_922, 162_583, 399_871, 520_489];
        for (counter, code) in codes.into_iter().enumerate() {
            assert_eq!(rfc_6238().code_at(counter as u64).0, code, "{counter}");
        }
    }

    #[test]
    fn a_code_counts_one_step_early_or_late_and_once() {
        let (secret, now) = (rfc_6238(), at(1_111_111_111));
        let step = step_at(now);
        let typed = |time| TotpCode::parse(&secret.code(at(time))).unwrap();
        for (time, found) in [
            (1_111_111_111 - 60, None),
            (1_111_111_111 - 30, Some(step - 1)),
            (1_111_111_111, Some(step)),
            (1_111_111_111 + 30, Some(step + 1)),
            (1_111_111_111 + 60, None),
        ] {
            assert_eq!(secret.step_of(typed(time), now, None), found, "{time}");
        }
        let code = typed(1_111_111_111);
        assert_eq!(secret.step_of(code, now, Some(step - 1)), Some(step));
        assert_eq!(secret.step_of(code, now, Some(step)), None, "used");
        assert_eq!(secret.step_of(typed(1_111_111_111 - 30), now, Some(step)), None, "older than what was used");
        assert_eq!(TotpSecret::from_bytes([1; 20]).step_of(code, now, None), None, "of another secret");
        assert_eq!(secret.step_of(typed(0), at(0), None), Some(0), "at the beginning of time");
    }

    #[test]
    fn a_code_is_six_digits_with_or_without_spaces() {
        assert_eq!(TotpCode::parse("005924"), Some(TotpCode(5_924)));
        assert_eq!(TotpCode::parse(" 005 924\n"), Some(TotpCode(5_924)));
        for wrong in ["", "12345", "1234567", "12345a", "+12345", "-12345", "１２３４５６", "12 34 56 7"] {
            assert_eq!(TotpCode::parse(wrong), None, "{wrong}");
        }
        assert_eq!(TotpCode::parse(&"1".repeat(1_000_000)), None);
    }

    #[test]
    fn a_secret_is_read_from_its_text_and_not_printed() {
        assert_eq!(*rfc_6238().to_text(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        let secret = TotpSecret::generate(&SeededEntropy::new(1));
        assert_eq!(TotpSecret::parse(&secret.to_text()).unwrap().0, secret.0);
        for wrong in ["", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ", "gezdgnbvgy3tqojqgezdgnbvgy3tqojq", &"1".repeat(32)] {
            assert!(TotpSecret::parse(wrong).is_none(), "{wrong}");
        }
        assert_eq!(format!("{secret:?} {:?}", TotpCode(5_924)), "TotpSecret TotpCode");
    }

    #[test]
    fn the_address_says_for_whom_the_codes_are() {
        assert_eq!(
            *rfc_6238().address("Keyward mcp.example.org", "ada+x@example.org"),
            "otpauth://totp/Keyward%20mcp.example.org:ada%2Bx%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=Keyward%20mcp.example.org&algorithm=SHA1&digits=6&period=30"
        );
    }
}
