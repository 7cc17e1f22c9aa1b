//! What an authenticator says is read whole or not at all: nothing can be cut off its end, and a passkey has a name.
#![cfg_attr(fuzzing, no_main)]

use keyward::account::passkey::AuthenticatorData;

keyward_fuzz::target!(|data| {
    let Some(read) = AuthenticatorData::parse(data) else { return "no authenticator data".into() };
    assert!(data.len() >= 37);
    let Some(credential) = read.credential else { return "a use".into() };
    assert!(AuthenticatorData::parse(&data[..data.len() - 1]).is_none() || data[32] & 0x80 != 0);
    assert!(!credential.id.is_empty());
    "a new passkey".into()
});
