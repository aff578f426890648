//! The behavior of every revocation list, case by case and against a model.

use std::collections::HashMap;

use idp_bridge_core::UserId;
use proptest::prelude::*;

use super::*;

fn subject(id: &str) -> RevokedKey {
    RevokedKey::Subject(UserId::new(id).unwrap())
}

impl Fixture {
    async fn revoke(&self, entries: &[Revocation]) {
        self.store.revocations.revoke(&tenant("acme"), entries).await.unwrap();
    }

    async fn refuses(&self, key: RevokedKey, issued_at: Option<i64>) -> bool {
        self.store.revocations.is_revoked(&tenant("acme"), &[key], issued_at.map(time)).await.unwrap()
    }
}

#[tokio::test]
async fn entries_reject_until_their_end() {
    for mut list in Fixture::all() {
        assert!(!list.refuses(session("s"), Some(1)).await);
        list.revoke(&[entry(session("s"), None, 200), entry(RevokedKey::Token([7; 32]), None, 150)]).await;
        for _ in 0..2 {
            assert!(list.refuses(session("s"), Some(1)).await && list.refuses(session("s"), None).await);
            assert!(list.refuses(RevokedKey::Token([7; 32]), Some(1)).await);
            list.restart();
        }
        list.clock.set(150);
        assert!(list.refuses(session("s"), Some(1)).await);
        assert!(!list.refuses(RevokedKey::Token([7; 32]), Some(1)).await);
        list.clock.set(200);
        assert!(!list.refuses(session("s"), Some(1)).await);
    }
}

#[tokio::test]
async fn issue_time_decides() {
    for list in Fixture::all() {
        list.revoke(&[entry(subject("u"), Some(90), 200)]).await;
        assert!(list.refuses(subject("u"), Some(89)).await && list.refuses(subject("u"), Some(90)).await);
        assert!(!list.refuses(subject("u"), Some(91)).await);
        assert!(list.refuses(subject("u"), None).await);
    }
}

#[tokio::test]
async fn fractions_of_a_second_are_kept() {
    for mut list in Fixture::all() {
        let at = |nanosecond| Timestamp::from_nanosecond(nanosecond).unwrap();
        let exact = Revocation { key: subject("u"), not_before: Some(at(90_000_000_001)), until: time(200) };
        list.revoke(&[exact]).await;
        list.restart();
        let refuses = async |issued| {
            list.store.revocations.is_revoked(&tenant("acme"), &[subject("u")], Some(at(issued))).await.unwrap()
        };
        assert!(refuses(90_000_000_001).await && !refuses(90_000_000_002).await);
    }
}

#[tokio::test]
async fn stricter_of_two_entries_counts() {
    let cases = [
        ([(Some(10), 300), (Some(20), 200)], (Some(20), 300)),
        ([(None, 200), (Some(20), 300)], (None, 300)),
        ([(Some(0), 200), (Some(0), 200)], (Some(0), 200)),
    ];
    for ([one, other], (not_before, until)) in cases {
        for (first, second) in [(one, other), (other, one)] {
            for list in Fixture::all() {
                list.revoke(&[entry(session("s"), first.0, first.1)]).await;
                list.revoke(&[entry(session("s"), second.0, second.1)]).await;
                assert_eq!(list.refuses(session("s"), Some(99)).await, not_before.is_none());
                assert!(list.refuses(session("s"), not_before).await);
                list.clock.set(until - 1);
                assert!(list.refuses(session("s"), not_before).await);
                list.clock.set(until);
                assert!(!list.refuses(session("s"), None).await);
            }
        }
    }
}

#[tokio::test]
async fn expired_entry_is_not_merged() {
    for list in Fixture::all() {
        list.revoke(&[entry(session("s"), None, 150)]).await;
        list.clock.set(150);
        list.revoke(&[entry(session("s"), Some(120), 300), entry(session("other"), None, 150)]).await;
        assert!(list.refuses(session("s"), Some(120)).await && !list.refuses(session("s"), Some(121)).await);
        assert!(!list.refuses(session("other"), None).await);
    }
}

#[tokio::test]
async fn keys_depend_on_tenant_kind_and_text() {
    for list in Fixture::all() {
        list.revoke(&[entry(session("a"), None, 200)]).await;
        for other in [subject("a"), session("A"), session("a "), session("aa"), RevokedKey::Token([b'a'; 32])] {
            assert!(!list.refuses(other, None).await);
        }
        assert!(!list.store.revocations.is_revoked(&tenant("other"), &[session("a")], None).await.unwrap());
        assert!(!list.store.revocations.is_revoked(&tenant("acme"), &[], None).await.unwrap());
        assert!(list.store.revocations.is_revoked(&tenant("acme"), &[session("b"), session("a")], None).await.unwrap());
    }
}

#[test]
fn boundaries_of_key_parts_count() {
    let keys = [("a", session("b")), ("as", session("b")), ("a", subject("b")), ("ab", session("b"))];
    let digests: std::collections::HashSet<_> = keys.iter().map(|(id, key)| key.digest(&tenant(id))).collect();
    assert_eq!(digests.len(), keys.len());
}

#[tokio::test]
async fn concurrent_writes_are_all_kept() {
    for mut list in Fixture::all() {
        let writes: Vec<_> = (0..200)
            .map(|number| {
                let store = Arc::clone(&list.store.revocations);
                let entry = entry(session(&format!("s{number}")), None, 200);
                tokio::spawn(async move { store.revoke(&tenant("acme"), &[entry]).await })
            })
            .collect();
        for write in writes {
            write.await.unwrap().unwrap();
        }
        list.restart();
        for number in 0..200 {
            assert!(list.refuses(session(&format!("s{number}")), Some(1)).await, "{number}");
        }
    }
}

/// The time of a revocation, and the two times of its entry.
type Made = (i64, Option<i64>, i64);

/// A model of the list: each entry with the time of its revocation.
#[derive(Default)]
struct Model(HashMap<(usize, usize), Vec<Made>>);

impl Model {
    /// Goes through the entries of a key in order. Entries that expired before the next one do not count.
    fn refuses(&self, key: (usize, usize), now: i64, issued_at: Option<i64>) -> bool {
        let mut group: Vec<(Option<i64>, i64)> = Vec::new();
        for &(made, not_before, until) in self.0.get(&key).into_iter().flatten() {
            if group.iter().all(|(_, end)| *end <= made) {
                group.clear();
            }
            if until > made {
                group.push((not_before, until));
            }
        }
        let alive = group.iter().any(|(_, until)| *until > now);
        let hit = group.iter().any(|(limit, _)| limit.zip(issued_at).is_none_or(|(limit, issued)| issued <= limit));
        alive && hit
    }
}

#[derive(Debug, Clone)]
enum Step {
    Revoke { key: (usize, usize), not_before: Option<i64>, until: i64 },
    Advance(i64),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let key = (0..2_usize, 0..6_usize);
    let revoke = (key, prop::option::of(90..120_i64), 95..130_i64).prop_map(|(key, not_before, until)| Step::Revoke {
        key,
        not_before,
        until,
    });
    prop_oneof![6 => revoke, 3 => (1..6_i64).prop_map(Step::Advance), 1 => Just(Step::Restart)]
}

fn keys() -> [RevokedKey; 6] {
    let token = |byte| RevokedKey::Token([byte; 32]);
    [session("a"), session("b"), subject("a"), subject("b"), token(0), token(1)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn stores_agree_with_the_model(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (tenants, keys) = ([tenant("acme"), tenant("other")], keys());
        for mut list in Fixture::all() {
            let (mut model, mut now) = (Model::default(), 100);
            for step in &steps {
                match *step {
                    Step::Revoke { key, not_before, until } => {
                        model.0.entry(key).or_default().push((now, not_before, until));
                        let entry = entry(keys[key.1].clone(), not_before, until);
                        runtime.block_on(list.store.revocations.revoke(&tenants[key.0], &[entry])).unwrap();
                    }
                    Step::Advance(seconds) => {
                        now += seconds;
                        list.clock.set(now);
                    }
                    Step::Restart => list.restart(),
                }
                let cases = (0..2).flat_map(|tenant| (0..6).map(move |key| (tenant, key)));
                for (key, issued_at) in cases.flat_map(|key| [None, Some(89), Some(105), Some(119)].map(|at| (key, at))) {
                    let asked = list.store.revocations.is_revoked(&tenants[key.0], &keys[key.1..=key.1], issued_at.map(time));
                    let asked = runtime.block_on(asked).unwrap();
                    prop_assert_eq!(asked, model.refuses(key, now, issued_at), "{:?} {:?} at {}", key, issued_at, now);
                }
            }
        }
    }
}
