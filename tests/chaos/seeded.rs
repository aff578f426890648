//! Random schedules of faults, calls, pauses of Redis and restarts, derived from a seed.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use fastrand::Rng;
use idp_bridge_test_http::unused_address;
use idp_bridge_test_redis::RedisServer;

use crate::faults::{FAULTS, Place};
use crate::idp::{Answered, Idp, Person, send};
use crate::pulse::Pulse;
use crate::support::bridge::Bridge;
use crate::support::http::Request;

/// The number of callers.
const CALLERS: u64 = 6;
/// The number of attempts of a write.
const ATTEMPTS: usize = 4;
/// The number of violations that are kept.
const KEPT: usize = 50;

/// Codes that no outage and no load explains.
const NEVER: [&str; 8] = [
    "invalid_signature",
    "timestamp_out_of_range",
    "invalid_request",
    "forbidden",
    "webhook_id_reused",
    "internal",
    "user_conflict",
    "ambiguous_user",
];

/// Runs the schedule of a seed. Returns the violations.
pub(crate) fn run(seed: u64, duration: Duration) -> Vec<String> {
    let world = World::start(duration);
    std::thread::scope(|scope| {
        scope.spawn(|| world.direct(Rng::with_seed(seed)));
        for caller in 1..=CALLERS {
            let world = &world;
            // Each caller has its own sequence, which depends on no other.
            scope.spawn(move || world.call(Rng::with_seed(seed.wrapping_mul(1_000).wrapping_add(caller))));
        }
    });
    let (counts, violations) = (&world.counts, world.violations.into_inner().unwrap());
    println!(
        "seed {seed}: {} answers, {} of them successful, {} faults, {} lives of users, {} restarts, {} pauses of Redis",
        counts.answers.load(SeqCst),
        counts.successes.load(SeqCst),
        counts.faults.load(SeqCst),
        counts.lives.load(SeqCst),
        counts.restarts.load(SeqCst),
        counts.pauses.load(SeqCst),
    );
    violations.into_iter().map(|violation| format!("seed {seed}: {violation}")).collect()
}

#[derive(Default)]
struct Counts {
    answers: AtomicUsize,
    successes: AtomicUsize,
    faults: AtomicUsize,
    lives: AtomicUsize,
    restarts: AtomicUsize,
    pauses: AtomicUsize,
}

/// Two bridges over one Redis, and the identity providers of their tenants.
struct World {
    idps: Vec<Idp>,
    /// A user of each tenant that is never changed.
    residents: Vec<Person>,
    redis: RedisServer,
    addresses: [String; 2],
    config: PathBuf,
    pulse: Pulse,
    end: Instant,
    is_over: AtomicBool,
    violations: Mutex<Vec<String>>,
    counts: Counts,
    _folder: tempfile::TempDir,
}

impl World {
    fn start(duration: Duration) -> Self {
        let (idps, redis, folder) = (Idp::start_fakes(), RedisServer::start(), tempfile::tempdir().unwrap());
        let config = folder.path().join("idp-bridge.toml");
        let tables: String = idps.iter().map(Idp::table).collect();
        let server = format!(
            "[server]\nshutdown_delay = \"0s\"\n[server.store]\ntype = \"redis\"\nurls = [\"{}\"]\n",
            redis.url()
        );
        std::fs::write(&config, format!("{server}{tables}")).unwrap();
        let residents = idps.iter().map(|idp| idp.create("users.get_by_id")).collect();
        Self {
            idps,
            residents,
            redis,
            addresses: [unused_address().to_string(), unused_address().to_string()],
            config,
            pulse: Pulse::start(),
            end: Instant::now() + duration,
            is_over: AtomicBool::new(false),
            violations: Mutex::default(),
            counts: Counts::default(),
            _folder: folder,
        }
    }

    /// Injects faults until the end, and stops the bridges then.
    fn direct(&self, mut random: Rng) {
        let serve = |number: usize| {
            let bridge = Bridge::serve_at(&self.config, &self.addresses[number]);
            self.pulse.watch(bridge.process_id());
            bridge
        };
        let mut bridges = [serve(0), serve(1)];
        while Instant::now() < self.end {
            std::thread::park_timeout(Duration::from_millis(random.u64(100..1_200)));
            let idp = &self.idps[random.usize(..self.idps.len())];
            match random.u8(..100) {
                0..3 => {
                    self.counts.restarts.fetch_add(1, SeqCst);
                    let number = random.usize(..2);
                    // The old one stops first, since both have one address.
                    bridges[number].kill();
                    bridges[number] = serve(number);
                }
                3..8 => {
                    self.counts.pauses.fetch_add(1, SeqCst);
                    self.redis.pause();
                    std::thread::park_timeout(Duration::from_millis(random.u64(100..2_000)));
                    self.redis.resume();
                }
                8..55 => idp.connect(),
                _ => {
                    self.counts.faults.fetch_add(1, SeqCst);
                    let faults: Vec<_> =
                        FAULTS.iter().filter(|fault| !matches!(fault.place(), Place::Process)).collect();
                    idp.set_fault(faults[random.usize(..faults.len())]);
                }
            }
        }
        self.idps.iter().for_each(Idp::connect);
        self.is_over.store(true, SeqCst);
    }

    /// Makes calls until the end.
    fn call(&self, mut random: Rng) {
        while !self.is_over.load(SeqCst) {
            let number = random.usize(..self.idps.len());
            let (idp, resident) = (&self.idps[number], &self.residents[number]);
            let result = match random.u8(..100) {
                0..60 => self.read(&mut random, idp, resident),
                60..75 => self.send_mail(&mut random, idp),
                75..85 => self.delete(&mut random, idp),
                _ if idp.has_federation() => self.log_out(&mut random, idp),
                _ => self.read(&mut random, idp, resident),
            };
            if let Err(violation) = result {
                let mut violations = self.violations();
                eprintln!("violation: {}: {violation}", idp.home.tenant);
                if violations.len() < KEPT {
                    violations.push(format!("{}: {violation}", idp.home.tenant));
                }
            }
        }
    }

    fn violations(&self) -> MutexGuard<'_, Vec<String>> {
        self.violations.lock().unwrap()
    }

    /// Sends a request to one of the bridges, which may be stopped.
    fn send(&self, random: &mut Rng, request: &Request) -> Result<Option<Answered>, String> {
        let answered = send(&self.addresses[random.usize(..2)], request, &self.pulse)?;
        if let Some(answered) = &answered {
            self.counts.answers.fetch_add(1, SeqCst);
            self.counts.successes.fetch_add(usize::from(answered.code == "ok"), SeqCst);
            if NEVER.contains(&answered.code.as_str()) {
                return Err(format!("{} {}: {:?}", request.method, request.target, answered.reply));
            }
        }
        Ok(answered)
    }

    fn read(&self, random: &mut Rng, idp: &Idp, person: &Person) -> Result<(), String> {
        let kind = ["users.get_by_id", "users.get_by_email", "users.get_by_customer"][random.usize(..3)];
        let Some(answered) = self.send(random, &idp.call(kind, person))? else { return Ok(()) };
        match answered.code.as_str() {
            "ok" if answered.reply.json()["user"]["id"] == person.id.as_str() => Ok(()),
            "ok" | "user_not_found" => Err(format!("{kind} of {:?}: {:?}", person.id, answered.reply)),
            _ => Ok(()),
        }
    }

    /// Sends a mail to a new user with one id, to both bridges, and repeats it after its success.
    fn send_mail(&self, random: &mut Rng, idp: &Idp) -> Result<(), String> {
        self.counts.lives.fetch_add(1, SeqCst);
        let kinds = ["users.send_verification_email", "users.send_password_reset_email"];
        let kind = kinds[random.usize(..2)];
        let person = idp.create(kind);
        let request = idp.call(kind, &person);
        let (mut unknown, mut succeeded) = (0, 0);
        for _ in 0..ATTEMPTS {
            let seeds = [random.u64(..), random.u64(..)];
            let together = if random.bool() { 2 } else { 1 };
            let answers: Vec<_> = std::thread::scope(|scope| {
                let attempt = |seed: &u64| {
                    let mut random = Rng::with_seed(*seed);
                    let request = &request;
                    scope.spawn(move || self.send(&mut random, request))
                };
                let running: Vec<_> = seeds[..together].iter().map(attempt).collect();
                running.into_iter().map(|one| one.join().unwrap()).collect()
            });
            for answer in answers {
                match answer? {
                    None => unknown += 1,
                    Some(answered) if answered.code == "ok" => succeeded += 1,
                    Some(answered) if answered.code == "user_not_found" => {
                        return Err(format!("{kind}: {:?}", answered.reply));
                    }
                    Some(answered) => unknown += usize::from(answered.is_unknown),
                }
            }
            if succeeded > 1 {
                break;
            }
        }
        let mails = idp.count_mails(&person);
        // A password reset is answered before its mail is requested, so that the answer reveals nothing.
        let is_lost = succeeded > 0 && mails == 0 && kind == kinds[0];
        if mails > unknown + usize::from(succeeded > 0) || is_lost {
            return Err(format!("{kind}: {mails} mails after {succeeded} successes and {unknown} unknown outcomes"));
        }
        Ok(())
    }

    /// Deletes a new user. Afterwards no bridge returns it.
    fn delete(&self, random: &mut Rng, idp: &Idp) -> Result<(), String> {
        self.counts.lives.fetch_add(1, SeqCst);
        let person = idp.create("users.delete");
        self.read(random, idp, &person)?;
        let request = idp.call("users.delete", &person);
        for _ in 0..ATTEMPTS {
            let Some(answered) = self.send(random, &request)? else { continue };
            if answered.code == "ok" {
                for _ in 0..3 {
                    let read = self.send(random, &idp.call("users.get_by_id", &person))?;
                    if read.is_some_and(|read| read.code == "ok") {
                        return Err(format!("{:?} is returned after its deletion", person.id));
                    }
                }
                return Ok(());
            }
            if !answered.is_unknown && answered.code == "user_not_found" {
                return Err(format!("delete: {:?}", answered.reply));
            }
        }
        Ok(())
    }

    /// Logs a new user in and out. Afterwards no bridge accepts the token.
    fn log_out(&self, random: &mut Rng, idp: &Idp) -> Result<(), String> {
        self.counts.lives.fetch_add(1, SeqCst);
        let person = idp.create("logout");
        let token = idp.sign_in(&person);
        let (userinfo, logout) =
            (idp.application_request("userinfo", &token), idp.application_request("logout", &token));
        for _ in 0..2 {
            let Some(answered) = self.send(random, &userinfo)? else { continue };
            let is_other = answered.code == "ok" && answered.reply.json()["sub"] != person.id.as_str();
            if is_other || answered.reply.status == 401 {
                return Err(format!("userinfo before the logout: {:?}", answered.reply));
            }
        }
        for attempt in 0..ATTEMPTS {
            let Some(answered) = self.send(random, &logout)? else { continue };
            if attempt == 0 && answered.reply.status == 401 {
                return Err(format!("logout: {:?}", answered.reply));
            }
            if answered.code == "ok" {
                for _ in 0..4 {
                    let after = self.send(random, &userinfo)?;
                    if let Some(after) = after.filter(|after| after.code == "ok") {
                        return Err(format!("userinfo after the logout: {:?}", after.reply));
                    }
                }
                return Ok(());
            }
        }
        Ok(())
    }
}
