//! Checks the settings of the store.

use std::path::PathBuf;

use idp_bridge_server::store::{RedisSettings, RedisTopology};

use super::document::Document;
use super::model::{ParsedUrl, Server, Store, StoreType, StoreUrl};
use super::path::KeyPath;
use super::problem::Problem;
use super::regular::{MAX_FILE, read_file};

/// The store to open.
#[derive(Debug, Clone, Default)]
pub(crate) enum StoreSettings {
    /// In memory.
    #[default]
    Memory,
    /// In the file of this folder.
    File(PathBuf),
    /// In a Redis server.
    Redis(Box<RedisSettings>),
}

impl Server {
    /// Returns whether the store keeps the revocation list over a restart.
    pub(super) fn keeps_revocations(&self) -> bool {
        match self.store.as_ref().map(|store| store.r#type) {
            None | Some(StoreType::File) => self.state_dir.is_some(),
            Some(StoreType::Memory) => false,
            Some(StoreType::Redis) => true,
        }
    }
}

impl StoreSettings {
    /// Reads the settings of the store. Without its table it is a file if there is a folder for it.
    pub(super) fn read(server: &Server, document: &Document<'_>, problems: &mut Vec<Problem>) -> Self {
        let checks = Checks { document, path: KeyPath::default().key("server").key("store") };
        let in_folder = || server.state_dir.clone().map_or(Self::Memory, Self::File);
        let Some(store) = &server.store else { return in_folder() };
        let result = match store.r#type {
            StoreType::Memory => checks.refuse_keys(server, store).map(|()| Self::Memory),
            StoreType::File => checks.refuse_keys(server, store).map(|()| in_folder()),
            StoreType::Redis => checks.read_redis(store).map(|redis| Self::Redis(Box::new(redis))),
        };
        result.unwrap_or_else(|problem| {
            problems.push(problem);
            Self::Memory
        })
    }
}

struct Checks<'a> {
    document: &'a Document<'a>,
    path: KeyPath,
}

impl Checks<'_> {
    fn problem(&self, key: &str, message: impl Into<String>, hint: &str) -> Problem {
        self.document.problem(&self.path.key(key), message).with_hint(hint)
    }

    /// Checks that a store without a server has none of its keys, and that a file has a folder.
    fn refuse_keys(&self, server: &Server, store: &Store) -> Result<(), Problem> {
        let keys = [
            ("urls", !store.urls.is_empty()),
            ("sentinel_master", store.sentinel_master.is_some()),
            ("sentinel_password", store.sentinel_password.is_some()),
            ("cluster", store.cluster),
            ("username", store.username.is_some()),
            ("password", store.password.is_some()),
            ("ca_file", store.ca_file.is_some()),
        ];
        if let Some((key, _)) = keys.iter().find(|(_, is_set)| *is_set) {
            let hint = "remove the key, or set `type = \"redis\"`";
            return Err(self.problem(key, format!("`{key}` belongs to a store of the type `redis`"), hint));
        }
        if store.r#type == StoreType::File && server.state_dir.is_none() {
            let hint =
                "set a folder that survives restarts, such as `state_dir = \"/var/lib/idp-bridge\"`, in `[server]`";
            return Err(self.problem("type", "a store of the type `file` needs `server.state_dir`", hint));
        }
        Ok(())
    }

    fn read_redis(&self, store: &Store) -> Result<RedisSettings, Problem> {
        let example = "such as `urls = [\"rediss://redis.example:6379\"]`";
        let Some(StoreUrl(first)) = store.urls.first() else {
            let problem = self.document.problem(&self.path, "a store of the type `redis` needs `urls`");
            return Err(problem.with_hint(format!("name the server, {example}")));
        };
        let topology = self.read_topology(store)?;
        let differs = |StoreUrl(url): &&StoreUrl| url.uses_tls != first.uses_tls || url.database != first.database;
        if store.urls.iter().any(|url| differs(&url)) {
            let hint = "use `redis` or `rediss` for all of them, and one database";
            return Err(self.problem("urls", "the URLs differ in more than host and port", hint));
        }
        if topology == RedisTopology::Cluster && first.database != 0 {
            return Err(self.problem("urls", "a Redis Cluster has the database 0 only", "remove the path of the URLs"));
        }
        if store.ca_file.is_some() && !first.uses_tls {
            return Err(self.problem("ca_file", "`ca_file` needs URLs with TLS", "write `rediss://…`"));
        }
        let is_plain = |letter: char| letter.is_ascii_graphic() && !['{', '}'].contains(&letter);
        if store.prefix.len() > 64 || !store.prefix.chars().all(is_plain) {
            let message = "expected at most 64 visible ASCII characters without braces";
            return Err(self.problem("prefix", message, "use a short name such as `idp-bridge:`"));
        }
        let ca_pem = store.ca_file.as_ref().map(|path| read_file(path, MAX_FILE)).transpose().map_err(|error| {
            self.problem("ca_file", format!("the file cannot be read: {error}"), "check the path and its permissions")
        })?;
        let ParsedUrl { uses_tls, database, .. } = *first;
        let servers = store.urls.iter().map(|StoreUrl(url)| url.server.clone()).collect();
        let (username, password, prefix) = (store.username.clone(), store.password.clone(), store.prefix.clone());
        Ok(RedisSettings { servers, topology, database, uses_tls, ca_pem, username, password, prefix })
    }

    fn read_topology(&self, store: &Store) -> Result<RedisTopology, Problem> {
        match (&store.sentinel_master, store.cluster) {
            (Some(_), true) => {
                let hint = "a Cluster needs no Sentinels: remove one of the keys";
                Err(self.problem("cluster", "`cluster` and `sentinel_master` exclude each other", hint))
            }
            (Some(master), false) => {
                Ok(RedisTopology::Sentinel { master: master.clone(), password: store.sentinel_password.clone() })
            }
            (None, _) if store.sentinel_password.is_some() => {
                let hint = "name the master with `sentinel_master`, or remove the key";
                Err(self.problem("sentinel_password", "`sentinel_password` needs Sentinels", hint))
            }
            (None, true) => Ok(RedisTopology::Cluster),
            (None, false) if store.urls.len() == 1 => Ok(RedisTopology::Single),
            (None, false) => {
                let hint =
                    "set `sentinel_master` if they are Sentinels, or `cluster = true` if they are nodes of a Cluster";
                Err(self.problem("urls", "several URLs are of Sentinels or of a Cluster", hint))
            }
        }
    }
}
