//! Whatever is typed where a code is asked for is six digits, a recovery code or neither, and a recovery code reads back from
//! the text in which it is shown.
#![cfg_attr(fuzzing, no_main)]

use keyward::account::factor::TypedCode;
use keyward::account::recovery_code::RecoveryCode;
use keyward::account::totp::{TotpCode, TotpSecret};

keyward_fuzz::target!(|data| {
    let text = String::from_utf8_lossy(data);
    if let Some(secret) = TotpSecret::parse(&text) {
        assert_eq!(*secret.to_text(), text);
    }
    match TypedCode::parse(&text) {
        TypedCode::Totp(code) => {
            let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
            assert!(digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit()));
            assert_eq!(TotpCode::parse(&digits), Some(code));
            "six digits".into()
        }
        TypedCode::Recovery(code) => {
            let shown = code.to_text();
            assert_eq!(RecoveryCode::parse(&shown).map(|again| again.to_text()), Some(shown));
            "a recovery code".into()
        }
        TypedCode::Neither => "neither".into(),
    }
});
