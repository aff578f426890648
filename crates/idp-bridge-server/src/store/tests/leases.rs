//! The behavior of every table of leases.

use std::time::Duration;

use idp_bridge_core::Random as _;

use super::writes::key;
use super::*;
use crate::idempotency::{Ending, Held, KEPT, LeaseRequest, LeaseTable};

/// The clock of a file is set; a server has its own.
struct Tables {
    file: (Arc<FileStore>, Arc<Still>, TempDir),
    redis: (Arc<RedisStore>, RedisServer_),
}

type RedisServer_ = idp_bridge_test_redis::RedisServer;

impl Tables {
    fn new() -> Self {
        let (folder, clock, server) = (tempfile::tempdir().unwrap(), Still::at(100), RedisServer_::start());
        let file = Arc::new(FileStore::open(folder.path(), clock.clone()).unwrap());
        let redis = Arc::new(RedisStore::new(&settings(&server), clock.clone(), &SystemRandom).unwrap());
        Self { file: (file, clock, folder), redis: (redis, server) }
    }

    fn all(&self) -> [&dyn LeaseTable; 2] {
        [&*self.file.0, &*self.redis.0]
    }

    /// Waits until leases of a second have ended.
    async fn pass_a_second(&self) {
        self.file.1.set(101);
        let name = self.redis.1.command(&["KEYS", "*write:*"]);
        let has_ended = async || {
            while self.redis.1.command(&["EXISTS", &name]) == "1" {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), has_ended()).await.unwrap();
    }
}

fn request(time: Duration) -> LeaseRequest {
    let mut token = [0; 16];
    SystemRandom.fill(&mut token).unwrap();
    LeaseRequest { key: key("1"), fingerprint: [0; 32], token: u128::from_be_bytes(token), time, awaited: None }
}

async fn acquires(table: &dyn LeaseTable, request: &LeaseRequest) -> bool {
    matches!(table.acquire(request).await.unwrap(), Held::Acquired)
}

#[tokio::test]
async fn lease_ends_by_itself() {
    let tables = Tables::new();
    let (first, second) = (request(Duration::from_secs(1)), request(Duration::from_secs(60)));
    for table in tables.all() {
        assert!(acquires(table, &first).await && acquires(table, &first).await, "a repetition");
        let held = table.acquire(&second).await.unwrap();
        assert!(matches!(held, Held::Running(token) if token == first.token), "{held:?}");
    }
    tables.pass_a_second().await;
    for table in tables.all() {
        assert!(acquires(table, &second).await, "{table:?}");
    }
}

#[tokio::test]
async fn only_the_holder_ends_a_lease() {
    let tables = Tables::new();
    let (first, second) = (request(Duration::from_secs(1)), request(Duration::from_secs(60)));
    for table in tables.all() {
        assert!(acquires(table, &first).await);
    }
    tables.pass_a_second().await;
    for table in tables.all() {
        assert!(acquires(table, &second).await);
        for ending in [Ending::Succeeded("1".into()), Ending::Failed("{}".into()), Ending::Released] {
            assert!(!table.end(&first, &ending).await.unwrap(), "{ending:?} in {table:?}");
        }
        let held = table.acquire(&first).await.unwrap();
        assert!(matches!(held, Held::Running(token) if token == second.token), "{held:?}");
        let success = Ending::Succeeded("2".into());
        assert!(table.end(&second, &success).await.unwrap() && table.end(&second, &success).await.unwrap());
        let held = table.acquire(&first).await.unwrap();
        assert!(matches!(&held, Held::Succeeded(body) if body == "2"), "{held:?}");
    }
}

#[tokio::test]
async fn success_is_recorded_after_the_lease() {
    let tables = Tables::new();
    let (first, second) = (request(Duration::from_secs(1)), request(Duration::from_secs(60)));
    for table in tables.all() {
        assert!(acquires(table, &first).await);
    }
    tables.pass_a_second().await;
    for table in tables.all() {
        assert!(!table.end(&first, &Ending::Failed("{}".into())).await.unwrap());
        assert!(table.end(&first, &Ending::Succeeded("1".into())).await.unwrap());
        assert!(matches!(table.acquire(&second).await.unwrap(), Held::Succeeded(_)), "{table:?}");
    }
}

#[tokio::test]
async fn success_is_kept_for_a_day() {
    let tables = Tables::new();
    let (first, second) = (request(Duration::from_secs(1)), request(Duration::from_secs(60)));
    for table in tables.all() {
        assert!(acquires(table, &first).await);
        assert!(table.end(&first, &Ending::Succeeded("1".into())).await.unwrap());
    }
    let server = &tables.redis.1;
    let left: u64 = server.command(&["PTTL", &server.command(&["KEYS", "*write:*"])]).parse().unwrap();
    assert!((KEPT - Duration::from_secs(60)..=KEPT).contains(&Duration::from_millis(left)), "{left}");
    let (file, clock, _) = &tables.file;
    let end = 100 + i64::try_from(KEPT.as_secs()).unwrap();
    clock.set(end - 1);
    assert!(matches!(file.acquire(&second).await.unwrap(), Held::Succeeded(_)));
    clock.set(end);
    assert!(acquires(&**file, &second).await);
}
