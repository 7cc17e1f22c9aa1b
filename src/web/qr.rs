//! How does a phone read a text off a page? From a QR code (ISO/IEC 18004), drawn here as one SVG path.
//!
//! Dark on white in every theme, with the quiet zone of four modules around it: some readers know no other.

use qrcode::{Color, EcLevel, QrCode};
use std::fmt::Write as _;

/// Modules of the quiet zone on each side.
const QUIET: usize = 4;

/// A QR code, ready for a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qr {
    /// Width and height in modules, with the quiet zone.
    pub size: usize,
    /// The dark modules, as the `d` of an SVG path.
    pub path: String,
}

impl Qr {
    /// The code of `text`; nothing if it is too long for one.
    pub fn of(text: &str) -> Option<Self> {
        let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
        let width = code.width();
        let mut path = String::new();
        for (row, modules) in code.to_colors().chunks(width).enumerate() {
            let mut column = 0;
            while column < width {
                let run = modules[column..].iter().take_while(|module| **module == Color::Dark).count();
                if run > 0 {
                    let _ = write!(path, "M{} {}h{run}v1h-{run}z", column + QUIET, row + QUIET);
                }
                column += run.max(1);
            }
        }
        Some(Self { size: width + 2 * QUIET, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_its_finders_and_a_quiet_zone() {
        let code = Qr::of("otpauth://totp/a:b?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap();
        assert_eq!((code.size - 2 * QUIET - 17) % 4, 0, "the width of a version");
        assert!(code.path.starts_with("M4 4h7v1h-7z"), "the finder at the upper left: {}", code.path);
        assert!(code.path.contains(&format!("M{} 4h7v1h-7z", code.size - QUIET - 7)), "at the upper right");
        assert_eq!(Qr::of(&"x".repeat(5_000)), None);
    }
}
