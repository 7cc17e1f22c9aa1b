//! Passkeys, by people with an authenticator of the test's own: added, used after the password and alone.

use crate::events::lines;
use crate::support::{Answer, Appliance, Browser, Form, PASSWORD, post_forms};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyward::clock::minutes;
use keyward::event::EventKind;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::Value;

/// Where passkeys are made: a host with a name.
pub const ORIGIN: &str = "http://localhost:8080";
const SESSION: &str = "keyward-session";
const ADD: &str = "/dashboard/security/passkeys/new";
const ALONE: &str = "/login/passkey";
const AFTER: &str = "/login/second-factor/passkey";
const CONFIRM: &str = "/confirm";
const NEW_TOKEN: &str = "/dashboard/api-keys/new";

/// A security key with one passkey at most.
pub struct Authenticator {
    pair: Ed25519KeyPair,
    owner: Vec<u8>,
    counter: u32,
    /// Whether it asks for a finger.
    verifies: bool,
    origin: String,
}

type Fields = Vec<(&'static str, String)>;

fn appliance() -> Appliance {
    let mut appliance = Appliance::new();
    appliance.reconfigure(&[("KEYWARD_PUBLIC_URL", ORIGIN)]);
    appliance
}

fn options(page: &Answer, action: &str) -> Value {
    let form = Browser::form(page, action);
    serde_json::from_str(&form.options.expect("a question for an authenticator")).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(value.as_str().unwrap()).unwrap()
}

impl Authenticator {
    /// One with nothing in it.
    pub fn new() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
        Self { pair, owner: Vec::new(), counter: 0, verifies: true, origin: ORIGIN.to_owned() }
    }

    fn credential(&self) -> Vec<u8> {
        self.pair.public_key().as_ref()[..16].to_vec()
    }

    fn head(&mut self, party: &Value, flags: u8) -> Vec<u8> {
        self.counter += 1;
        let flags = flags | 0x01 | if self.verifies { 0x04 } else { 0 };
        let party = digest(&SHA256, party.as_str().unwrap().as_bytes());
        [party.as_ref(), &[flags], &self.counter.to_be_bytes()].concat()
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        let challenge = &options["challenge"];
        format!("{{\"type\":\"{kind}\",\"challenge\":{challenge},\"origin\":\"{}\"}}", self.origin).into_bytes()
    }

    /// Makes a passkey as the page asks.
    fn make(&mut self, options: &Value) -> Fields {
        self.owner = bytes(&options["user"]["id"]);
        let head = self.head(&options["rp"]["id"], 0x40);
        let key = [&[0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20], self.pair.public_key().as_ref()];
        let data = [&head[..], &[0; 16], &[0, 16], &self.credential(), &key.concat()].concat();
        vec![
            ("client_data", URL_SAFE_NO_PAD.encode(self.client_data("webauthn.create", options))),
            ("authenticator_data", URL_SAFE_NO_PAD.encode(data)),
        ]
    }

    /// Signs what the page asks.
    fn sign(&mut self, options: &Value) -> Fields {
        let client_data = self.client_data("webauthn.get", options);
        let data = self.head(&options["rpId"], 0);
        let signature = self.pair.sign(&[&data[..], digest(&SHA256, &client_data).as_ref()].concat());
        vec![
            ("credential", URL_SAFE_NO_PAD.encode(self.credential())),
            ("owner", URL_SAFE_NO_PAD.encode(&self.owner)),
            ("client_data", URL_SAFE_NO_PAD.encode(client_data)),
            ("authenticator_data", URL_SAFE_NO_PAD.encode(data)),
            ("signature", URL_SAFE_NO_PAD.encode(signature.as_ref())),
        ]
    }
}

async fn answer(appliance: &Appliance, browser: &mut Browser, page: &Answer, action: &str, fields: &Fields) -> Answer {
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    browser.submit(appliance, page, action, &fields).await
}

/// Ada's browser and her passkey.
async fn with_passkey(appliance: &Appliance) -> (Browser, Authenticator) {
    let mut browser = Browser::signed_in(appliance).await;
    let mut authenticator = Authenticator::new();
    add(appliance, &mut browser, &mut authenticator, "Blue key").await.expect(200);
    (browser, authenticator)
}

/// Adds a passkey to the account that is signed in in this browser.
pub async fn add(appliance: &Appliance, browser: &mut Browser, key: &mut Authenticator, name: &str) -> Answer {
    let page = browser.get(appliance, ADD).await.expect(200);
    let mut fields = key.make(&options(&page, ADD));
    fields.push(("name", name.to_owned()));
    answer(appliance, browser, &page, ADD, &fields).await
}

/// Signs in with the passkey alone, in this browser.
async fn alone(appliance: &Appliance, browser: &mut Browser, key: &mut Authenticator) -> Answer {
    let page = browser.get(appliance, "/login").await.expect(200);
    let fields = key.sign(&options(&page, ALONE));
    answer(appliance, browser, &page, ALONE, &fields).await
}

#[tokio::test]
async fn a_passkey_is_added_with_a_name_and_brings_recovery_codes() {
    let appliance = appliance();
    let mut browser = Browser::signed_in(&appliance).await;
    let before = browser.clone();
    let page = browser.get(&appliance, ADD).await.expect(200);
    let asked = options(&page, ADD);
    assert_eq!(asked["rp"]["id"], "localhost");
    assert_eq!((&asked["attestation"], &asked["timeout"]), (&"none".into(), &300_000.into()));
    assert!(page.body.contains("need JavaScript"));
    let mut key = Authenticator::new();
    let added = add(&appliance, &mut browser, &mut key, "Blue <key>").await.expect(200);
    assert!(added.body.contains("recovery codes"), "it is the first factor");
    assert_ne!(browser.cookies[SESSION], before.cookies[SESSION]);
    before.clone().get(&appliance, "/dashboard").await.expect(303);
    let security = browser.get(&appliance, "/dashboard/security").await.expect(200);
    assert!(security.body.contains("Blue &#60;key&#62;"), "{}", security.body);

    let page = browser.get(&appliance, ADD).await.expect(200);
    let known = options(&page, ADD)["excludeCredentials"].clone();
    assert_eq!(bytes(&known[0]["id"]), key.credential());
    let again = add(&appliance, &mut browser, &mut key, "Again").await.expect(422);
    assert!(again.body.contains("You have this passkey already."));
    add(&appliance, &mut browser, &mut Authenticator::new(), "Phone").await.expect(303);
    let events: Vec<_> = lines(&appliance).into_iter().map(|(_, event)| event.kind).collect();
    assert_eq!(events.iter().filter(|kind| **kind == EventKind::FactorAdded).count(), 2);
}

#[tokio::test]
async fn what_was_made_for_another_question_is_not_added() {
    let appliance = appliance();
    let mut browser = Browser::signed_in(&appliance).await;
    let page = browser.get(&appliance, ADD).await.expect(200);
    let asked = options(&page, ADD);
    let named = |mut fields: Fields, name: &str| {
        fields.push(("name", name.to_owned()));
        fields
    };
    let mut key = Authenticator::new();
    let mut evil = Authenticator { origin: "https://evil.example".to_owned(), ..Authenticator::new() };
    let other_page = browser.get(&appliance, ADD).await.expect(200);
    let other = key.make(&options(&other_page, ADD));
    for (fields, why) in [
        (named(evil.make(&asked), "x"), "another origin"),
        (named(other, "x"), "another page's challenge"),
        (named(key.make(&asked), " "), "no name"),
        (named(vec![], "x"), "no answer"),
    ] {
        let refused = answer(&appliance, &mut browser, &page, ADD, &fields).await;
        assert_eq!(refused.status, 422, "{why}: {}", refused.body);
    }
    let good = named(key.make(&asked), "Key");
    appliance.advance(minutes(5));
    answer(&appliance, &mut browser, &page, ADD, &good).await.expect(422);
    let mut other = Browser::signed_in(&appliance).await;
    let others = other.get(&appliance, ADD).await.expect(200);
    let theirs = key.make(&options(&others, ADD));
    let question = Browser::form(&others, ADD).fields.iter().find(|(name, _)| name == "question").unwrap().1.clone();
    let fields = [named(theirs, "Key"), vec![("question", question)]].concat();
    answer(&appliance, &mut browser, &page, ADD, &fields).await.expect(422);
    assert!(appliance.app.factors(&appliance.admin).unwrap().all.is_empty());
}

#[tokio::test]
async fn a_passkey_signs_in_after_the_password_and_not_before() {
    let appliance = appliance();
    let (_, mut key) = with_passkey(&appliance).await;
    key.verifies = false;
    let mut browser = Browser::new();
    let half = browser.sign_in(&appliance, "ada", PASSWORD).await.expect(303);
    assert!(!browser.cookies.contains_key(SESSION));
    let page = browser.get(&appliance, half.location()).await.expect(200);
    assert_eq!(bytes(&options(&page, AFTER)["allowCredentials"][0]["id"]), key.credential());
    let mut strange = Authenticator { owner: key.owner.clone(), ..Authenticator::new() };
    let wrong = strange.sign(&options(&page, AFTER));
    answer(&appliance, &mut browser, &page, AFTER, &wrong).await.expect(401);
    assert!(!browser.cookies.contains_key(SESSION));
    let right = key.sign(&options(&page, AFTER));
    answer(&appliance, &mut browser, &page, AFTER, &right).await.expect(303);
    browser.get(&appliance, "/dashboard").await.expect(200);

    let mut nobody = Browser::new();
    let login = nobody.get(&appliance, "/login").await.expect(200);
    let form = Browser::form(&login, "/login");
    let half = nobody.send(&appliance, AFTER, &form, &[("question", "x")]).await;
    assert!(half.status == 303 && half.location().starts_with("/login"), "{}", half.status);
}

#[tokio::test]
async fn a_passkey_that_knows_its_owner_signs_in_alone() {
    let appliance = appliance();
    let (_, mut key) = with_passkey(&appliance).await;
    let mut browser = Browser::new();
    let signed_in = alone(&appliance, &mut browser, &mut key).await.expect(303);
    assert_eq!(signed_in.location(), "/dashboard");
    browser.get(&appliance, "/dashboard").await.expect(200);
    let last = lines(&appliance).pop().unwrap().1;
    assert_eq!((last.kind, last.note.as_str()), (EventKind::SignedIn, "with a passkey"));

    key.verifies = false;
    alone(&appliance, &mut Browser::new(), &mut key).await.expect(401);
    key.verifies = true;
    let mut strange = Authenticator { owner: key.owner.clone(), ..Authenticator::new() };
    alone(&appliance, &mut Browser::new(), &mut strange).await.expect(401);
    let mut nobodys = Authenticator { owner: vec![7; 16], ..Authenticator::new() };
    alone(&appliance, &mut Browser::new(), &mut nobodys).await.expect(401);
    let mut evil = Authenticator { origin: "http://127.0.0.1:8080".to_owned(), ..key };
    alone(&appliance, &mut Browser::new(), &mut evil).await.expect(401);
    let mut back = Authenticator { counter: 1, origin: ORIGIN.to_owned(), ..evil };
    alone(&appliance, &mut Browser::new(), &mut back).await.expect(401);
}

#[tokio::test]
async fn a_question_is_answered_once_in_its_browser_and_in_time() {
    let appliance = appliance();
    let (_, mut key) = with_passkey(&appliance).await;
    let mut browser = Browser::new();
    let page = browser.get(&appliance, "/login").await.expect(200);
    let fields = key.sign(&options(&page, ALONE));
    let mut thief = Browser::new();
    let own = thief.get(&appliance, "/login").await.expect(200);
    let question = Browser::form(&page, ALONE).fields.iter().find(|(name, _)| name == "question").unwrap().1.clone();
    let stolen = [fields.clone(), vec![("question", question)]].concat();
    answer(&appliance, &mut thief, &own, ALONE, &stolen).await.expect(401);

    let copy = browser.clone();
    answer(&appliance, &mut browser, &page, ALONE, &fields).await.expect(303);
    // Counters would stop the second answer as well: this one has counted on.
    let later = key.sign(&options(&page, ALONE));
    answer(&appliance, &mut copy.clone(), &page, ALONE, &later).await.expect(401);

    let mut slow = Browser::new();
    let page = slow.get(&appliance, "/login").await.expect(200);
    let fields = key.sign(&options(&page, ALONE));
    appliance.advance(minutes(5));
    answer(&appliance, &mut slow, &page, ALONE, &fields).await.expect(401);
    let half = slow.sign_in(&appliance, "ada", PASSWORD).await.expect(303);
    let after = slow.get(&appliance, half.location()).await.expect(200);
    let for_the_other_act = key.sign(&options(&after, AFTER));
    let login = slow.get(&appliance, "/login").await.expect(200);
    answer(&appliance, &mut slow, &login, ALONE, &for_the_other_act).await.expect(401);
}

#[tokio::test]
async fn whoever_is_disabled_or_has_removed_it_gets_in_no_more() {
    let mut appliance = appliance();
    appliance.add_member("ben");
    let mut bens = Browser::new();
    bens.sign_in(&appliance, "ben", PASSWORD).await.expect(303);
    let mut key = Authenticator::new();
    add(&appliance, &mut bens, &mut key, "Ben's key").await.expect(200);
    let ben = appliance.app.users("ben", 1).unwrap().entries[0].user.id;
    appliance.app.disable_user(appliance.by_admin(), ben).unwrap();
    alone(&appliance, &mut Browser::new(), &mut key).await.expect(401);
    appliance.app.enable_user(appliance.by_admin(), ben).unwrap();
    alone(&appliance, &mut Browser::new(), &mut key).await.expect(303);
    let factor = appliance.app.factors(&appliance.app.user_entry(ben).unwrap().user).unwrap().all[0].id;
    appliance.app.remove_factor(ben, factor).unwrap();
    alone(&appliance, &mut Browser::new(), &mut key).await.expect(401);
}

/// The form of a page that asks who is there, for an authenticator.
#[track_caller]
fn asked(page: &Answer) -> Form {
    let mut forms = post_forms(&page.body).into_iter();
    forms.find(|form| form.options.is_some()).unwrap_or_else(|| panic!("no passkey is asked for: {}", page.body))
}

fn question(form: &Form) -> (&'static str, String) {
    ("question", form.fields.iter().find(|(name, _)| name == "question").unwrap().1.clone())
}

/// Sends this form with an answer of this key to its question.
async fn prove(appliance: &Appliance, browser: &mut Browser, form: &Form, key: &mut Authenticator) -> Answer {
    let fields = key.sign(&serde_json::from_str(form.options.as_ref().unwrap()).unwrap());
    send(appliance, browser, form, &fields).await
}

async fn send(appliance: &Appliance, browser: &mut Browser, form: &Form, fields: &Fields) -> Answer {
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    browser.send(appliance, form.action.as_ref().unwrap(), form, &fields).await
}

/// The page that asks who is there, ten minutes after the last proof.
async fn confirm(appliance: &Appliance, browser: &mut Browser) -> Answer {
    browser.get(appliance, "/confirm?next=%2Fdashboard%2Fsecurity").await.expect(200)
}

#[tokio::test]
async fn whoever_signs_in_by_passkey_only_proves_by_it_that_it_is_still_them() {
    let appliance = appliance();
    let (_, mut key) = with_passkey(&appliance).await;
    let mut browser = Browser::new();
    alone(&appliance, &mut browser, &mut key).await.expect(303);
    let page = browser.get(&appliance, NEW_TOKEN).await.expect(200);
    appliance.advance(minutes(10));
    let before = browser.clone();
    let waits = browser.submit(&appliance, &page, NEW_TOKEN, &[("name", "Laptop"), ("expiry", "7")]).await.expect(401);
    let form = asked(&waits);
    assert_eq!(form.action.as_deref(), Some(NEW_TOKEN));
    let options: Value = serde_json::from_str(form.options.as_ref().unwrap()).unwrap();
    assert_eq!(options["userVerification"], "required");
    assert_eq!(bytes(&options["allowCredentials"][0]["id"]), key.credential());

    let mut strange = Authenticator { owner: key.owner.clone(), ..Authenticator::new() };
    let refused = prove(&appliance, &mut browser, &form, &mut strange).await.expect(401);
    assert!(refused.body.contains("This passkey was not accepted"), "{}", refused.body);
    let nothing = send(&appliance, &mut browser, &form, &Vec::new()).await.expect(401);
    assert!(nothing.body.contains("This passkey was not accepted"));
    key.verifies = false;
    prove(&appliance, &mut browser, &form, &mut key).await.expect(401);
    assert!(appliance.app.personal_tokens(appliance.admin.id).unwrap().is_empty());

    key.verifies = true;
    let made = prove(&appliance, &mut browser, &asked(&refused), &mut key).await.expect(200);
    assert!(made.body.contains("eyJ0eXAiOiJwYXQrand0"), "the form that waited is done");
    assert_ne!(browser.cookies[SESSION], before.cookies[SESSION]);
    before.clone().get(&appliance, "/dashboard").await.expect(303);
    let events = lines(&appliance);
    let proved = events.iter().rev().find(|(_, event)| event.kind == EventKind::ProvedAgain).unwrap();
    assert_eq!(proved.1.note, "with a passkey");
    assert!(events.iter().any(|(_, event)| event.kind == EventKind::FactorFailed));
    browser.get(&appliance, "/confirm?next=%2Fdashboard%2Fsecurity").await.expect(303);

    appliance.advance(minutes(10));
    let page = confirm(&appliance, &mut browser).await;
    let on = prove(&appliance, &mut browser, &asked(&page), &mut key).await.expect(303);
    assert_eq!(on.location(), "/dashboard/security");
    appliance.advance(minutes(10));
    let page = confirm(&appliance, &mut browser).await;
    browser.submit(&appliance, &page, CONFIRM, &[("password", PASSWORD)]).await.expect(303);
}

#[tokio::test]
async fn a_passkey_proves_only_whose_it_is_to_the_question_of_this_session_and_once() {
    let mut appliance = appliance();
    appliance.add_member("ben");
    let (mut browser, mut key) = with_passkey(&appliance).await;
    let mut bens = Browser::new();
    bens.sign_in(&appliance, "ben", PASSWORD).await.expect(303);
    let mut bens_key = Authenticator::new();
    add(&appliance, &mut bens, &mut bens_key, "Ben's key").await.expect(200);
    let mut other = Browser::new();
    alone(&appliance, &mut other, &mut key).await.expect(303);
    appliance.advance(minutes(10));

    let (page, elsewhere) = (confirm(&appliance, &mut browser).await, confirm(&appliance, &mut other).await);
    let (form, of_the_other) = (asked(&page), asked(&elsewhere));
    prove(&appliance, &mut browser, &form, &mut bens_key).await.expect(401);
    let mut as_ada = Authenticator { owner: key.owner.clone(), ..bens_key };
    prove(&appliance, &mut browser, &form, &mut as_ada).await.expect(401);
    let bens_page = confirm(&appliance, &mut bens).await;
    prove(&appliance, &mut bens, &asked(&bens_page), &mut key).await.expect(401);

    let mut sign_for = |form: &Form| key.sign(&serde_json::from_str(form.options.as_ref().unwrap()).unwrap());
    let another = [sign_for(&of_the_other), vec![question(&of_the_other)]].concat();
    send(&appliance, &mut browser, &form, &another).await.expect(401);
    let mut visitor = Browser::new();
    let login = visitor.get(&appliance, "/login").await.expect(200);
    let for_sign_in = [sign_for(&asked(&login)), vec![question(&asked(&login))]].concat();
    send(&appliance, &mut browser, &form, &for_sign_in).await.expect(401);
    let for_this = [sign_for(&form), vec![question(&form)]].concat();
    send(&appliance, &mut visitor, &asked(&login), &for_this).await.expect(401);
    let half = visitor.sign_in(&appliance, "ada", PASSWORD).await.expect(303);
    let after = visitor.get(&appliance, half.location()).await.expect(200);
    send(&appliance, &mut visitor, &asked(&after), &for_this).await.expect(401);
    let for_half = [sign_for(&asked(&after)), vec![question(&asked(&after))]].concat();
    send(&appliance, &mut browser, &form, &for_half).await.expect(401);
    confirm(&appliance, &mut browser).await;

    let right = sign_for(&form);
    send(&appliance, &mut browser, &form, &right).await.expect(303);
    appliance.advance(minutes(4));
    // Its counter would stop the same answer: this one has counted on.
    let again = sign_for(&form);
    send(&appliance, &mut browser, &form, &again).await.expect(401);
    appliance.advance(minutes(6));
    let late = asked(&confirm(&appliance, &mut browser).await);
    appliance.advance(minutes(5));
    let answer = sign_for(&late);
    send(&appliance, &mut browser, &late, &answer).await.expect(401);
}

#[tokio::test]
async fn wrong_passkeys_count_with_wrong_passwords_and_a_right_one_waits_for_nothing() {
    let appliance = appliance();
    let (mut browser, mut key) = with_passkey(&appliance).await;
    appliance.advance(minutes(10));
    let page = confirm(&appliance, &mut browser).await;
    for _ in 0..4 {
        let mut strange = Authenticator { owner: key.owner.clone(), ..Authenticator::new() };
        prove(&appliance, &mut browser, &asked(&page), &mut strange).await.expect(401);
    }
    let slowed = browser.submit(&appliance, &page, CONFIRM, &[("password", PASSWORD)]).await.expect(429);
    prove(&appliance, &mut browser, &asked(&slowed), &mut key).await.expect(303);
    appliance.advance(minutes(10));
    let page = confirm(&appliance, &mut browser).await;
    browser.submit(&appliance, &page, CONFIRM, &[("password", PASSWORD)]).await.expect(303);
}

#[tokio::test]
async fn a_passkey_that_was_made_while_the_proof_grew_old_is_added_after_the_next() {
    let appliance = appliance();
    let mut browser = Browser::signed_in(&appliance).await;
    appliance.advance(minutes(9));
    let page = browser.get(&appliance, ADD).await.expect(200);
    appliance.advance(minutes(2));
    let mut fields = Authenticator::new().make(&options(&page, ADD));
    fields.push(("name", "Blue key".to_owned()));
    let waits = answer(&appliance, &mut browser, &page, ADD, &fields).await.expect(401);
    browser.submit(&appliance, &waits, ADD, &[("password", PASSWORD)]).await.expect(200);
    assert_eq!(appliance.app.factors(&appliance.admin).unwrap().all.len(), 1);
}

#[tokio::test]
async fn an_address_without_a_name_has_no_passkeys() {
    let appliance = Appliance::new();
    let mut browser = Browser::signed_in(&appliance).await;
    assert!(!Browser::new().get(&appliance, "/login").await.expect(200).body.contains("passkey"));
    let security = browser.get(&appliance, "/dashboard/security").await.expect(200);
    assert!(!security.body.contains(ADD) && security.body.contains("they need a host name"));
    let page = browser.get(&appliance, ADD).await.expect(404);
    assert!(page.body.contains("host name"), "{}", page.body);
}
