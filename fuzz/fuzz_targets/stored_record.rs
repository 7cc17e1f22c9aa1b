//! Bytes of the database never panic; a record that opens is written as bytes that open to the same record, and these
//! bytes are its only ones from there on.
//!
//! Input: a byte that picks the type, and the bytes of a record.
#![cfg_attr(fuzzing, no_main)]

use keyward::access::{SealedUpstreamKey, StoredServer};
use keyward::account::factor::Factor;
use keyward::account::group::Group;
use keyward::account::half_session::HalfSession;
use keyward::account::invitation::Invitation;
use keyward::account::personal_token::PersonalToken;
use keyward::account::recovery_code::RecoveryCodes;
use keyward::account::session::Session;
use keyward::account::sign_in_policy::SignInPolicy;
use keyward::account::usage::LastUse;
use keyward::account::user::User;
use keyward::event::{DayCounts, Event, Facet, ServerDays};
use keyward::id::{EventId, GrantId, TokenId, UserId};
use keyward::keys::SigningKey;
use keyward::oauth::authorization_code::AuthorizationCode;
use keyward::oauth::client::Client;
use keyward::oauth::grant::Grant;
use keyward::oauth::refresh_token::RefreshToken;
use keyward::secret::TokenDigest;
use keyward::store::tables::{Meta, SetUp};
use keyward::store::{Key, Record, decode_key, decode_record, encode_key, encode_record};
use keyward::token::RevocationEntry;
use keyward_fuzz::Outcome;
use std::fmt::Debug;

keyward_fuzz::target!(|data| {
    let Some((&kind, bytes)) = data.split_first() else { return "nothing".into() };
    let outcome = match kind {
        b'a' => record::<User>(bytes),
        b'b' => record::<Session>(bytes),
        b'c' => record::<PersonalToken>(bytes),
        b'd' => record::<LastUse>(bytes),
        b'e' => record::<Client>(bytes),
        b'f' => record::<Grant>(bytes),
        b'g' => record::<AuthorizationCode>(bytes),
        b'h' => record::<RefreshToken>(bytes),
        b'i' => record::<SigningKey>(bytes),
        b'j' => record::<RevocationEntry>(bytes),
        b'k' => record::<Meta>(bytes),
        b'l' => record::<SetUp>(bytes),
        b'o' => record::<SealedUpstreamKey>(bytes),
        b'p' => record::<StoredServer>(bytes),
        b'q' => record::<Group>(bytes),
        b'r' => record::<Invitation>(bytes),
        b'm' => record::<u64>(bytes),
        b'n' => record::<String>(bytes),
        b's' => record::<Event>(bytes),
        b't' => record::<DayCounts>(bytes),
        b'u' => record::<ServerDays>(bytes),
        b'v' => record::<Factor>(bytes),
        b'w' => record::<RecoveryCodes>(bytes),
        b'x' => record::<HalfSession>(bytes),
        b'y' => record::<SignInPolicy>(bytes),
        b'A' => key::<(UserId, String)>(bytes),
        b'B' => key::<(UserId, TokenId)>(bytes),
        b'C' => key::<(TokenDigest, GrantId)>(bytes),
        b'D' => key::<String>(bytes),
        b'E' => key::<u64>(bytes),
        b'F' => key::<(Facet, EventId)>(bytes),
        _ => return "no such kind".into(),
    };
    format!("{} {outcome}", char::from(kind))
});

fn record<R: Record + PartialEq + Debug>(bytes: &[u8]) -> Outcome {
    let Ok(value) = decode_record::<R>(bytes) else { return "no record".into() };
    let Ok(written) = encode_record(&value) else { return "too long to write again".into() };
    let again = decode_record::<R>(&written).expect("what was written opens");
    assert_eq!(again, value);
    assert_eq!(encode_record(&again).expect("it was written before"), written);
    format!("record of 2^{}", written.len().ilog2())
}

fn key<K: Key>(bytes: &[u8]) -> Outcome {
    let Some(value) = decode_key::<K>(bytes) else { return "no key".into() };
    assert_eq!(encode_key::<K>(&value), bytes, "a key has one spelling");
    "key".into()
}
