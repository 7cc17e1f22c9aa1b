//! Do the bytes of yesterday open today? One sample or more of every record, frozen in `golden_records.txt`.
//!
//! A line is never changed once released. A new version of a record gets new lines; the old ones stay and must open.

use crate::access::{SealedUpstreamKey, StoredServer};
use crate::account::factor::{Authenticator, Factor, FactorKind};
use crate::account::group::{Group, GroupName};
use crate::account::half_session::HalfSession;
use crate::account::invitation::{Invitation, InvitationEnd};
use crate::account::network::UseNetwork;
use crate::account::passkey::{CoseKey, Passkey};
use crate::account::password::PasswordHash;
use crate::account::password_reset::PasswordReset;
use crate::account::personal_token::{PersonalToken, Reach, Replacement, TokenName};
use crate::account::recovery_code::RecoveryCodes;
use crate::account::session::Session;
use crate::account::sign_in_policy::{Demanded, SignInPolicy};
use crate::account::token_watch::TokenWatch;
use crate::account::usage::LastUse;
use crate::account::user::{Role, User, Username};
use crate::clock::{Timestamp, days, minutes};
use crate::event::{
    Actor, CallFacts, CallOutcome, DayCounts, Event, EventKind, Facet, FacetMarks, Named, RefusedBecause, ServerDays,
    day_of,
};
use crate::id::{EventId, FactorId, GrantId, InvitationId, KeyId, RegisteredClientId, SessionId, TokenId, UserId};
use crate::keys::{KeyState, SigningKey};
use crate::oauth::authorization_code::AuthorizationCode;
use crate::oauth::client::{ApplicationType, AuthMethod, Client, ClientId, ClientKind, ClientMetadata, GrantType};
use crate::oauth::grant::Grant;
use crate::oauth::pkce::CodeChallenge;
use crate::oauth::redirect_uri::RedirectUri;
use crate::oauth::refresh_token::RefreshToken;
use crate::oauth::resource::ResourceUri;
use crate::oauth::scope::ScopeSet;
use crate::secret::TokenDigest;
use crate::store::{Record, decode_record, encode_record};
use crate::token::{Revocation, RevocationEntry};
use std::fmt::Debug;
use std::fmt::Write as _;

const GOLDEN: &str = include_str!("golden_records.txt");
const NOW: Timestamp = Timestamp::from_unix_seconds(1_790_000_000);
const USER: UserId = UserId::from_bytes([1; 16]);
const GRANT: GrantId = GrantId::from_bytes([2; 16]);
const KEY: KeyId = KeyId::from_bytes([3; 16]);
const TOKEN: TokenId = TokenId::from_bytes([4; 16]);

/// The types that were compared, and what differed.
#[derive(Default)]
struct Comparison {
    compared: Vec<&'static str>,
    missing: String,
}

impl Comparison {
    /// The first sample of a type stands in the first line with its name, and so on.
    fn compare<R: Record + PartialEq + Debug>(&mut self, name: &'static str, samples: &[R]) {
        self.compared.push(name);
        let mut lines = GOLDEN.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        for sample in samples {
            let written = hex(&encode_record(sample).unwrap());
            let Some(golden) = lines.next() else {
                writeln!(self.missing, "{name} {written}").unwrap();
                continue;
            };
            assert_eq!(written, golden, "{name}: the layout has changed; give the record a new version");
            assert_eq!(decode_record::<R>(&unhex(golden)).as_ref(), Ok(sample), "{name}");
        }
        assert_eq!(lines.next(), None, "a line of {name} has no sample");
    }
}

/// What the lines with this name, of an earlier version, open as.
fn opened<R: Record>(name: &str) -> Vec<R> {
    let lines = GOLDEN.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    lines.map(|line| decode_record(&unhex(line)).unwrap()).collect()
}

#[test]
fn the_bytes_of_every_record_are_frozen() {
    let mut golden = Comparison::default();
    golden.compare("Group", &[group()]);
    golden.compare("Invitation", &invitations());
    golden.compare("PasswordReset", &password_resets());
    golden.compare("LastUse", &last_uses());
    golden.compare("TokenWatch", &[TokenWatch::default(), token_watch()]);
    golden.compare("Client", &clients());
    golden.compare("AuthorizationCode", &codes());
    golden.compare("RefreshToken", &refresh_tokens());
    golden.compare("SigningKey", &signing_keys());
    golden.compare("SealedUpstreamKey", &[SealedUpstreamKey::sample("v4.local.sealed", "https://files.example", NOW)]);
    golden.compare("StoredServer", &StoredServer::samples());
    golden.compare("Event", &events());
    golden.compare("DayCounts", &[day_counts()]);
    golden.compare("ServerDays", &[ServerDays { calls: day_counts(), ..ServerDays::default() }]);
    golden.compare("HalfSession", &[HalfSession { began_at: NOW }]);
    golden.compare("Factor", &factors());
    golden.compare("RecoveryCodes", &[RecoveryCodes::sample(NOW, vec![TokenDigest::from_bytes([7; 32])])]);
    golden.compare("SignInPolicy", &sign_in_policies());
    assert_eq!(golden.missing, "", "add these lines to golden_records.txt");

    let tables = include_str!("../tables.rs");
    let (_, list) = tables.rsplit_once("first_version! {").unwrap();
    let stored: Vec<&str> = list.split_once('}').unwrap().0.split_whitespace().collect();
    assert_eq!(golden.compared, stored, "every record has a sample");
}

#[test]
fn the_bytes_of_later_versions_are_frozen_and_those_before_open() {
    let mut golden = Comparison::default();
    let [member, disabled] = users();
    let [first, second] = [User { groups: Vec::new(), last_signed_in_at: None, ..member.clone() }, disabled.clone()];
    assert_eq!(opened::<User>("User"), [first, second]);
    golden.compare("User/2", &[member, disabled]);

    let [everywhere, somewhere, replaced] = personal_tokens();
    assert_eq!(opened::<PersonalToken>("PersonalToken"), [everywhere.clone(), somewhere.clone()]);
    golden.compare("PersonalToken/2", &[everywhere, somewhere, replaced]);
    let [asked, ended, narrowed] = grants();
    assert_eq!(opened::<Grant>("Grant"), [asked.clone(), ended.clone()]);
    golden.compare("Grant/2", &[asked, ended, narrowed]);
    let all = revocations();
    assert_eq!(opened::<RevocationEntry>("RevocationEntry"), all[..3]);
    golden.compare("RevocationEntry/2", &all);
    let session = session();
    let (proved_at, seen_from) = (session.signed_in_at, session.address.clone());
    assert_eq!(opened::<Session>("Session"), [Session { proved_at, seen_from, renewed_from: None, ..session.clone() }]);
    golden.compare("Session/2", &[session]);
    assert_eq!(opened::<FacetMarks>("FacetMarks"), [FacetMarks::UNKNOWN]);
    golden.compare("FacetMarks/2", &[FacetMarks::of(&[Facet::from_bytes([7; 16]), Facet::from_bytes([8; 16])])]);
    assert_eq!(golden.missing, "", "add these lines to golden_records.txt");
}

fn factors() -> [Factor; 3] {
    let kind = FactorKind::Authenticator(Authenticator::sample("v4.local.sealed", 59_666_666));
    let unused = Factor { id: FactorId::from_bytes([8; 16]), added_at: NOW, used_at: None, kind };
    let passkey = FactorKind::Passkey(Passkey {
        name: "Blue".to_owned(),
        credential: vec![9; 3],
        key: CoseKey::EdDsa(vec![7; 32]),
        counter: 7,
        backed_up: true,
    });
    let used = Factor { used_at: Some(NOW + days(1)), ..unused.clone() };
    [unused.clone(), used, Factor { kind: passkey, ..unused }]
}

fn sign_in_policies() -> [SignInPolicy; 3] {
    [Demanded::OfNobody, Demanded::OfAdmins, Demanded::OfEverybody].map(|second_factor| SignInPolicy { second_factor })
}

fn day_counts() -> DayCounts {
    let mut days = DayCounts::default();
    days.add(day_of(NOW), 5);
    days.add(day_of(NOW) + 2, 300);
    days
}

fn events() -> [Event; 5] {
    let ada = Named::new(USER, "ada");
    let address = Some("203.0.113.9".parse().unwrap());
    let made = Event::of(EventKind::TokenMade).about(USER).token(TOKEN, "Büro").from(address);
    let made = Event { by: Actor::User(ada.clone()), ..made };
    let failed = Event::of(EventKind::SignInFailed).times(47).from(address);
    let condemned = Event::of(EventKind::KeyCondemned).key(KEY).note("leaked");
    let facts = CallFacts { tool: "write_file".to_owned(), outcome: CallOutcome::Failed(502), millis: 41 };
    let called = Event { by: Actor::User(ada.clone()), call: Some(facts), ..Event::of(EventKind::Called) };
    let because = RefusedBecause::wrong_server(["https://h/mcp/notes"].into_iter(), "https://h/mcp/files");
    let refused = Event { user: Some(ada), refused: Some(because), ..Event::of(EventKind::Refused) };
    [
        made,
        Event { session: Some(SessionId::from_bytes([5; 16])), ..failed },
        Event { by: Actor::CommandLine, ..condemned },
        called.client("cli_08104067208104067208104067208", "App").server("files").grant(GRANT),
        refused.server("files"),
    ]
}

fn users() -> [User; 2] {
    let user = User {
        id: USER,
        name: Username::parse("ada").unwrap(),
        role: Role::Admin,
        password: PasswordHash::nobody(),
        created_at: NOW,
        password_set_at: NOW + days(1),
        disabled_at: None,
        groups: ["ops", "writers"].map(|name| GroupName::parse(name).unwrap()).into(),
        last_signed_in_at: Some(NOW + days(3)),
    };
    let disabled = User {
        name: Username::parse("Grace.Hopper@example.org").unwrap(),
        role: Role::Member,
        disabled_at: Some(NOW + days(2)),
        groups: Vec::new(),
        last_signed_in_at: None,
        ..user.clone()
    };
    [user, disabled]
}

fn group() -> Group {
    let (name, description) = (GroupName::parse("writers").unwrap(), "Who writes the docs".to_owned());
    Group { name, description, created_at: NOW }
}

fn invitations() -> [Invitation; 3] {
    let open = Invitation {
        id: InvitationId::from_bytes([9; 16]),
        secret: TokenDigest::from_bytes([6; 32]),
        role: Role::Member,
        groups: vec![GroupName::parse("writers").unwrap()],
        name: None,
        note: "Grace, from Ghent".to_owned(),
        made_by: USER,
        made_at: NOW,
        expires_at: NOW + days(3),
        end: None,
    };
    let used = Invitation {
        role: Role::Admin,
        groups: Vec::new(),
        name: Some(Username::parse("grace").unwrap()),
        end: Some(InvitationEnd::Used { by: UserId::from_bytes([2; 16]), at: NOW + days(1) }),
        ..open.clone()
    };
    let revoked = Invitation { end: Some(InvitationEnd::Revoked { at: NOW + days(1) }), ..open.clone() };
    [open, used, revoked]
}

fn password_resets() -> [PasswordReset; 2] {
    let by_admin = PasswordReset { user: USER, made_by: Some(USER), made_at: NOW, expires_at: NOW + days(1) };
    [by_admin.clone(), PasswordReset { made_by: None, ..by_admin }]
}

fn session() -> Session {
    Session {
        id: SessionId::from_bytes([5; 16]),
        user: USER,
        signed_in_at: NOW,
        proved_at: NOW + minutes(3),
        renewed_from: Some(SessionId::from_bytes([6; 16])),
        seen_at: NOW + minutes(5),
        seen_from: "203.0.113.10".to_owned(),
        address: "203.0.113.9".to_owned(),
        user_agent: "Mozilla/5.0".to_owned(),
    }
}

fn personal_tokens() -> [PersonalToken; 3] {
    let everywhere = PersonalToken {
        id: TOKEN,
        owner: USER,
        name: TokenName::parse("Büro").unwrap(),
        reach: Reach::AllServers,
        scopes: ScopeSet::mcp(),
        key: KEY,
        created_at: NOW,
        expires_at: NOW + days(365),
        revoked_at: None,
        was_found: false,
        replaced: None,
        replaces: None,
    };
    let somewhere = PersonalToken {
        reach: Reach::Servers(vec![resource(), ResourceUri::parse("https://mcp.example.com/mcp/files").unwrap()]),
        revoked_at: Some(NOW + days(1)),
        ..everywhere.clone()
    };
    let replaced = PersonalToken {
        revoked_at: Some(NOW + days(2)),
        was_found: true,
        replaced: Some(Replacement { by: TokenId::from_bytes([9; 16]), ends_at: NOW + days(3) }),
        replaces: Some(TokenId::from_bytes([10; 16])),
        ..everywhere.clone()
    };
    [everywhere, somewhere, replaced]
}

fn token_watch() -> TokenWatch {
    let networks = vec![UseNetwork::V4([203, 0, 113]), UseNetwork::V6([0x20, 1, 0xd, 0xb8, 0, 9])];
    TokenWatch { networks, told: Some(EventId::from_bytes([7; 16])), dismissed: Some(30) }
}

fn last_uses() -> [LastUse; 3] {
    [None, Some("203.0.113.9"), Some("2001:db8::9")].map(|address| LastUse {
        at: NOW,
        address: address.map(|text| text.parse().unwrap()),
        user_agent: "claude-code/2.1".to_owned(),
    })
}

fn clients() -> [Client; 3] {
    let bare = ClientMetadata::public(None, vec![redirect_uri()]);
    let dynamic = Client {
        id: registered_client(),
        kind: ClientKind::Dynamic,
        metadata: bare.clone(),
        secret: None,
        created_at: NOW,
        created_by: None,
    };
    let full = ClientMetadata {
        name: Some("App".to_owned()),
        redirect_uris: vec![
            redirect_uri(),
            RedirectUri::parse("cursor://anysphere.cursor-mcp/oauth/callback").unwrap(),
        ],
        auth_method: AuthMethod::ClientSecretBasic,
        more_auth_methods: vec![AuthMethod::ClientSecretPost],
        application_type: Some(ApplicationType::Native),
        scope: Some(ScopeSet::parse("mcp offline_access").unwrap()),
        client_uri: Some("https://app.example/".to_owned()),
        logo_uri: Some("https://app.example/logo.png".to_owned()),
        tos_uri: Some("https://app.example/tos".to_owned()),
        policy_uri: Some("https://app.example/policy".to_owned()),
        contacts: vec!["ada@app.example".to_owned()],
        software_id: Some("app".to_owned()),
        software_version: Some("1.0".to_owned()),
        ..bare.clone()
    };
    let by_admin = Client {
        kind: ClientKind::Admin,
        metadata: full,
        secret: Some(TokenDigest::from_bytes([6; 32])),
        created_by: Some(USER),
        ..dynamic.clone()
    };
    let keys = ClientMetadata {
        auth_method: AuthMethod::PrivateKeyJwt,
        grant_types: vec![GrantType::AuthorizationCode],
        application_type: Some(ApplicationType::Web),
        jwks: Some(r#"{"keys":[]}"#.to_owned()),
        jwks_uri: Some("https://app.example/jwks.json".to_owned()),
        ..bare
    };
    let document = Client {
        id: ClientId::parse("https://app.example/oauth/client.json").unwrap(),
        kind: ClientKind::Document,
        metadata: keys,
        ..dynamic.clone()
    };
    [dynamic, by_admin, document]
}

fn grants() -> [Grant; 3] {
    let asked = Grant {
        id: GRANT,
        user: USER,
        client: registered_client(),
        client_name: "App".to_owned(),
        resource: resource(),
        scopes: ScopeSet::mcp(),
        redirect_uri: redirect_uri(),
        created_at: NOW,
        last_issued_at: None,
        revoked_at: None,
        narrowed_at: None,
    };
    let narrowed = Grant { narrowed_at: Some(NOW + days(2)), ..asked.clone() };
    [asked.clone(), asked.issued(NOW + minutes(1)).revoke(NOW + days(1)), narrowed]
}

fn codes() -> [AuthorizationCode; 2] {
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let fresh = AuthorizationCode {
        grant: GRANT,
        client: registered_client(),
        redirect_uri: redirect_uri(),
        challenge: CodeChallenge::parse(Some(challenge), Some("S256")).unwrap(),
        issued_at: NOW,
        redeemed_at: None,
    };
    [fresh.clone(), AuthorizationCode { redeemed_at: Some(NOW + minutes(1)), ..fresh }]
}

fn refresh_tokens() -> [RefreshToken; 2] {
    let first = RefreshToken {
        grant: GRANT,
        client: registered_client(),
        issued_at: NOW,
        family_started_at: NOW,
        replaced_at: None,
    };
    [first.clone(), RefreshToken { issued_at: NOW + days(1), replaced_at: Some(NOW + days(2)), ..first }]
}

fn signing_keys() -> [SigningKey; 4] {
    let states = [
        KeyState::Next,
        KeyState::Active { since: NOW },
        KeyState::Retired { since: NOW, verifies_until: NOW + days(366) },
        KeyState::Condemned { since: NOW },
    ];
    states.map(|state| SigningKey {
        id: KEY,
        state,
        public: [7; 32],
        sealed_secret: "v4.local.sealed".to_owned(),
        created_at: NOW,
    })
}

fn revocations() -> [RevocationEntry; 5] {
    let from = NOW + days(1);
    [
        Revocation::Token(TOKEN),
        Revocation::Grant(GRANT),
        Revocation::User { user: USER, issued_before: NOW },
        Revocation::TokenFrom { token: TOKEN, from },
        Revocation::GrantUntil { grant: GRANT, issued_before: NOW },
    ]
    .map(|revocation| RevocationEntry { revocation, revoked_at: NOW, expires_at: NOW + days(366) })
}

fn registered_client() -> ClientId {
    RegisteredClientId::from_bytes([8; 16]).into()
}

fn resource() -> ResourceUri {
    ResourceUri::parse("https://mcp.example.com/mcp").unwrap()
}

fn redirect_uri() -> RedirectUri {
    RedirectUri::parse("http://127.0.0.1:49152/callback").unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}
