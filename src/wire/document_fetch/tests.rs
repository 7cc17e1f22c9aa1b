//! The fetcher against a real TLS server on loopback, with a resolver that says what the test wants.

use super::*;
use crate::oauth::client::{AuthMethod, Client, ClientId};
use crate::oauth::client_assertion::ASSERTION_TYPE;
use crate::oauth::client_authentication::{Authentication, ClientCredentials, ClientParameters};
use crate::wire::public_resolver::Answer;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// For `app.test`, `other.test`, `localhost` and `127.0.0.1`, good from 2020 to 2120; it guards nothing.
const CERTIFICATE: &str = include_str!("../../../tests/it/support/tls/certificate.pem");
const PRIVATE_KEY: &str = include_str!("../../../tests/it/support/tls/private_key.pem");
const NOW: Timestamp = Timestamp::from_unix_seconds(1_790_000_000);

/// A web server of the client's maker.
struct Site {
    port: u16,
    answers: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    /// Request line and headers of every request.
    requests: Arc<Mutex<Vec<String>>>,
    pause: Arc<Mutex<Duration>>,
    most_at_once: Arc<AtomicUsize>,
}

impl Site {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let site = Self {
            port,
            answers: Arc::default(),
            requests: Arc::default(),
            pause: Arc::default(),
            most_at_once: Arc::default(),
        };
        let tls = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                CertificateDer::pem_slice_iter(CERTIFICATE.as_bytes()).collect::<Result<_, _>>().unwrap(),
                PrivateKeyDer::from_pem_slice(PRIVATE_KEY.as_bytes()).unwrap(),
            )
            .unwrap();
        let tls = Arc::new(tls);
        let (answers, requests) = (Arc::clone(&site.answers), Arc::clone(&site.requests));
        let (pause, most, here) =
            (Arc::clone(&site.pause), Arc::clone(&site.most_at_once), Arc::new(AtomicUsize::new(0)));
        std::thread::spawn(move || {
            for tcp in listener.incoming() {
                let (answers, requests, tls) = (Arc::clone(&answers), Arc::clone(&requests), Arc::clone(&tls));
                let (pause, most, here) = (Arc::clone(&pause), Arc::clone(&most), Arc::clone(&here));
                std::thread::spawn(move || -> io::Result<()> {
                    let connection = rustls::ServerConnection::new(tls).map_err(io::Error::other)?;
                    let mut stream = BufReader::new(rustls::StreamOwned::new(connection, tcp?));
                    let mut head = String::new();
                    while !head.ends_with("\r\n\r\n") {
                        if stream.read_line(&mut head)? == 0 {
                            return Ok(());
                        }
                    }
                    most.fetch_max(here.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                    requests.lock().unwrap().push(head);
                    let pause = *pause.lock().unwrap();
                    std::thread::sleep(pause);
                    here.fetch_sub(1, Ordering::SeqCst);
                    let answer = answers.lock().unwrap().get(&path).cloned();
                    let answer =
                        answer.unwrap_or_else(|| b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec());
                    let stream = stream.get_mut();
                    stream.write_all(&answer)?;
                    stream.conn.send_close_notify();
                    stream.flush()
                });
            }
        });
        site
    }

    fn url(&self, path: &str) -> DocumentUrl {
        DocumentUrl::parse(&format!("https://app.test:{}{path}", self.port)).unwrap()
    }

    /// `path` answers with status 200, these header lines and this body.
    fn answer(&self, path: &str, headers: &str, body: &str) -> DocumentUrl {
        let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len());
        self.answer_bytes(path, text.into_bytes())
    }

    fn answer_bytes(&self, path: &str, bytes: Vec<u8>) -> DocumentUrl {
        self.answers.lock().unwrap().insert(path.to_owned(), bytes);
        self.url(path)
    }

    /// `path` answers with a sound client document.
    fn document(&self, path: &str, headers: &str) -> DocumentUrl {
        let body = document(&self.url(path)).to_string();
        self.answer(path, &format!("content-type: application/json\r\n{headers}"), &body)
    }

    fn requests(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

fn document(url: &DocumentUrl) -> Value {
    json!({"client_id": url.as_str(), "client_name": "App", "redirect_uris": ["https://app.test/cb"]})
}

/// Gives the answers in turn, the last one again and again, whatever the host.
struct Answers {
    answers: Mutex<Vec<Vec<IpAddr>>>,
    asked: AtomicUsize,
}

impl Answers {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parsed = |list: &&[&str]| list.iter().map(|address| address.parse().unwrap()).collect();
        Arc::new(Self { answers: Mutex::new(answers.iter().map(parsed).collect()), asked: AtomicUsize::new(0) })
    }
}

impl AddressLookup for Answers {
    fn addresses<'a>(&'a self, _: &'a str) -> Answer<'a> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
        Box::pin(async move { Ok(answer) })
    }
}

fn options() -> FetchOptions {
    FetchOptions {
        allow_loopback: true,
        roots: Roots::with(CERTIFICATE.as_bytes()).unwrap(),
        ..FetchOptions::default()
    }
}

fn fetcher(lookup: &Arc<Answers>) -> DocumentFetcher {
    DocumentFetcher::with_lookup(options(), Arc::clone(lookup) as Arc<dyn AddressLookup>)
}

fn to_loopback() -> DocumentFetcher {
    fetcher(&Answers::new(&[&["127.0.0.1"]]))
}

#[tokio::test]
async fn a_document_is_fetched_with_a_plain_get() {
    let site = Site::start();
    let url = site.document("/client.json?v=1", "");
    let found = to_loopback().document(&url, NOW).await.unwrap();
    assert_eq!(found.source, DocumentSource::Live);
    assert_eq!(found.document.id().as_str(), url.as_str());
    let head = site.requests.lock().unwrap()[0].to_ascii_lowercase();
    assert!(head.starts_with("get /client.json?v=1 http/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("host: app.test:{}\r\n", site.port)), "{head}");
    let names: Vec<_> = head.lines().skip(1).filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
    assert!(names.iter().all(|name| ["accept", "user-agent", "host"].contains(name)), "nothing of ours: {names:?}");
}

#[tokio::test]
async fn a_host_that_leads_inside_is_not_connected_to() {
    let site = Site::start();
    let url = site.document("/client.json", "");
    for inside in ["10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "fd00::1", "0.0.0.0", "64:ff9b::7f00:1"] {
        let lookup = Answers::new(&[&["127.0.0.1", inside]]);
        let refusal = fetcher(&lookup).document(&url, NOW).await.unwrap_err();
        assert_eq!(refusal, FetchError::Host(HostRefusal::NotPublic { address: inside.parse().unwrap() }));
        assert!(!refusal.to_string().contains(inside), "a stranger may read it");
    }
    let strict = FetchOptions { allow_loopback: false, ..options() };
    let lookup = Answers::new(&[&["127.0.0.1"]]);
    let strict = DocumentFetcher::with_lookup(strict, lookup);
    assert!(matches!(strict.document(&url, NOW).await, Err(FetchError::Host(HostRefusal::NotPublic { .. }))));
    let nowhere = fetcher(&Answers::new(&[&[]])).document(&url, NOW).await;
    assert_eq!(nowhere, Err(FetchError::Host(HostRefusal::NoAddress)));
    assert_eq!(site.requests(), 0);
}

#[tokio::test]
async fn an_ip_address_in_the_url_is_checked_though_no_resolver_is_asked() {
    let site = Site::start();
    let lookup = Answers::new(&[&["8.8.8.8"]]);
    let url = DocumentUrl::parse(&format!("https://127.0.0.1:{}/client.json", site.port)).unwrap();
    site.answer("/client.json", "content-type: application/json\r\n", &document(&url).to_string());
    assert!(fetcher(&lookup).document(&url, NOW).await.is_ok());
    let strict = FetchOptions { allow_loopback: false, ..options() };
    let strict = DocumentFetcher::with_lookup(strict, Arc::clone(&lookup) as Arc<dyn AddressLookup>);
    assert!(matches!(strict.document(&url, NOW).await, Err(FetchError::Host(HostRefusal::NotPublic { .. }))));
    assert_eq!((lookup.asked.load(Ordering::SeqCst), site.requests()), (0, 1));
}

#[tokio::test]
async fn a_name_that_changes_its_address_gains_nothing() {
    let site = Site::start();
    let lookup = Answers::new(&[&["127.0.0.1"], &["10.0.0.1"]]);
    let fetcher = fetcher(&lookup);
    let url = site.document("/one.json", "");
    assert!(fetcher.document(&url, NOW).await.is_ok());
    assert_eq!(lookup.asked.load(Ordering::SeqCst), 1, "one look-up, and its answer is what is dialled");
    let again = fetcher.document(&site.document("/two.json", ""), NOW).await;
    assert!(matches!(again, Err(FetchError::Host(HostRefusal::NotPublic { .. }))), "no kept connection either");
}

#[tokio::test]
async fn only_200_with_json_of_the_right_size_counts() {
    let site = Site::start();
    let fetcher = to_loopback();
    let url = site.url("/a.json");
    let body = document(&url).to_string();
    for content_type in ["application/json; charset=utf-8", "APPLICATION/JSON", "application/cimd+json"] {
        let url = site.answer("/a.json", &format!("content-type: {content_type}\r\n"), &body);
        assert!(fetcher.fetch(&url, MAX_DOCUMENT).await.is_ok(), "{content_type}");
    }
    for headers in [
        "content-type: text/html\r\n",
        "content-type: text/json\r\n",
        "content-type: application/javascript\r\n",
        "content-type: application/+json\r\n",
        "content-type: application/json\r\ncontent-encoding: gzip\r\n",
        "",
    ] {
        let url = site.answer("/a.json", headers, &body);
        assert_eq!(fetcher.fetch(&url, MAX_DOCUMENT).await, Err(FetchError::NotJson), "{headers}");
    }
    for status in [201, 204, 206, 301, 302, 307, 308, 403, 404, 500] {
        let away = format!(
            "HTTP/1.1 {status} X\r\nlocation: https://app.test:{}/b.json\r\ncontent-type: application/json\r\ncontent-length: 0\r\n\r\n",
            site.port
        );
        let url = site.answer_bytes("/a.json", away.into_bytes());
        assert_eq!(fetcher.fetch(&url, MAX_DOCUMENT).await, Err(FetchError::Status(status)));
    }
    assert!(!site.requests.lock().unwrap().iter().any(|head| head.contains("/b.json")), "no redirect is followed");

    let fits = " ".repeat(MAX_DOCUMENT);
    let url = site.answer("/a.json", "content-type: application/json\r\n", &fits);
    assert_eq!(fetcher.fetch(&url, MAX_DOCUMENT).await.unwrap().0.len(), MAX_DOCUMENT);
    let large = Err(FetchError::TooLarge(MAX_DOCUMENT));
    let url = site.answer("/a.json", "content-type: application/json\r\n", &format!("{fits} "));
    assert_eq!(fetcher.fetch(&url, MAX_DOCUMENT).await, large);
    let endless = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{}",
        format!("400\r\n{}\r\n", " ".repeat(1024)).repeat(6)
    );
    let url = site.answer_bytes("/a.json", endless.into_bytes());
    assert_eq!(fetcher.fetch(&url, MAX_DOCUMENT).await, large);
    for broken in [
        "",
        "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\ncontent-type: application/json\r\n\r\n{",
    ] {
        let url = site.answer_bytes("/a.json", broken.as_bytes().to_vec());
        assert!(matches!(fetcher.fetch(&url, MAX_DOCUMENT).await, Err(FetchError::Connection(_))), "{broken}");
    }
    let headers = format!("content-type: application/json\r\nx: {}\r\n", "x".repeat(20_000));
    let url = site.answer("/a.json", &headers, &body);
    assert!(matches!(fetcher.fetch(&url, MAX_DOCUMENT).await, Err(FetchError::Connection(_))), "too long a head");
}

#[tokio::test]
async fn the_certificate_is_checked() {
    let site = Site::start();
    let url = site.document("/client.json", "");
    let lookup = Answers::new(&[&["127.0.0.1"]]);
    let public_roots = FetchOptions { roots: Roots::public(), ..options() };
    let untrusting = DocumentFetcher::with_lookup(public_roots, Arc::clone(&lookup) as Arc<dyn AddressLookup>);
    assert!(matches!(untrusting.document(&url, NOW).await, Err(FetchError::Connection(_))));
    let other_name = DocumentUrl::parse(&format!("https://stranger.test:{}/client.json", site.port)).unwrap();
    assert!(matches!(fetcher(&lookup).document(&other_name, NOW).await, Err(FetchError::Connection(_))));
    assert_eq!(site.requests(), 0);
    for wrong in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"] {
        assert!(Roots::with(wrong.as_bytes()).is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn a_slow_site_is_given_up() {
    let site = Site::start();
    let url = site.document("/client.json", "");
    *site.pause.lock().unwrap() = Duration::from_secs(3);
    let fetcher = DocumentFetcher { timeout: Duration::from_millis(200), ..to_loopback() };
    assert_eq!(fetcher.document(&url, NOW).await, Err(FetchError::Timeout));
}

#[tokio::test]
async fn at_most_ten_fetches_run_at_once() {
    let site = Site::start();
    *site.pause.lock().unwrap() = Duration::from_millis(100);
    let fetcher = Arc::new(to_loopback());
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..25 {
        let (fetcher, url) = (Arc::clone(&fetcher), site.document(&format!("/{number}.json"), ""));
        tasks.spawn(async move { fetcher.document(&url, NOW).await.map(|_| ()) });
    }
    assert!(tasks.join_all().await.into_iter().all(|outcome| outcome.is_ok()));
    assert!(site.most_at_once.load(Ordering::SeqCst) <= MAX_FETCHES);
}

#[tokio::test]
async fn a_good_document_is_kept_and_a_failure_is_not() {
    let site = Site::start();
    let fetcher = to_loopback();
    let url = site.document("/kept.json", "cache-control: max-age=3600\r\n");
    for (later, requests) in [(0, 1), (59, 1), (60, 2)] {
        fetcher.document(&url, NOW + minutes(later)).await.unwrap();
        assert_eq!(site.requests(), requests, "after {later} minutes");
    }

    let url = site.url("/late.json");
    assert_eq!(fetcher.document(&url, NOW).await, Err(FetchError::Status(404)));
    site.answer("/late.json", "content-type: application/json\r\ncache-control: max-age=3600\r\n", "{}");
    assert_eq!(fetcher.document(&url, NOW).await, Err(FetchError::Document(DocumentError::OtherClient)));
    site.document("/late.json", "");
    assert!(fetcher.document(&url, NOW).await.is_ok());
}

#[tokio::test]
async fn a_well_known_client_is_known_when_its_document_cannot_be_had() {
    let url = DocumentUrl::parse("https://claude.ai/oauth/claude-code-client-metadata").unwrap();
    let lookup = Answers::new(&[&[]]);
    let fetcher = fetcher(&lookup);
    let blocked = fetcher.document(&url, NOW).await.unwrap();
    for (later, asked) in [(0, 1), (59, 1), (60, 2)] {
        assert_eq!(fetcher.document(&url, NOW + Duration::from_secs(later)).await.as_ref(), Ok(&blocked));
        assert_eq!(lookup.asked.load(Ordering::SeqCst), asked, "after {later} s");
    }
    let off = DocumentFetcher::new(FetchOptions { live: false, ..FetchOptions::default() });
    let off_found = off.document(&url, NOW).await.unwrap();
    assert_eq!(blocked, off_found);
    assert_eq!(off_found.source, DocumentSource::BuiltIn("2026-09-24"));
    let other = DocumentUrl::parse("https://app.test/client.json").unwrap();
    assert_eq!(off.document(&other, NOW).await, Err(FetchError::Off));
}

fn signed(pair: &Ed25519KeyPair, client: &str, key: &str) -> String {
    let header = json!({"alg": "EdDSA", "kid": key});
    let claims =
        json!({"iss": client, "sub": client, "aud": "https://k.test", "jti": "j", "exp": NOW.unix_seconds() + 60});
    let signed = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(pair.sign(signed.as_bytes())))
}

fn pending(client: &Client, assertion: &str) -> PendingAssertion {
    let form = ClientParameters {
        client_assertion_type: Some(ASSERTION_TYPE),
        client_assertion: Some(assertion),
        ..ClientParameters::default()
    };
    match ClientCredentials::parse(None, form).unwrap().against(client.clone()).unwrap() {
        Authentication::NeedsKeys(pending) => *pending,
        Authentication::Done(_) => panic!("its keys are needed"),
    }
}

#[tokio::test]
async fn keys_are_fetched_again_when_a_client_has_rotated_them() {
    let site = Site::start();
    let fetcher = to_loopback();
    let [old, new] = [1, 2].map(|seed| Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap());
    let publish = |pair: &Ed25519KeyPair, id: &str| {
        let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let set = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": id, "x": x}]}).to_string();
        site.answer("/jwks.json", "content-type: application/jwk-set+json\r\ncache-control: max-age=86400\r\n", &set)
    };
    let mut client = ClientDocument::parse(&site.url("/c"), document(&site.url("/c")).to_string().as_bytes())
        .unwrap()
        .to_client(NOW);
    client.metadata.auth_method = AuthMethod::PrivateKeyJwt;
    client.metadata.jwks_uri = Some(publish(&old, "old").as_str().to_owned());
    let check = async |pair: &Ed25519KeyPair, id: &str, now: Timestamp| {
        let pending = pending(&client, &signed(pair, client.id.as_str(), id));
        fetcher.check_assertion(&pending, &["https://k.test"], now).await.map(|(proved, _)| proved.into_client())
    };

    assert_eq!(check(&old, "old", NOW).await.as_ref(), Ok(&client));
    assert_eq!(check(&old, "old", NOW + Duration::from_secs(30)).await.as_ref(), Ok(&client));
    assert_eq!(site.requests(), 1);
    publish(&new, "new");
    let soon = check(&new, "new", NOW + Duration::from_secs(59)).await.unwrap_err();
    assert_eq!((soon.code(), site.requests()), (ErrorCode::InvalidClient, 1), "not more often than once a minute");
    assert_eq!(check(&new, "new", NOW + minutes(1)).await.as_ref(), Ok(&client));
    assert_eq!(site.requests(), 2);
    let forged = check(&old, "new", NOW + minutes(1)).await.unwrap_err();
    assert_eq!((forged.code(), site.requests()), (ErrorCode::InvalidClient, 2), "a bad signature fetches nothing");
}

#[tokio::test]
async fn a_client_whose_keys_cannot_be_had_now_is_told_to_come_again() {
    let site = Site::start();
    let pair = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap();
    let mut client = ClientDocument::parse(&site.url("/c"), document(&site.url("/c")).to_string().as_bytes())
        .unwrap()
        .to_client(NOW);
    client.metadata.auth_method = AuthMethod::PrivateKeyJwt;
    client.metadata.jwks_uri = Some(site.url("/none.json").as_str().to_owned());
    let unready = pending(&client, &signed(&pair, client.id.as_str(), "k"));
    let error = to_loopback().check_assertion(&unready, &["https://k.test"], NOW).await.unwrap_err();
    assert_eq!((error.code(), error.status()), (ErrorCode::TemporarilyUnavailable, 503));

    let fetcher = to_loopback();
    let asked = site.requests();
    for later in [0, 1, 59] {
        let now = NOW + Duration::from_secs(later);
        assert!(fetcher.check_assertion(&unready, &["https://k.test"], now).await.is_err());
        assert_eq!(site.requests(), asked + 1, "anybody may ask, so not every time is the site asked");
    }
    assert!(fetcher.check_assertion(&unready, &["https://k.test"], NOW + minutes(1)).await.is_err());
    assert_eq!(site.requests(), asked + 2);

    client.metadata.jwks_uri = None;
    let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
    client.metadata.jwks = Some(json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x}]}).to_string());
    let inline = pending(&client, &signed(&pair, client.id.as_str(), "k"));
    assert!(to_loopback().check_assertion(&inline, &["https://k.test"], NOW).await.is_ok());
    assert_eq!(ClientId::parse(site.url("/c").as_str()).as_ref(), Ok(&client.id));
}

#[tokio::test]
async fn clients_that_nobody_vouches_for_keep_no_others_waiting() {
    let site = Site::start();
    let fetcher = to_loopback();
    let taken = fetcher.strangers_places.acquire_many(2).await.unwrap();
    let url = site.answer("/c", "content-type: application/json\r\n", &document(&site.url("/c")).to_string());
    assert!(fetcher.document(&url, NOW).await.is_ok());
    assert!(fetcher.keys(&site.url("/none.json"), NOW).await.is_err_and(|error| error == FetchError::Status(404)));
    let strangers = fetcher.keys_of(ClientKind::Dynamic, &site.url("/other.json"), NOW).await.unwrap_err();
    assert_eq!(strangers, FetchError::NoPlace);
    drop(taken);
    let strangers = fetcher.keys_of(ClientKind::Dynamic, &site.url("/other.json"), NOW).await.unwrap_err();
    assert_eq!(strangers, FetchError::Status(404), "having had no place is not remembered");
}

proptest::proptest! {
    #[test]
    fn a_document_url_is_read_alike_by_the_http_client(path in "[a-z0-9./%?&;:@-]{0,30}", host in "[a-z0-9.:-]{1,20}") {
        if let Ok(url) = DocumentUrl::parse(&format!("https://{host}/{path}")) {
            let uri: Uri = url.as_str().parse().unwrap();
            proptest::prop_assert_eq!(uri.host(), Some(url.host()));
            proptest::prop_assert_eq!(uri.scheme_str(), Some("https"));
        }
    }
}
