//! How fast is it? One table of what was measured beside what is wanted, all of one run: `cargo bench`.
//!
//! Absolute figures belong to the machine; ratios carry over. What is compared is measured in turn, in rounds, and the
//! median counts. CPU is user + system time of the server's process, so other work on the machine disturbs it little. Nothing
//! here fails for being slow: the table says `misses`, a person decides. `cargo bench -- tokens` measures one part alone;
//! the parts are `start`, `tokens`, `requests`, `forward`, `streams`, `stdio` and `dashboard`. `KEYWARD_BENCH_REQUESTS` sets the requests of a round.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on is none")]
#![expect(clippy::print_stdout, reason = "the table is the point")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]

mod admission;
mod dashboard;
mod floor;
mod forward;
mod load;
mod process;
mod stdio;
mod streams;

use load::Call;
use process::Server;
use std::env;
use std::time::Duration;

const ROUNDS: usize = 5;
const STARTS: usize = 15;
/// Turns of each server in a round of requests.
const TURNS: u32 = 20;

fn main() {
    // Cargo adds a flag of its own.
    let chosen: Vec<String> = env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    match chosen.as_slice() {
        [word] if word == "floor" => return floor::serve(),
        [word] if word == "proxy" => return forward::serve(),
        [word] if word == "upstream" => return streams::serve(),
        [word] if word == "program" => return stdio::program(),
        _ => {}
    }
    println!("{:<66} {:>10} {:>12}", "", "wanted", "measured");
    let parts = [
        ("start", start_and_memory as fn()),
        ("tokens", tokens),
        ("requests", requests),
        ("forward", forward),
        ("streams", streams),
        ("stdio", stdio),
        ("dashboard", dashboard),
    ];
    for (name, measure) in parts {
        if chosen.is_empty() || chosen.iter().any(|word| word == name) {
            measure();
        }
    }
}

fn start_and_memory() {
    let data = tempfile::tempdir().unwrap();
    Server::keyward_serve(&data.path().join("data")).stop();
    let serve = median((0..STARTS).map(|_| Server::keyward_serve(&data.path().join("data")).stop()));
    row("start to the ready line: serve, data on disk, ms", "< 50", millis(serve), millis(serve) < 50.0);
    let fixture = median((0..STARTS).map(|_| Server::keyward_fixture().stop()));
    row("start to the ready line: fixture, with a user, ms", "< 50", millis(fixture), millis(fixture) < 50.0);

    let server = Server::keyward_serve(&data.path().join("data"));
    std::thread::sleep(Duration::from_secs(1));
    let idle = server.resident_mb();
    row("idle, resident memory, MB", "< 20", idle, idle < 20.0);
    server.stop();
}

fn tokens() {
    let times = admission::measure(3 * ROUNDS);
    let seen = micros(times.seen) * 1000.0;
    row("admission of a token seen before, ns", "< 1000", seen, seen < 1000.0);
    note("bare strict Ed25519 verification, us", micros(times.bare));
    note("admission of a token at first sight, us", micros(times.first));
    let ratio = times.first.div_duration_f64(times.bare);
    row("  of bare verification", "< 1.15 x", ratio, ratio < 1.15);
}

fn count() -> u32 {
    env::var("KEYWARD_BENCH_REQUESTS").map_or(100_000, |text| text.parse().unwrap())
}

/// CPU of each server a request, and requests a second: medians of the rounds. In a round they have their turns again and
/// again, so that a machine whose speed changes by the second is as fast for the one as for the other.
fn compare<const N: usize>(servers: [(&Server, &Call); N]) -> ([f64; N], [f64; N]) {
    let turn = count() / TURNS;
    let count = turn * TURNS;
    let (mut cpu, mut times) = ([const { Vec::new() }; N], [const { Vec::new() }; N]);
    for _ in 0..ROUNDS {
        let (mut used, mut taken) = ([Duration::ZERO; N], [Duration::ZERO; N]);
        for _ in 0..TURNS {
            for (place, (server, call)) in servers.iter().enumerate() {
                let before = server.cpu();
                taken[place] += load::run(call, turn);
                used[place] += server.cpu().saturating_sub(before);
            }
        }
        for place in 0..N {
            cpu[place].push(used[place] / count);
            times[place].push(taken[place]);
        }
    }
    (cpu.map(median).map(micros), times.map(median).map(|time| f64::from(count) / time.as_secs_f64()))
}

fn requests() {
    let keyward = Server::keyward_fixture();
    let token = keyward.ready()["personal_token"].as_str().unwrap().to_owned();
    let whoami = Call::whoami(keyward.port(), Some(&token));
    let answer = load::once(&whoami);
    assert!(answer.status == 200 && answer.body.contains("\"structuredContent\""), "{}", answer.body);
    let floor = Server::floor(&answer.body);
    let bare = Call::whoami(floor.port(), None);
    let same = load::once(&bare);
    assert_eq!((same.status, &same.body), (200, &answer.body));
    let stranger = Call::whoami(keyward.port(), None);
    assert_eq!(load::once(&stranger).status, 401);

    let servers = [(&floor, &bare), (&keyward, &whoami), (&keyward, &stranger)];
    let ([bare_cpu, call_cpu, refusal_cpu], [bare_rate, call_rate, refusal_rate]) = compare(servers);
    note("bare axum handler, same JSON, no authentication: CPU a request, us", bare_cpu);
    note("  requests a second", bare_rate);
    note("tools/call whoami with a token seen before: CPU a request, us", call_cpu);
    note("  requests a second", call_rate);
    row("  of the bare handler", "<= 2.00 x", call_cpu / bare_cpu, call_cpu / bare_cpu <= 2.0);
    note("401 without a token: CPU a request, us", refusal_cpu);
    note("  requests a second", refusal_rate);
    row("  of the bare handler", "<= 1.50 x", refusal_cpu / bare_cpu, refusal_cpu / bare_cpu <= 1.5);
    note("resident memory after these requests, MB", keyward.resident_mb());
    keyward.stop();
    floor.stop();
}

fn forward() {
    let chain = forward::Chain::start();
    let servers = [(&chain.bare, &chain.bare_call), (&chain.keyward, &chain.keyward_call)];
    let ([bare_cpu, call_cpu], [bare_rate, call_rate]) = compare(servers);
    note("bare axum and hyper-client proxy, no authentication: CPU a request, us", bare_cpu);
    note("  requests a second", bare_rate);
    note("tools/call through to an HTTP upstream: CPU a request, us", call_cpu);
    note("  requests a second", call_rate);
    row("  of the bare proxy", "<= 2.00 x", call_cpu / bare_cpu, call_cpu / bare_cpu <= 2.0);
    match &chain.nginx {
        Some((nginx, call)) => {
            let ([nginx_cpu, call_cpu], [nginx_rate, _]) =
                compare([(nginx, call), (&chain.keyward, &chain.keyward_call)]);
            note("nginx proxying, no authentication: CPU a request, us", nginx_cpu);
            note("  requests a second", nginx_rate);
            note("  Keyward of that, x", call_cpu / nginx_cpu);
        }
        None => println!("nginx proxying, no authentication: not measured, there is no nginx"),
    }

    let (mut direct, mut bare, mut through) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..4 * ROUNDS {
        direct.push(forward::half_way(&chain.direct_call, 1_000));
        bare.push(forward::half_way(&chain.bare_call, 1_000));
        through.push(forward::half_way(&chain.keyward_call, 1_000));
    }
    let more =
        |than: &[Duration], times: &[Duration]| median(times.iter().zip(than).map(|(a, b)| a.saturating_sub(*b)));
    let (bare_added, added) = (more(&direct, &bare), more(&direct, &through));
    let [direct, bare, through] = [direct, bare, through].map(median).map(micros);
    note("latency at one client, straight to the upstream: p50, us", direct);
    note("  through the bare proxy", bare);
    note("  through Keyward", through);
    note("  added by the bare proxy, us", micros(bare_added));
    row("  added by Keyward, us", "<= 100", micros(added), micros(added) <= 100.0);
    note("resident memory after these requests, MB", chain.keyward.resident_mb());
}

/// Thousands of streams until memory is in pieces that fit, and thousands after that.
const SETTLING: u32 = 4;

fn streams() {
    let streaming = streams::Streaming::start();
    let held = streaming.open();
    row("1,000 open streams to an HTTP upstream: memory of each, kB", "< 30", held.kilobytes, held.kilobytes < 30.0);
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let descriptors = held.descriptors as f64;
    row("  descriptors left when all were dropped", "0", descriptors, descriptors <= 0.0);
    // What is freed is kept for the next, in whatever pieces it was; what counts is whether it goes on becoming more.
    for _ in 0..SETTLING {
        streaming.open();
    }
    let kept = (0..SETTLING).map(|_| streaming.open().kept).sum::<f64>() / f64::from(SETTLING);
    row("  memory that each later thousand leaves behind, MB more", "< 1", kept, kept < 1.0);
    let events = streaming.events();
    row("20 streams of 1,000 events: memory at most, MB more", "< 1", events.peak, events.peak < 1.0);
    let answers = streaming.answers();
    row("20 answers of 10 MB: memory at most, MB more", "< 2", answers.peak, answers.peak < 2.0);
    let requests = streaming.requests();
    note("20 requests of 10 MB, each read whole to be decided about: at most, MB more", requests.peak);
    let again = streaming.requests();
    row("  memory that the next 20 leave behind, MB more", "< 2", again.kept, again.kept < 2.0);
}

fn stdio() {
    let count = count() / 20;
    let (keyward, peers) = (stdio::keyward(), stdio::peers());
    let (mut times, mut peer_times) = (Vec::new(), vec![Vec::new(); peers.len()]);
    for _ in 0..ROUNDS {
        times.push(load::run(&keyward.call, count));
        for (times, peer) in peer_times.iter_mut().zip(&peers) {
            times.push(load::run(&peer.call, count));
        }
    }
    let rate = |times: Vec<Duration>| f64::from(count) / median(times).as_secs_f64();
    let ours = rate(times);
    note("tools/call to a program on pipes: requests a second", ours);
    for (times, peer) in peer_times.into_iter().zip(&peers) {
        let theirs = rate(times);
        note(&format!("  through npm's {}, no authentication", peer.name), theirs);
        row("    Keyward of that", ">= 5.00 x", ours / theirs, ours / theirs >= 5.0);
    }
    if peers.len() < 2 {
        println!("  npm's mcp-proxy and supergateway: not measured; npm ci --prefix tests/bench/peers installs them");
    }
}

fn dashboard() {
    let mut dashboard = dashboard::Dashboard::new();
    dashboard.fill(10);
    let tenth = dashboard.measure();
    dashboard.fill(1);
    let whole = dashboard.measure();
    let (people, tokens, lines) = (dashboard::USERS_AT_MOST, dashboard::TOKENS_AT_MOST, dashboard::EVENTS_AT_MOST);
    println!("pages with {people} users, {tokens} tokens, {lines} events (with a tenth of them), ms:");
    for (page, time) in &whole {
        let (_, before) = tenth.iter().find(|(other, _)| other == page).unwrap();
        println!("  {page:<84} {:>8.2} ({:.2})", millis(*time), millis(*before));
    }
    let (before, after) = (millis(tenth[0].1), millis(whole[0].1));
    note("the slowest page with a tenth of the rows, ms", before);
    row("the slowest page, ms", "< 50", after, after < 50.0);
    row("  of the slowest with a tenth of the rows", "< 1.5 x", after / before, after / before < 1.5);
    note("the whole log, read as an export reads it, s", dashboard.export().as_secs_f64());
}

fn row(what: &str, wanted: &str, measured: f64, meets: bool) {
    println!("{what:<66} {wanted:>10} {measured:>12.2}  {}", if meets { "meets" } else { "MISSES" });
}

fn note(what: &str, measured: f64) {
    println!("{what:<66} {:>10} {measured:>12.2}", "");
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn median<T: Ord + Copy>(values: impl IntoIterator<Item = T>) -> T {
    let mut values: Vec<T> = values.into_iter().collect();
    values.sort_unstable();
    values[values.len() / 2]
}
