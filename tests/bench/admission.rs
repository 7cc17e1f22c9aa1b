//! What does the check of a token cost by itself, without HTTP? The steps of the gateway's admission on a real appliance.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, VerifyingKey};
use keyward::access::{Operation, decide};
use keyward::account::user::User;
use keyward::app::App;
use keyward::app::usage::CallerRef;
use keyward::clock::days;
use keyward::config::{Given, load};
use keyward::entropy::OsEntropy;
use keyward::id::TokenId;
use keyward::oauth::scope::ScopeSet;
use keyward::serve::Appliance;
use keyward::token::{Audience, PersonalGrant, TokenIssuer, Verifier, VerifierOptions};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Tokens of a round at first sight.
const TOKENS: u32 = 2_000;
/// So many at a time at first sight: some milliseconds.
const FEW: usize = 20;
/// Admissions of a round with tokens seen before.
const SEEN: u32 = 500_000;

/// Times of one, medians of the rounds.
pub struct Times {
    pub seen: Duration,
    pub first: Duration,
    pub bare: Duration,
}

/// A token, and what a bare verification needs of it.
struct Sample {
    token: String,
    message: Vec<u8>,
    signature: Signature,
}

pub fn measure(rounds: usize) -> Times {
    let variables = vec![("KEYWARD_LISTEN".to_owned(), "127.0.0.1:0".to_owned())];
    let appliance = Appliance::in_memory(load(Given { variables, ..Given::default() }).unwrap()).unwrap();
    let app = appliance.app();
    let user = app.seed_admin("bench", "four quiet random words").unwrap();
    let samples: Vec<Sample> = (0..TOKENS).map(|_| sample(app, &user)).collect();
    let key = VerifyingKey::from_bytes(app.live().keys().signer().public()).unwrap();

    // Fewer places than tokens: each token has been forgotten when it comes again, and memory is as in a server that has run
    // for a while, not fresh from the system.
    let options = VerifierOptions { cache_slots: 256, ..VerifierOptions::default() };
    let verifier = Verifier::new(app.options().issuer.clone(), options);
    for sample in &samples {
        admit(app, &verifier, &sample.token);
    }

    let (mut bare, mut first, mut seen) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        // In turn, a few at a time: a machine whose speed changes by the second is as fast for the one as for the other.
        let (mut bare_sum, mut first_sum) = (Duration::ZERO, Duration::ZERO);
        for few in samples.chunks(FEW) {
            bare_sum += time(|| {
                for sample in few {
                    black_box(&key).verify_strict(&sample.message, &sample.signature).unwrap();
                }
            });
            first_sum += time(|| {
                for sample in few {
                    admit(app, &verifier, black_box(&sample.token));
                }
            });
        }
        bare.push(bare_sum / TOKENS);
        first.push(first_sum / TOKENS);
        admit(app, app.live().verifier(), &samples[0].token);
        let all = time(|| {
            for _ in 0..SEEN {
                admit(app, app.live().verifier(), black_box(&samples[0].token));
            }
        });
        seen.push(all / SEEN);
    }
    let [bare, first, seen] = [bare, first, seen].map(crate::median);
    Times { seen, first, bare }
}

/// What the gateway asks of every request, in its order.
fn admit(app: &App, verifier: &Verifier, presented: &str) {
    let (live, now) = (app.live(), app.now());
    let servers = live.servers();
    let server = servers.by_path("/mcp").unwrap();
    let genuine = verifier.verify(presented, &live.keys(), live.revoked(), now).unwrap();
    let token = genuine.for_resource(&server.resource).unwrap();
    let claims = token.claims();
    let user = live.user(claims.user).unwrap();
    let caller = CallerRef { address: None, user_agent: "bench/1" };
    live.usage().tokens.record(claims.id, now, caller);
    black_box(decide(&token, user.person(), server, &Operation::Housekeeping).unwrap());
    black_box((token, user));
}

fn sample(app: &App, user: &User) -> Sample {
    let now = app.now();
    let grant = PersonalGrant { user: user.id, audience: Audience::EveryServer, scopes: ScopeSet::mcp() };
    let id = TokenId::generate(now, &OsEntropy);
    let issuer = TokenIssuer::new(app.options().issuer.clone(), days(366));
    let token = issuer.personal(app.live().keys().signer(), id, grant, now, now + days(365)).unwrap();
    let token = token.expose().to_owned();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    Sample { message: message.as_bytes().to_vec(), signature: Signature::from_slice(&signature).unwrap(), token }
}

fn time(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}
