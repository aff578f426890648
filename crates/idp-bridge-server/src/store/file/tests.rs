//! The file: crashes, damage, a second process, a full disk, and its content.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use redb::{BackendError, ReadableDatabase as _, ReadableTableMetadata as _, StorageBackend};

use idp_bridge_core::ErrorKind;

use super::*;
use crate::store::tests::{Still, entry, session, tenant, time};

async fn list(folder: &Path) -> FileStore {
    let list = FileStore::open(folder, Still::at(100)).unwrap();
    list.revoke(&tenant("acme"), &[entry(session("login-of-ada"), None, 1_000)]).await.unwrap();
    list
}

async fn refuses(list: &FileStore, key: &str) -> Result<bool> {
    list.is_revoked(&tenant("acme"), &[session(key)], Some(time(1))).await
}

#[tokio::test]
async fn entries_survive_a_crash() {
    let (folder, crashed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let list = list(folder.path()).await;
    for number in 0..20 {
        list.revoke(&tenant("acme"), &[entry(session(&number.to_string()), None, 1_000)]).await.unwrap();
        // The file as after a kill of the process.
        std::fs::copy(folder.path().join(FILE_NAME), crashed.path().join(FILE_NAME)).unwrap();
        let again = FileStore::open(crashed.path(), Still::at(100)).unwrap();
        for kept in 0..=number {
            assert!(refuses(&again, &kept.to_string()).await.unwrap(), "{kept} of {number}");
        }
    }
}

#[tokio::test]
async fn file_has_one_process_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let list = list(folder.path()).await;
    let error = FileStore::open(folder.path(), Still::at(100)).unwrap_err();
    assert!(error.message().contains("is in use by another process"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("stop that process first")));
    drop(list);
    assert!(FileStore::open(folder.path(), Still::at(100)).is_ok());
}

#[test]
fn missing_folder_is_not_created() {
    let folder = tempfile::tempdir().unwrap();
    let error = FileStore::open(&folder.path().join("state"), Still::at(100)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.message().contains("state/revocations.redb` cannot be opened: "), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("the folder must exist")));
}

#[tokio::test]
async fn damaged_file_fails_or_keeps_its_entries() {
    let folder = tempfile::tempdir().unwrap();
    drop(list(folder.path()).await);
    let (path, damaged) = (folder.path().join(FILE_NAME), tempfile::tempdir().unwrap());
    let whole = std::fs::read(&path).unwrap();
    let (mut refused, mut taken) = (0, 0);
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap();
    for place in (0..=used).step_by(used / 30) {
        for change in [|_: u8| 0, |byte: u8| !byte, |byte: u8| byte ^ 1] {
            let mut bytes = whole.clone();
            bytes[place] = change(bytes[place]);
            std::fs::write(damaged.path().join(FILE_NAME), bytes).unwrap();
            match FileStore::open(damaged.path(), Still::at(100)) {
                Ok(list) => {
                    assert!(refuses(&list, "login-of-ada").await.unwrap(), "byte {place}");
                    taken += 1;
                }
                Err(error) => {
                    assert!(error.hint().is_some(), "{error}");
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 0 && taken > 0, "{refused} refused, {taken} taken");
}

#[test]
fn other_file_is_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    for other in ["a", "-- another table --\n"] {
        let other = other.repeat(1000);
        std::fs::write(&path, &other).unwrap();
        let error = FileStore::open(folder.path(), Still::at(100)).unwrap_err();
        assert!(error.message().contains("is damaged or not a revocation list"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), other);
    }
}

#[tokio::test]
async fn file_is_private_and_contains_no_ids() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    drop(list(folder.path()).await);
    let path = folder.path().join(FILE_NAME);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let bytes = std::fs::read(&path).unwrap();
    for text in ["login-of-ada", "acme"] {
        assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()), "{text}");
    }
}

#[tokio::test]
async fn expired_entries_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Still::at(100);
    let list = FileStore::open(folder.path(), clock.clone()).unwrap();
    let many: Vec<_> = (0..1_000).map(|number| entry(session(&number.to_string()), None, 110)).collect();
    list.revoke(&tenant("acme"), &many).await.unwrap();
    clock.set(110);
    let mut left = vec![count(&list)];
    for _ in 0..5 {
        list.revoke(&tenant("acme"), &[entry(session("last"), None, 200)]).await.unwrap();
        left.push(count(&list));
    }
    assert_eq!(left, [1_000, 744, 487, 230, 1, 1]);
}

fn count(list: &FileStore) -> u64 {
    let counts = list.database.inspect(|database| {
        let read = database.begin_read()?;
        Ok((read.open_table(revocations::ENTRIES)?.len()?, read.open_table(revocations::ENDS)?.len()?))
    });
    let (entries, ends) = counts.unwrap();
    assert_eq!(entries, ends);
    entries
}

/// A storage that fails writes while it is full.
#[derive(Debug)]
struct Disk {
    file: FileBackend,
    is_full: Arc<AtomicBool>,
}

impl Disk {
    fn check(&self) -> Result<(), io::Error> {
        if self.is_full.load(Relaxed) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64, io::Error> {
        self.file.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.file.read(offset, out)
    }
    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.check()?;
        self.file.set_len(len)
    }
    fn sync_data(&self) -> Result<(), io::Error> {
        self.check()?;
        self.file.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.check()?;
        self.file.write(offset, data)
    }
    fn close(&self) -> Result<(), io::Error> {
        self.file.close()
    }
    fn try_lock_range(&self, start: std::ops::Bound<u64>, end: std::ops::Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }
    fn unlock_range(&self, start: std::ops::Bound<u64>, end: std::ops::Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }
}

#[tokio::test]
async fn full_disk_is_a_temporary_outage() {
    let folder = tempfile::tempdir().unwrap();
    drop(list(folder.path()).await);
    let is_full = Arc::new(AtomicBool::new(false));
    let open = {
        let (path, is_full) = (folder.path().join(FILE_NAME), Arc::clone(&is_full));
        move || {
            let file = FileBackend::new(File::options().read(true).write(true).open(&path)?)?;
            Ok(Database::builder().create_with_backend(Disk { file, is_full: Arc::clone(&is_full) })?)
        }
    };
    let list = FileStore::from_open(Box::new(open), Duration::ZERO, Still::at(100)).unwrap();
    is_full.store(true, Relaxed);
    for _ in 0..3 {
        let error = list.revoke(&tenant("acme"), &[entry(session("new"), None, 1_000)]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
    assert!(refuses(&list, "login-of-ada").await.unwrap(), "the list is in memory, too");
    assert!(!refuses(&list, "new").await.unwrap(), "an entry that is not on the disk would be lost at a restart");
    is_full.store(false, Relaxed);
    // The first write after the outage opens the file again.
    let _ = list.revoke(&tenant("acme"), &[entry(session("new"), None, 1_000)]).await;
    list.revoke(&tenant("acme"), &[entry(session("new"), None, 1_000)]).await.unwrap();
    drop(list);
    for kept in ["login-of-ada", "new"] {
        assert!(refuses(&list_in(folder.path()), kept).await.unwrap(), "{kept}");
    }
}

#[tokio::test]
async fn entry_is_kept_when_its_caller_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let list = list(folder.path()).await;
    let (acme, left) = (tenant("acme"), [entry(session("left"), None, 1_000)]);
    let mut revoking = list.revoke(&acme, &left);
    assert!(futures_util::poll!(&mut revoking).is_pending());
    drop(revoking);
    // A later commit contains or follows the first one.
    list.revoke(&acme, &[entry(session("next"), None, 1_000)]).await.unwrap();
    assert!(refuses(&list, "left").await.unwrap());
}

fn error_of(folder: &Path) -> Error {
    FileStore::open(folder, Still::at(100)).map(drop).unwrap_err()
}

#[tokio::test]
async fn lost_list_is_not_replaced() {
    for is_empty in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        drop(list(folder.path()).await);
        let path = folder.path().join(FILE_NAME);
        if is_empty {
            std::fs::write(&path, "").unwrap();
        } else {
            std::fs::remove_file(&path).unwrap();
        }
        for error in [error_of(folder.path()), FileStore::inspect(folder.path()).unwrap_err()] {
            assert!(
                error.message().ends_with("revocations.redb` existed before and is now missing or empty"),
                "{error}"
            );
            assert!(error.hint().is_some_and(|hint| hint.contains("--accept-lost-revocations")));
        }
        assert_eq!(path.exists(), is_empty, "no file was created");
        assert!(FileStore::accept_loss(folder.path()).unwrap());
        assert!(!refuses(&list_in(folder.path()), "login-of-ada").await.unwrap());
        assert!(!FileStore::accept_loss(folder.path()).unwrap(), "the list exists again");
        assert!(FileStore::open(folder.path(), Still::at(100)).is_ok());
    }
}

fn list_in(folder: &Path) -> FileStore {
    FileStore::open(folder, Still::at(100)).unwrap()
}

#[tokio::test]
async fn accepted_loss_spares_a_kept_list() {
    let folder = tempfile::tempdir().unwrap();
    drop(list(folder.path()).await);
    assert!(!FileStore::accept_loss(folder.path()).unwrap());
    assert!(refuses(&list_in(folder.path()), "login-of-ada").await.unwrap());
}

#[tokio::test]
async fn list_lost_while_running_is_an_outage() {
    let folder = tempfile::tempdir().unwrap();
    drop(list(folder.path()).await);
    let (path, fails) = (folder.path().to_owned(), Arc::new(AtomicBool::new(false)));
    let open = {
        let fails = Arc::clone(&fails);
        move || {
            open(&path, &path.join(FILE_NAME)).map(drop)?;
            let file = FileBackend::new(File::options().read(true).write(true).open(path.join(FILE_NAME))?)?;
            Ok(Database::builder().create_with_backend(Disk { file, is_full: Arc::clone(&fails) })?)
        }
    };
    let list = FileStore::from_open(Box::new(open), Duration::ZERO, Still::at(100)).unwrap();
    std::fs::remove_file(folder.path().join(FILE_NAME)).unwrap();
    fails.store(true, Relaxed);
    assert!(list.revoke(&tenant("acme"), &[entry(session("new"), None, 1_000)]).await.is_err());
    fails.store(false, Relaxed);
    for _ in 0..3 {
        let error = list.revoke(&tenant("acme"), &[entry(session("new"), None, 1_000)]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
    assert!(refuses(&list, "login-of-ada").await.unwrap());
    assert!(!folder.path().join(FILE_NAME).exists());
}

#[tokio::test]
async fn inspection_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let inspect = || FileStore::inspect(folder.path()).unwrap();
    assert_eq!(inspect(), FolderState::New);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let list = list(folder.path()).await;
    assert_eq!(inspect(), FolderState::InUse);
    drop(list);
    assert_eq!(inspect(), FolderState::Kept);
    for other in ["nowhere", FILE_NAME] {
        let error = FileStore::inspect(&folder.path().join(other)).unwrap_err();
        assert!(error.hint().is_some_and(|hint| hint.contains("the folder must exist")), "{error}");
    }
}

#[test]
fn list_works_while_blocking_threads_are_busy() {
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).enable_time().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (release, released) = std::sync::mpsc::channel::<()>();
    runtime.block_on(async {
        let busy = tokio::task::spawn_blocking(move || released.recv());
        let uses = async {
            let list = list(folder.path()).await;
            assert!(refuses(&list, "login-of-ada").await.unwrap());
        };
        tokio::time::timeout(Duration::from_secs(10), uses).await.unwrap();
        drop(release);
        assert!(busy.await.unwrap().is_err());
    });
}

/// Returns a request for the key with this number.
fn request(number: u8) -> LeaseRequest {
    let key = crate::idempotency::Key::for_webhook(&tenant("acme"), &number.to_string());
    let time = Duration::from_secs(9);
    LeaseRequest { key, fingerprint: [0; 32], token: number.into(), time, awaited: None }
}

async fn succeed(store: &FileStore, number: u8) {
    assert!(matches!(store.acquire(&request(number)).await.unwrap(), Held::Acquired), "{number}");
    assert!(store.end(&request(number), &Ending::Succeeded("{}".into())).await.unwrap());
}

async fn is_kept(store: &FileStore, number: u8) -> bool {
    let other = LeaseRequest { token: 100, ..request(number) };
    let held = store.acquire(&other).await.unwrap();
    if matches!(held, Held::Acquired) {
        store.end(&other, &Ending::Released).await.unwrap();
    }
    !matches!(held, Held::Acquired)
}

#[tokio::test]
async fn oldest_successes_are_evicted_first() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Still::at(100));
    let store = FileStore { max_writes: 3, ..FileStore::open(folder.path(), clock.clone()).unwrap() };
    assert!(matches!(store.acquire(&request(0)).await.unwrap(), Held::Acquired));
    for number in 1..=5 {
        clock.set(100 + i64::from(number));
        succeed(&store, number).await;
    }
    assert!(is_kept(&store, 0).await, "a running write is never evicted");
    assert!(is_kept(&store, 5).await && is_kept(&store, 4).await && !is_kept(&store, 1).await);
}

#[tokio::test]
async fn expired_writes_are_removed() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Still::at(100));
    let store = FileStore::open(folder.path(), clock.clone()).unwrap();
    for number in 0..10 {
        succeed(&store, number).await;
    }
    let count =
        || store.database.inspect(|database| Ok(database.begin_read()?.open_table(writes::ENDS)?.len()?)).unwrap();
    assert_eq!(count(), 10);
    clock.set(100 + i64::try_from(crate::idempotency::KEPT.as_secs()).unwrap());
    succeed(&store, 10).await;
    assert_eq!(count(), 1);
}
